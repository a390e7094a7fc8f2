"""A blob's name: the SHA-256 of its raw bytes (trust-formats §1)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from evidence.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_WRITTEN = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A SHA-256 digest; written `sha256:` and 64 lower-case hexadecimal digits."""

    hex: str

    @classmethod
    def parse(cls, text: str) -> Self:
        found = _WRITTEN.fullmatch(text)
        if not found:
            raise FormatError(f"not a digest: {text[:80]!r}; write sha256: and 64 lower-case hexadecimal digits")
        return cls(found[1])

    @classmethod
    def of(cls, data: bytes) -> Self:
        return cls(hashlib.sha256(data).hexdigest())

    @property
    def raw(self) -> bytes:
        return bytes.fromhex(self.hex)

    def __str__(self) -> str:
        return f"sha256:{self.hex}"


def hash_stream(chunks: Iterable[bytes]) -> tuple[Digest, int]:
    """Digest and size of a stream in one pass and constant memory."""
    state, size = hashlib.sha256(), 0
    for chunk in chunks:
        state.update(chunk)
        size += len(chunk)
    return Digest(state.hexdigest()), size


def hash_file(path: Path) -> tuple[Digest, int]:
    """Digest and size of a file as it is now. Raises `OSError`."""
    with path.open("rb") as file:
        digest = Digest(hashlib.file_digest(file, "sha256").hexdigest())
        return digest, file.tell()
