"""The bytes of a source, read once from its first to its last, and hashed on the way.

`os.pread` and not a memory map: a file that is cut under a map kills the process.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 8 << 20
_WINDOW = 1 << 16  # bytes that are looked at for the end of a line


class Source:
    """A file by its descriptor; `digest` is good when `blocks` is used up. `begin` is where its text begins."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._hash = hashlib.sha256()
        self.position = self.begin = 0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    @property
    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def read_block(self) -> bytes:
        """A full block unless the file ends: a short read of the system must not move the cuts. Empty at the end."""
        return self.read_to(self.position + BLOCK)

    def read_to(self, stop: int) -> bytes:
        """All bytes before `stop`; fewer only if the file ends there."""
        parts = []
        while (left := stop - self.position) > 0 and (part := os.pread(self._descriptor, left, self.position)):
            self._hash.update(part)
            self.position += len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def behind_last(self, mark: bytes, stop: int) -> int:
        """The place behind the last such byte before `stop` that was not read yet; where to read on, if there is none.

        Bytes that are looked at are not hashed: what is made of them comes from the bytes that are read afterwards.
        """
        while stop > self.position:
            begin = max(stop - _WINDOW, self.position)
            found = self.look(begin, stop).rfind(mark)
            if found >= 0:
                return begin + found + 1
            stop = begin
        return self.position

    def behind_first(self, mark: bytes, stop: int) -> int:
        """The place behind the first such byte that was not read yet and stands before `stop`; `stop` if none does."""
        for begin in range(self.position, stop, _WINDOW):
            found = self.look(begin, min(begin + _WINDOW, stop)).find(mark)
            if found >= 0:
                return begin + found + 1
        return stop

    def pass_over(self, mark: bytes) -> None:
        """Let the text begin behind these bytes, if they are the file's first and not all of it."""
        if self.size > len(mark) and self.look(0, len(mark)) == mark:
            self.begin = len(self.read_to(len(mark)))

    def blocks(self) -> Iterator[bytes]:
        """All bytes, in blocks of `BLOCK`; the last may be shorter."""
        while data := self.read_block():
            yield data

    def look(self, start: int, stop: int) -> bytes:
        """Bytes out of turn, as of a header; they are not hashed and may be fewer at the file's end."""
        return os.pread(self._descriptor, stop - start, start)
