"""The store's contract: bytes go in once, under their digest, and can be read in ranges. There is no delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from evidence.digest import Digest

PIECE = 1 << 20


class StoreError(Exception):
    """The store refuses or cannot; the text says what, where and what to do."""


class BlobStore(Protocol):
    """Whoever keeps blobs."""

    def put(self, source: Path, digest: Digest) -> str:
        """Keep the bytes of the fsynced file `source`, which have this digest; where they lie.

        Durable on return. May be repeated: bytes that are there already are left as they are.
        """

    def open_range(self, locator: str, start: int, stop: int) -> Iterator[bytes]:
        """Bytes `start` up to `stop`, in pieces of at most `PIECE`. Raises `StoreError`."""

    def local_path(self, locator: str) -> AbstractContextManager[Path]:
        """A file with the blob's bytes, to be read only, for as long as the context lasts."""

    def probe(self) -> None:
        """Write and sync something small. Raises `StoreError` if that does not work."""
