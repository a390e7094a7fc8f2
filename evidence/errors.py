"""The one family of errors of this floor. Each says what, where, and where it can, what to do."""

from __future__ import annotations


class EvidenceError(Exception):
    """Anything that evidence refuses; its text is written for people."""


class FormatError(EvidenceError):
    """Bytes that should have a published form, and have not."""


class CanonicalError(EvidenceError):
    """A value that RFC 8785 cannot write."""


class CustodyError(EvidenceError):
    """A custody event that breaks the rules of its format."""


class LogError(EvidenceError):
    """A proof, tile or tree that does not hold."""


class SignatureError(EvidenceError):
    """A signature that does not verify, or a key that cannot be used."""


class ReadingError(EvidenceError):
    """A source or table that cannot be read as asked."""


class MessageError(ReadingError):
    """A DNS message that breaks RFC 1035; the text is the reason that its reject states."""


class AnalysisError(EvidenceError):
    """A question that cannot be answered as asked."""
