"""What the caller trusts: a tlog-policy and the certificates of timestamp authorities, both from files of his own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509

from evidence.errors import EvidenceError
from evidence.log.policy import Policy, parse_policy

if TYPE_CHECKING:
    from pathlib import Path

REFUSALS = (EvidenceError, ValueError, OverflowError, RecursionError)
"""What strict reading of foreign bytes may raise: our own errors, and those of text that is no text, of integers
that do not fit and of nesting without end."""


class TrustError(EvidenceError):
    """A policy or certificate file of the caller's that cannot be used; nothing was checked."""


@dataclass(frozen=True, slots=True)
class Trust:
    policy: Policy | None
    authorities: tuple[x509.Certificate, ...]


def load_trust(policy: Path | None, authorities: Path | None) -> Trust:
    return Trust(_policy(policy) if policy else None, _certificates(authorities) if authorities else ())


def _policy(path: Path) -> Policy:
    try:
        return parse_policy(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrustError(f"policy {path}: cannot be read: {error.strerror}") from error
    except REFUSALS as error:
        raise TrustError(f"policy {path}: {error}") from error


def _certificates(path: Path) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        raise TrustError(f"certificates {path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TrustError(f"certificates {path}: no PEM certificate: {error}") from error
