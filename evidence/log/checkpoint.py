"""Checkpoints (C2SP tlog-checkpoint) and their signatures.

The log's own Ed25519 signature, and the cosignatures of C2SP tlog-cosignature: `cosignature/v1` and, for ML-DSA-44,
`subtree/v1` over the whole tree.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evidence import keys
from evidence.errors import FormatError, SignatureError
from evidence.log.note import COSIGNATURE_V1, ED25519, ML_DSA_44, NoteSignature, SignedNote, Vkey
from evidence.strictjson import b64

if TYPE_CHECKING:
    from evidence.keys import Signer

_BODY = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([^\n]+)\n")
_LARGEST = 2**63


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: its origin, its size, its root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """The three lines of a checkpoint; extension lines are refused (trust-formats §3). Raises `FormatError`."""
    found = _BODY.fullmatch(text)
    if not found or int(found[2]) >= _LARGEST:
        raise FormatError(f"checkpoint: origin, size and root are wanted, got {text[:80]!r}")
    return Checkpoint(found[1], int(found[2]), b64(found[3], "checkpoint root", 32))


def subtree_message(name: str, timestamp: int, checkpoint: Checkpoint) -> bytes:
    """The `subtree/v1` message of C2SP tlog-cosignature with start 0 and end = size."""
    signer, origin = name.encode(), checkpoint.origin.encode()
    return b"".join((
        b"subtree/v1\n\0", bytes([len(signer)]), signer, timestamp.to_bytes(8), bytes([len(origin)]), origin,
        (0).to_bytes(8), checkpoint.size.to_bytes(8), checkpoint.root,
    ))  # fmt: skip


def sign_checkpoint(checkpoint: Checkpoint, ed25519: Signer, ml_dsa_44: Signer, timestamp: int) -> SignedNote:
    """The log signs twice, so that no single broken algorithm forges it. `timestamp` is in Unix seconds."""
    name = checkpoint.origin
    plain, quantum = Vkey(name, ED25519, ed25519.public), Vkey(name, ML_DSA_44, ml_dsa_44.public)
    stamped = timestamp.to_bytes(8) + ml_dsa_44.sign(subtree_message(name, timestamp, checkpoint))
    return SignedNote(
        checkpoint.text,
        (
            NoteSignature(name, plain.keyid, ed25519.sign(checkpoint.text.encode())),
            NoteSignature(name, quantum.keyid, stamped),
        ),
    )


def verify_signature(note: SignedNote, line: NoteSignature, vkey: Vkey) -> int | None:
    """Timestamp in the signature if its kind has one. Raises `SignatureError` or `FormatError`."""
    if vkey.type == ED25519:
        keys.verify(keys.ED25519, vkey.public, line.signature, note.text.encode())
        return None
    if len(line.signature) < 8:
        raise SignatureError(f"signature of {line.name}: too short for a timestamp")
    timestamp, signature = int.from_bytes(line.signature[:8]), line.signature[8:]
    if vkey.type == COSIGNATURE_V1:
        message = f"cosignature/v1\ntime {timestamp}\n{note.text}".encode()
        keys.verify(keys.ED25519, vkey.public, signature, message)
    else:
        message = subtree_message(vkey.name, timestamp, parse_checkpoint(note.text))
        keys.verify(keys.ML_DSA_44, vkey.public, signature, message)
    return timestamp
