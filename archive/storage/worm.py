"""Write-once files: staged on the same volume, synced, linked into place, read-only, never replaced.

A blob lies at `sha256/ab/cd/<64 hex digits>` and can be checked with `sha256sum` alone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from typing import TYPE_CHECKING

from archive.storage.store import PIECE, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evidence.digest import Digest

_READ_ONLY = 0o444


class FileStore:
    """A folder of write-once files."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, source: Path, digest: Digest) -> str:
        locator = f"sha256/{digest.hex[:2]}/{digest.hex[2:4]}/{digest.hex}"
        target = self._root / locator
        if not target.exists():
            self._make_folders(target.parent)
            staged = self._stage(source, target.parent)
            with contextlib.suppress(FileExistsError):  # somebody else sealed the same bytes: theirs stand
                os.link(staged, target)
            staged.unlink()
        _sync_folder(target.parent)
        return locator

    def _make_folders(self, folder: Path) -> None:
        """Each folder's name is durable before anything is put into it, whichever process made it."""
        if folder != self._root:
            self._make_folders(folder.parent)
            folder.mkdir(exist_ok=True)
            _sync_folder(folder.parent)
        else:
            _make_root(folder)

    @staticmethod
    def _stage(source: Path, folder: Path) -> Path:
        """A second name of the source on the same volume, a copy of it on another; synced, or gone again."""
        staged = folder / f".{secrets.token_hex(8)}"
        try:
            try:
                os.link(source, staged)
            except OSError:
                shutil.copyfile(source, staged)
            staged.chmod(_READ_ONLY)
            _sync(staged, os.O_RDONLY)
        except OSError as error:
            staged.unlink(missing_ok=True)
            raise StoreError(f"the store cannot keep {source.name} in {folder}: {error.strerror}") from error
        return staged

    def _path(self, locator: str) -> Path:
        path = self._root / locator
        if not path.is_file():
            raise StoreError(f"the store has no {locator}; compare it with a replica or a backup")
        return path

    def open_range(self, locator: str, start: int, stop: int) -> Iterator[bytes]:
        path = self._path(locator)
        return _pieces(path, start, stop)

    @contextlib.contextmanager
    def local_path(self, locator: str) -> Iterator[Path]:
        yield self._path(locator)

    def probe(self) -> None:
        try:
            self._make_folders(self._root)
            path = self._root / f".probe-{secrets.token_hex(8)}"
            path.write_bytes(b"probe")
            path.unlink()
        except OSError as error:
            raise StoreError(f"the store {self._root} cannot be written: {error.strerror}") from error


def _pieces(path: Path, start: int, stop: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while start < stop and (piece := file.read(min(PIECE, stop - start))):
            start += len(piece)
            yield piece
    if start < stop:
        raise StoreError(f"{path.name} ends at byte {start}, before {stop}: the stored file is shorter than it was")


def _make_root(root: Path) -> None:
    missing = [path for path in (root, *root.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
