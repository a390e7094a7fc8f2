"""What has to be known of the bytes of JSON lines before they are parsed, found in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from evidence.reading.gather import Ints

_PIECE = 1 << 18  # bytes, which a core's own cache holds: looked at once more they cost little
_ASCII = 128
_MIDDLE = np.uint16(int.from_bytes(b"ul", "little"))
_NONE = np.array([], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Marks:
    """Places of bytes beyond ASCII, of backslashes and of the middle of each `null`."""

    beyond: Ints
    escapes: Ints
    nulls: Ints


def marks_of(data: bytes) -> Marks:
    """All of them; few logs have any but the last."""
    body, beyond, escapes, middles = np.frombuffer(data, dtype=np.uint8), [_NONE], [_NONE], [_NONE]
    for at in range(0, len(body), _PIECE):
        part = body[at : at + _PIECE]
        if part.max() >= _ASCII:
            beyond.append(np.flatnonzero(part >= _ASCII) + at)
        if data.find(b"\\", at, at + _PIECE) >= 0:
            escapes.append(np.flatnonzero(part == ord("\\")) + at)
        middles += [_middles(data, at, at + first) for first in (0, 1)]
    return Marks(np.concatenate(beyond), np.concatenate(escapes), _nulls(body, np.concatenate(middles)))


def objects_in(text: bytes) -> int:
    """How many `{` there are, those in texts included."""
    body = np.frombuffer(text, dtype=np.uint8)
    return sum(int(np.count_nonzero(body[at : at + _PIECE] == ord("{"))) for at in range(0, len(body), _PIECE))


def _middles(data: bytes, piece: int, first: int) -> Ints:
    """Where `ul` begins in a piece at an even distance from `first`: pairs are found far sooner than by `find`.

    A pair may begin with the last byte of the piece.
    """
    count = max(0, min(piece + _PIECE + 1, len(data)) - first) // 2
    if not count:
        return _NONE
    is_middle = np.frombuffer(data, dtype="<u2", count=count, offset=first) == _MIDDLE
    return 2 * np.flatnonzero(is_middle) + first if is_middle.any() else _NONE


def _nulls(body: np.ndarray, middles: Ints) -> Ints:
    """Those before which an `n` stands, and an `l` behind."""
    inner = middles[(middles > 0) & (middles < len(body) - 2)]
    return np.unique(inner[(body[inner - 1] == ord("n")) & (body[inner + 2] == ord("l"))])
