"""A witness's judgement (C2SP tlog-witness): which checkpoint it may cosign, given the one that it cosigned last."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from evidence.errors import FormatError, LogError
from evidence.log.checkpoint import Checkpoint, parse_checkpoint, subtree_message
from evidence.log.note import COSIGNATURE_V1, ML_DSA_44, NoteSignature, Vkey, parse_note
from evidence.log.policy import Policy, problems
from evidence.log.proof import verify_consistency
from evidence.strictjson import b64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence.keys import Signer

MOST_HASHES = 63
BODY_LIMIT = 1 << 16
SIZE_TYPE = "text/x.tlog.size"
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


class Answer(IntEnum):
    """HTTP status codes of `add-checkpoint`."""

    COSIGN = 200
    BAD_REQUEST = 400
    NOT_SIGNED = 403
    UNKNOWN_LOG = 404
    OTHER_SIZE = 409
    NOT_CONSISTENT = 422


@dataclass(frozen=True, slots=True)
class Request:
    """`old` is the size that the log believes the witness has, `hashes` the proof from there to the checkpoint."""

    old: int
    hashes: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        proof = "".join(f"{base64.b64encode(item).decode()}\n" for item in self.hashes)
        return f"old {self.old}\n{proof}\n{self.note}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to answer and why; the checkpoint if it may be cosigned."""

    answer: Answer
    reason: str
    checkpoint: Checkpoint | None = None


def parse_request(body: bytes) -> Request:
    """Raises `FormatError`."""
    try:
        head, blank, note = body.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError as error:
        raise FormatError(f"add-checkpoint: not UTF-8: {error}") from error
    first, *proof = head.split("\n")
    old = _OLD.fullmatch(first)
    if not blank or old is None or len(proof) > MOST_HASHES:
        wanted = f"an old line, at most {MOST_HASHES} hashes, a blank line and a checkpoint are wanted"
        raise FormatError(f"add-checkpoint: {wanted}")
    return Request(int(old[1]), tuple(b64(line, "consistency hash", 32) for line in proof), note)


def judge(request: Request, logs: Sequence[Vkey], known: Checkpoint | None) -> Verdict:
    """`logs` are the keys of all logs that the witness follows, `known` what it cosigned last of this one.

    Every key that it knows of a log has to have signed (docs/trust-formats.md §3).
    """
    try:
        note = parse_note(request.note)
        checkpoint = parse_checkpoint(note.text)
        keys = tuple(vkey for vkey in logs if vkey.name == checkpoint.origin)
        found = problems(Policy(keys), note) if keys else []
    except FormatError as error:
        return Verdict(Answer.BAD_REQUEST, str(error))
    size = known.size if known else 0
    if not keys:
        return Verdict(Answer.UNKNOWN_LOG, f"this witness does not follow {checkpoint.origin}")
    if found:
        return Verdict(Answer.NOT_SIGNED, "; ".join(found))
    if request.old > checkpoint.size:
        return Verdict(Answer.BAD_REQUEST, f"old {request.old} is above the checkpoint's size {checkpoint.size}")
    if request.old != size:
        return Verdict(Answer.OTHER_SIZE, f"{size}")
    return _consistent(request, checkpoint, known)


def log_lines(request: Request, logs: Sequence[Vkey]) -> str:
    """Of a request that may be cosigned the log's own signature lines, one of each key in `logs`, which have verified.

    Anybody may send the log's checkpoint again with lines of his own under it, and many of one: no more than these is
    worth keeping.
    """
    note = parse_note(request.note)
    lines = {(line.name, line.keyid): str(line) for line in note.signatures}
    origin = parse_checkpoint(note.text).origin
    return "".join(lines[vkey.name, vkey.keyid] for vkey in logs if vkey.name == origin)


def _consistent(request: Request, checkpoint: Checkpoint, known: Checkpoint | None) -> Verdict:
    if known is None or not known.size:
        if request.hashes:
            return Verdict(Answer.NOT_CONSISTENT, "a proof from nothing is empty")
        return Verdict(Answer.COSIGN, f"size {checkpoint.size}", checkpoint)
    try:
        verify_consistency(known.size, checkpoint.size, known.root, checkpoint.root, request.hashes)
    except LogError as error:
        return Verdict(Answer.NOT_CONSISTENT, str(error))
    return Verdict(Answer.COSIGN, f"size {checkpoint.size}", checkpoint)


@dataclass(frozen=True, slots=True)
class WitnessKeys:
    """A witness signs twice, as logs do; both keys carry its name."""

    name: str
    ed25519: Signer
    ml_dsa_44: Signer

    @property
    def vkeys(self) -> tuple[Vkey, Vkey]:
        return (
            Vkey(self.name, COSIGNATURE_V1, self.ed25519.public),
            Vkey(self.name, ML_DSA_44, self.ml_dsa_44.public),
        )

    def cosign(self, checkpoint: Checkpoint, timestamp: int) -> str:
        """Signature lines over the checkpoint; `timestamp` in Unix seconds (C2SP tlog-cosignature)."""
        plain, quantum = self.vkeys
        stamp = timestamp.to_bytes(8)
        message = f"cosignature/v1\ntime {timestamp}\n{checkpoint.text}".encode()
        return "".join((
            str(NoteSignature(self.name, plain.keyid, stamp + self.ed25519.sign(message))),
            str(NoteSignature(
                self.name, quantum.keyid,
                stamp + self.ml_dsa_44.sign(subtree_message(self.name, timestamp, checkpoint)),
            )),
        ))  # fmt: skip
