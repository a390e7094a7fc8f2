"""Self-contained inclusion proofs (C2SP tlog-proof@v1): index, hashes, and the signed checkpoint they lead to."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from evidence.errors import FormatError
from evidence.strictjson import b64

HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class TlogProof:
    """`hashes` go from the leaf's sibling upward; `checkpoint` is the signed note, verbatim."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str

    def __str__(self) -> str:
        hashes = "".join(f"{base64.b64encode(item).decode()}\n" for item in self.hashes)
        return f"{HEADER}\nindex {self.index}\n{hashes}\n{self.checkpoint}"


def parse_tlog_proof(text: str) -> TlogProof:
    """Raises `FormatError`; whether the proof holds is not yet checked."""
    head, blank, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    index = _INDEX.fullmatch(lines[1]) if len(lines) > 1 else None
    if not blank or lines[0] != HEADER or not index:
        raise FormatError(f"proof: {HEADER!r}, an index line, hashes, a blank line and a checkpoint are wanted")
    return TlogProof(int(index[1]), tuple(b64(line, "inclusion hash", 32) for line in lines[2:]), checkpoint)
