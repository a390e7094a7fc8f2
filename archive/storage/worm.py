"""Write-once files: staged on the same volume, synced, linked into place, read-only, never replaced.

A blob lies at `sha256/ab/cd/<64 hex digits>` and can be checked with `sha256sum` alone (docs/store-layout.md). Where
the store is asked to be immutable and platform and rights allow it, each file gets the file system's immutable flag.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from archive.storage.store import (
    PIECE,
    WHOLE,
    Challenge,
    Copy,
    Keeping,
    MissingBlobError,
    Stat,
    StoreError,
    UnreadableBlobError,
    examine_copy,
    hash_segment,
    mend_single,
    place_of,
    refuse_more_copies,
)
from evidence.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_READ_ONLY = 0o444
_STAGED = re.compile(r"\.(probe-)?[0-9a-f]{16}")
_UNFINISHED_FOR = 86_400.0  # seconds; no copy takes longer
_GET_FLAGS, _SET_FLAGS, _IMMUTABLE = 0x80086601, 0x40086602, 0x10  # FS_IOC_GETFLAGS and its pair, FS_IMMUTABLE_FL
_NO_FLAGS = {errno.EPERM, errno.EACCES, errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}


class FileStore:
    """A folder of write-once files."""

    def __init__(self, root: Path, *, immutable: bool = False, linking: bool = True) -> None:
        """`linking`: a source on the same volume gets a second name instead of a copy; not beside another store."""
        self._root = root
        self._immutable = immutable
        self._linking = linking and not immutable

    @property
    def name(self) -> str:
        return f"file:{self._root}"

    def put(self, source: Path, digest: Digest, keeping: Keeping) -> str:
        refuse_more_copies(self, keeping)
        locator = place_of(digest)
        target = self._root / locator
        with _disk_gives(target):
            is_there = target.exists()
        if is_there and not self._is_whole(locator):
            return self.replace(source, locator, keeping)
        self._keep(source, target, linking=self._linking)
        return locator

    def _keep(self, source: Path, target: Path, *, linking: bool) -> None:
        try:
            if not target.exists():
                self._make_folders(target.parent)
                staged = self._stage(source, target.parent, linking=linking)
                with contextlib.suppress(FileExistsError):  # somebody else sealed the same bytes: theirs stand
                    os.link(staged, target)
                staged.unlink()
            if self._immutable:  # also what another linked: perhaps it was killed before this
                _set_immutable(target, on=True)
            _sync_folder(target.parent)
        except OSError as error:
            raise StoreError(f"the store cannot keep {target.name} in {target.parent}: {error.strerror}") from error

    def _is_whole(self, locator: str) -> bool:
        return examine_copy(self, locator, lambda _: None).state == WHOLE

    def _make_folders(self, folder: Path) -> None:
        """Each folder's name is durable before anything is put into it, whichever process made it."""
        if folder == self._root:
            for path in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
                path.mkdir(exist_ok=True)
                _sync_folder(path.parent)
        else:
            self._make_folders(folder.parent)
            folder.mkdir(exist_ok=True)
            _sync_folder(folder.parent)

    @staticmethod
    def _stage(source: Path, folder: Path, *, linking: bool) -> Path:
        """A second name of the source on the same volume, a copy of it on another; synced, or gone again.

        What is to be immutable is copied, as the flag belongs to the bytes and not to one of their names; and so is
        what lies in two stores of one volume, or damage to one would be damage to both.
        """
        staged = folder / f".{secrets.token_hex(8)}"
        try:
            if not linking or not _linked(source, staged):
                shutil.copyfile(source, staged)
            staged.chmod(_READ_ONLY)
            _sync(staged, os.O_RDONLY)
        except OSError:
            staged.unlink(missing_ok=True)
            raise
        return staged

    def _path(self, locator: str) -> Path:
        path = self._root / locator
        with _disk_gives(path):
            if not path.is_file():
                raise MissingBlobError(f"the store has no {locator}; compare it with a replica or a backup")
        return path

    def open_range(self, locator: str, start: int, stop: int) -> Iterator[bytes]:
        return _pieces(self._path(locator), start, stop)

    def stat(self, locator: str) -> Stat:
        path = self._path(locator)
        with _disk_gives(path):
            lock = "immutable flag" if _is_immutable(path) else "read-only file; its owner could change it"
            return Stat(path.stat().st_size, lock)

    def listing(self) -> Iterator[str]:
        for folder, names, files in os.walk(self._root / "sha256"):
            names.sort()
            for file in sorted(files):
                if not file.startswith("."):
                    yield (Path(folder) / file).relative_to(self._root).as_posix()

    def protect(self, locator: str, keeping: Keeping) -> None:
        refuse_more_copies(self, keeping)
        if self._immutable:
            _set_immutable(self._path(locator), on=True)

    def describe(self, name: str, text: bytes) -> None:
        scratch = self._root / f".{secrets.token_hex(8)}"
        try:
            self._make_folders(self._root)
            scratch.write_bytes(text)
            self._keep(scratch, self._root / name, linking=self._linking)
        except OSError as error:
            raise StoreError(f"the store cannot write {name}: {error.strerror}") from error
        finally:
            scratch.unlink(missing_ok=True)

    def described(self, name: str) -> list[bytes | None]:
        try:
            return [(self._root / name).read_bytes()]
        except FileNotFoundError:
            return [None]
        except OSError as error:
            raise StoreError(f"the store cannot read {name}: {error.strerror}") from error

    def examine(self, locator: str, on_piece: Callable[[int], None]) -> list[Copy]:
        return [examine_copy(self, locator, on_piece)]

    def segment(self, locator: str, start: int, stop: int | None, on_piece: Callable[[int], None]) -> list[Digest]:
        return [hash_segment(self, locator, start, stop, on_piece)]

    def mend(self, locator: str, keeping: Keeping) -> str:
        return mend_single(self, locator, keeping)

    def replace(self, source: Path, locator: str, keeping: Keeping) -> str:
        refuse_more_copies(self, keeping)
        target, aside = self._root / locator, self._root / "damaged"
        try:
            self._make_folders(aside)
            with _locked(aside):
                if target.exists() and not self._is_whole(locator):
                    _set_immutable(target, on=False)
                    target.rename(aside / f"{target.name}-{secrets.token_hex(4)}")
                    _sync_folder(aside)
                self._keep(source, target, linking=False)
        except OSError as error:
            raise StoreError(f"the store cannot mend {locator}: {error.strerror}") from error
        return locator

    @contextlib.contextmanager
    def local_path(self, locator: str) -> Iterator[Path]:
        yield self._path(locator)

    def probe(self) -> None:
        try:
            self._make_folders(self._root)
            path = self._root / f".probe-{secrets.token_hex(8)}"
            try:
                path.write_bytes(b"probe")
            finally:
                path.unlink(missing_ok=True)  # a disk that is full takes its name and not its bytes
        except OSError as error:
            raise StoreError(f"the store {self._root} cannot be written: {error.strerror}") from error

    def challenge(self) -> list[Challenge]:
        data = secrets.token_bytes(32)
        source, other = self._root / f".{secrets.token_hex(8)}", self._root / f".{secrets.token_hex(8)}"
        target = self._root / "check" / Digest.of(data).hex
        self.probe()
        self._clear_unfinished()
        try:
            source.write_bytes(data)
            other.write_bytes(data[::-1])
            self._keep(source, target, linking=self._linking)
            source.unlink()
            self._keep(other, target, linking=self._linking)
            held = target.read_bytes() == data
            found = [Challenge(self.name, "overwrite through the store", held, "the first bytes stand")]
            found += [self._try("open the file for writing", lambda: os.close(os.open(target, os.O_WRONLY)))]
            found += [self._try("delete the file", target.unlink)]
        except OSError as error:
            raise StoreError(f"the store {self._root} cannot be tried: {error.strerror}") from error
        finally:
            for path in (source, other, target):
                with contextlib.suppress(OSError):  # it was never made, or the disk is gone
                    _set_immutable(path, on=False)
                    path.unlink()
        return found

    def _clear_unfinished(self) -> None:
        """What processes left that were killed while they staged: never a blob, which has no such name."""
        then = time.time() - _UNFINISHED_FOR
        for folder, _, files in os.walk(self._root):
            for file in files:
                path = Path(folder) / file
                with contextlib.suppress(OSError):
                    if _STAGED.fullmatch(file) and path.stat().st_ctime < then:
                        path.unlink()

    def _try(self, attempt: str, act: Callable[[], object]) -> Challenge:
        """As this process's own user. Only the immutable flag stops that user, so only then is it binding."""
        try:
            act()
        except OSError as error:
            return Challenge(self.name, attempt, held=True, said=str(error.strerror), binding=self._immutable)
        said = "this user can; keep a second copy in a store with Object Lock, or ask for ?immutable=1"
        return Challenge(self.name, attempt, held=False, said=said, binding=self._immutable)


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:  # another volume, or a file system without links
        return False
    return True


def _set_immutable(path: Path, *, on: bool) -> None:
    """Best effort: whether it worked is read back by `stat`, never assumed."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        flags = _flags(descriptor)
        if flags is not None and bool(flags & _IMMUTABLE) != on:
            fcntl.ioctl(descriptor, _SET_FLAGS, (flags ^ _IMMUTABLE).to_bytes(8, "little"))
    except OSError as error:
        if error.errno not in _NO_FLAGS:
            raise
    finally:
        os.close(descriptor)


def _is_immutable(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return bool((_flags(descriptor) or 0) & _IMMUTABLE)
    finally:
        os.close(descriptor)


def _flags(descriptor: int) -> int | None:
    """The file system's flags; None where it has none."""
    try:
        return int.from_bytes(fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8))[:4], "little")
    except OSError as error:
        if error.errno in _NO_FLAGS:
            return None
        raise


@contextlib.contextmanager
def _disk_gives(path: Path) -> Iterator[None]:
    """A file that cannot be looked at (a bad sector, a folder's rights) is one copy's damage and ends nothing else."""
    try:
        yield
    except OSError as error:
        raise UnreadableBlobError(
            f"{path} cannot be read: {error.strerror}; see to the disk and to its rights"
        ) from error


def _pieces(path: Path, start: int, stop: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(start)
            while start < stop and (piece := file.read(min(PIECE, stop - start))):
                start += len(piece)
                yield piece
    except OSError as error:
        raise UnreadableBlobError(
            f"{path} cannot be read at byte {start}: {error.strerror}; see to the disk"
        ) from error
    if start < stop:
        text = f"{path.name} ends at byte {start}, before {stop}: the stored file is shorter than it was"
        raise UnreadableBlobError(text)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time: another's whole copy is never taken for the damaged one."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
