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


class Source:
    """A file by its descriptor; `digest` is good when `blocks` is used up."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._hash = hashlib.sha256()
        self.position = 0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    @property
    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def read_block(self) -> bytes:
        """A full block unless the file ends: a short read of the system must not move the cuts. Empty at the end."""
        data = os.pread(self._descriptor, BLOCK, self.position)
        while len(data) < BLOCK and (more := os.pread(self._descriptor, BLOCK - len(data), self.position + len(data))):
            data += more
        self._hash.update(data)
        self.position += len(data)
        return data

    def blocks(self) -> Iterator[bytes]:
        """All bytes, in blocks of `BLOCK`; the last may be shorter."""
        while data := self.read_block():
            yield data

    def look(self, start: int, stop: int) -> bytes:
        """Bytes out of turn, for a header; they are not hashed and may be fewer at the file's end."""
        return os.pread(self._descriptor, stop - start, start)
