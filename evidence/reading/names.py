"""Domain names in the one form of tables: lower case, no final dot, A-labels, escapes as in RFC 1035 and RFC 4343.

Spellings of one name are one name, in whatever case and with whatever escapes. Inside a label a dot and a backslash are
escaped by a backslash; bytes that are no printable ASCII, and the space, as three decimal digits.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import idna

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}", re.ASCII)
_HEX = re.compile(rb"\\x([0-9a-f]{2})")
_LONGEST = 255  # octets on the wire, RFC 1035 §2.3.4


@lru_cache(maxsize=1 << 16)
def canonical_name(written: str) -> str | None:
    """The name as tables hold it; None if it is none: an empty label, one of over 63 octets, more than 255 in all."""
    if len(written) < _LONGEST and _PLAIN.fullmatch(written):
        return written
    labels = _labels(written)
    return None if labels is None else from_labels(labels)


def name_columns(written: str) -> dict[str, str | None] | None:
    """`name` and `name_as_written` (None where it is the same) of a row; None if it is no name."""
    name = canonical_name(written)
    return None if name is None else {"name": name, "name_as_written": written if written != name else None}


def unescaped_name_columns(written: str) -> dict[str, str | None] | None:
    r"""`name_columns` of a name whose labels are written as they are, but octets that are no text as `\xff`."""
    octets = _HEX.sub(lambda found: bytes([int(found[1], 16)]), written.encode())
    name = from_labels([] if octets in (b"", b".") else octets.split(b"."))
    return None if name is None else {"name": name, "name_as_written": written if written != name else None}


def from_labels(labels: list[bytes]) -> str | None:
    """Presentation form of a name from its octets; the root is `.`."""
    if any(not 0 < len(label) <= 63 for label in labels) or sum(map(len, labels)) + len(labels) + 1 > _LONGEST:
        return None
    return ".".join(_written(label.lower()) for label in labels) or "."


def written_labels(labels: Iterable[bytes]) -> str:
    """Presentation form of a name in its own case."""
    return ".".join(map(_written, labels)) or "."


@lru_cache(maxsize=1 << 14)
def _written(label: bytes) -> str:
    return "".join(
        f"\\{octet:03}" if not 0x21 <= octet <= 0x7E else f"\\{chr(octet)}" if octet in b".\\" else chr(octet)
        for octet in label
    )


def _labels(written: str) -> list[bytes] | None:
    """Octets of each label; None where an escape is cut off or a label is empty."""
    if written in ("", "."):
        return [] if written else None
    labels, label, at = [], "", 0
    octets = bytearray()
    while at < len(written):
        char = written[at]
        if char == "\\":
            taken = _escape(written, at)
            if taken is None:
                return None
            octets += _encoded(label) + bytes([taken[0]])
            label, at = "", taken[1]
            continue
        if char == ".":
            labels.append(bytes(octets) + _encoded(label))
            octets, label = bytearray(), ""
        else:
            label += char
        at += 1
    if octets or label:
        labels.append(bytes(octets) + _encoded(label))
    return labels


def _escape(written: str, at: int) -> tuple[int, int] | None:
    """The octet that an escape stands for, and where it ends."""
    digits = written[at + 1 : at + 4]
    if len(digits) == 3 and digits.isascii() and digits.isdecimal():
        return (int(digits), at + 4) if int(digits) < 256 else None
    following = written[at + 1 : at + 2]
    return (ord(following), at + 2) if following and ord(following) < 128 and not following.isdigit() else None


def _encoded(text: str) -> bytes:
    """ASCII as it is; a U-label as its A-label (RFC 5890), or as UTF-8 octets where IDNA has none for it."""
    if text.isascii():
        return text.encode("ascii")
    try:
        return idna.encode(text, uts46=True)
    except idna.IDNAError:
        return text.encode("utf-8", "surrogateescape")
