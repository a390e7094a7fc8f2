"""Where bytes stand: a half-open range of one blob."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evidence.errors import FormatError

if TYPE_CHECKING:
    from evidence.digest import Digest


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` up to but not including `stop` of `blob`."""

    blob: Digest
    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop:
            raise FormatError(f"not a byte range: [{self.start}, {self.stop}) of {self.blob}")

    def __len__(self) -> int:
        return self.stop - self.start
