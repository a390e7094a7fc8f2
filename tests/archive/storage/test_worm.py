"""The file store: written once, read-only, the same bytes for ever."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import TYPE_CHECKING

import pytest

from archive.storage.store import DAMAGED, WHOLE, Keeping, StoreError, UnreadableBlobError
from archive.storage.worm import FileStore
from evidence.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOBODY = 65534


def put(store: FileStore, folder: Path, data: bytes) -> str:
    source = folder / "staged"
    source.write_bytes(data)
    locator = store.put(source, Digest.of(data), Keeping())
    source.unlink()
    return locator


def test_bytes_lie_under_their_digest_read_only(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    locator = put(store, tmp_path, b"abc")
    path = tmp_path / "store" / locator
    assert path.name == Digest.of(b"abc").hex
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"abc", 0o444)
    assert [item for item in path.parent.iterdir() if item != path] == []


def test_what_is_there_is_never_replaced(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    path = tmp_path / "store" / put(store, tmp_path, b"abc")
    before = path.stat().st_ino
    assert tmp_path / "store" / put(store, tmp_path, b"abc") == path
    assert path.stat().st_ino == before


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 5), (2, 4), (5, 5)])
def test_ranges_are_read(tmp_path: Path, start: int, stop: int) -> None:
    store = FileStore(tmp_path / "store")
    assert b"".join(store.open_range(put(store, tmp_path, b"abcde"), start, stop)) == b"abcde"[start:stop]


def test_a_missing_or_shortened_file_is_said_and_not_served(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    locator = put(store, tmp_path, b"abcde")
    path = tmp_path / "store" / locator
    path.chmod(0o644)
    path.write_bytes(b"abc")
    with pytest.raises(StoreError, match="shorter than it was"):
        list(store.open_range(locator, 0, 5))
    path.unlink()
    with pytest.raises(StoreError, match="the store has no"):
        store.open_range(locator, 0, 5)


def test_a_file_that_its_rights_keep_from_us_is_said_to_be_damaged(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    locator = put(store, tmp_path, b"abcde")
    (tmp_path / "again").write_bytes(b"abcde")
    folder = tmp_path / "store" / "sha256"
    folder.chmod(0)
    try:
        with without_rights():
            for act in (store.stat, lambda place: store.open_range(place, 0, 5)):
                with pytest.raises(UnreadableBlobError, match="Permission denied; see to the disk and to its rights"):
                    act(locator)
            assert [copy.state for copy in store.examine(locator, lambda _: None)] == [DAMAGED]
            with pytest.raises(StoreError, match="Permission denied"):
                store.put(tmp_path / "again", Digest.of(b"abcde"), Keeping())
    finally:
        folder.chmod(0o755)
    assert [copy.state for copy in store.examine(locator, lambda _: None)] == [WHOLE]


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """As somebody whom a file's mode keeps out, which root is not."""
    user = os.geteuid()
    os.seteuid(user or _NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        FileStore(tmp_path / "file" / "below").probe()
    FileStore(tmp_path / "store").probe()


def test_what_a_killed_copy_left_goes_when_the_store_is_tried_and_no_blob_does(tmp_path: Path, monkeypatch) -> None:
    store = FileStore(tmp_path / "store")
    source = tmp_path / "source"
    source.write_bytes(b"abc")
    locator = store.put(source, Digest.of(b"abc"), Keeping())
    left = (tmp_path / "store" / locator).with_name(".0123456789abcdef")
    left.write_bytes(b"ab")
    store.challenge()
    assert left.exists()
    monkeypatch.setattr("archive.storage.worm._UNFINISHED_FOR", -1.0)
    store.challenge()
    assert not left.exists()
    assert b"".join(store.open_range(locator, 0, 3)) == b"abc"


def test_a_disk_that_takes_no_file_to_be_tried_is_said_and_nothing_stays(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))  # enough to see that it can be written, and no more
    try:
        with pytest.raises(StoreError, match="cannot be tried: File too large"):
            store.challenge()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "store").iterdir()) == []
