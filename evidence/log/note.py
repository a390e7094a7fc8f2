"""Signed notes and verifier keys (C2SP signed-note): parse and write; what a signature covers is `checkpoint`'s."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

from evidence.errors import FormatError
from evidence.strictjson import b64

ED25519, COSIGNATURE_V1, ML_DSA_44 = 0x01, 0x04, 0x06
_KEY_LENGTHS = {ED25519: 32, COSIGNATURE_V1: 32, ML_DSA_44: 1312}
_VKEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+(\S+)")
_LINE = re.compile(r"— ([^\s+]+) (\S+)")


@dataclass(frozen=True, slots=True)
class Vkey:
    """A verifier key: `name+hex(key id)+base64(type || public key)`."""

    name: str
    type: int
    public: bytes

    @property
    def keyid(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]

    def __str__(self) -> str:
        key = base64.b64encode(bytes([self.type]) + self.public).decode()
        return f"{self.name}+{self.keyid.hex()}+{key}"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who says it is theirs, and the bytes behind the key id."""

    name: str
    keyid: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"— {self.name} {base64.b64encode(self.keyid + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """`text` ends with a newline and is what was signed; unknown signatures are kept and not judged."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(str(line) for line in self.signatures)


def parse_vkey(text: str) -> Vkey:
    """A verifier key whose key id fits. Raises `FormatError`."""
    found = _VKEY.fullmatch(text)
    if not found:
        raise FormatError(f"not a verifier key: {text[:60]!r}")
    raw = b64(found[3], f"verifier key {found[1]}")
    vkey = Vkey(found[1], raw[0] if raw else 0, raw[1:])
    if _KEY_LENGTHS.get(vkey.type) != len(vkey.public):
        raise FormatError(f"verifier key {found[1]}: unknown type or wrong length ({vkey.type}, {len(vkey.public)})")
    if vkey.keyid.hex() != found[2]:
        raise FormatError(f"verifier key {found[1]}: key id {found[2]}, wanted {vkey.keyid.hex()}")
    return vkey


def parse_note(data: str | bytes) -> SignedNote:
    """A signed note. Raises `FormatError`."""
    try:
        note = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        raise FormatError(f"signed note: not UTF-8: {error}") from error
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise FormatError("signed note: text, a blank line, and signature lines are wanted")
    if any(ord(char) < 0x20 and char != "\n" for char in note):
        raise FormatError("signed note: control characters are not allowed")
    return SignedNote(text + "\n", tuple(_signature(line) for line in lines[:-1].split("\n")))


def _signature(line: str) -> NoteSignature:
    found = _LINE.fullmatch(line)
    if not found:
        raise FormatError(f"signed note: not a signature line: {line[:60]!r}")
    raw = b64(found[2], f"signature of {found[1]}")
    if len(raw) < 5:
        raise FormatError(f"signature of {found[1]}: too short")
    return NoteSignature(found[1], raw[:4], raw[4:])
