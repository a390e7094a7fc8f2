"""A folder as a store: copies put aside, damaged bytes in the way, and files that nobody can change."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from archive.storage.store import Keeping
from archive.storage.worm import FileStore
from tests.contracts.conftest import put, read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("store", ["file"], indirect=True)
def test_a_copy_that_another_process_made_whole_is_not_put_aside(store: FileStore, tmp_path: Path) -> None:
    locator, source = put(store, tmp_path, b"abc"), tmp_path / "source"
    path = tmp_path / "store-0" / locator
    path.chmod(0o644)
    path.write_bytes(b"abd")
    source.write_bytes(b"abc")
    for _ in range(2):
        assert store.replace(source, locator, Keeping()) == locator
    assert read(store, locator) == b"abc"
    assert [kept.read_bytes() for kept in (tmp_path / "store-0" / "damaged").iterdir()] == [b"abd"]


@pytest.mark.parametrize("store", ["file"], indirect=True)
def test_damaged_bytes_in_its_place_are_not_taken_for_what_is_put(store: FileStore, tmp_path: Path) -> None:
    path = tmp_path / "store-0" / put(store, tmp_path, b"abc")
    path.chmod(0o644)
    path.write_bytes(b"abd")
    assert read(store, put(store, tmp_path, b"abc")) == b"abc"


def test_an_immutable_file_says_what_the_file_system_says(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store", immutable=True)
    locator = put(store, tmp_path, b"abc")
    path = tmp_path / "store" / locator
    flagged = (
        "i" in subprocess.run(["lsattr", str(path)], capture_output=True, text=True, check=False).stdout.split(" ")[0]
    )
    try:
        assert (store.stat(locator).lock == "immutable flag") == flagged
        if flagged:
            with pytest.raises(PermissionError):
                path.unlink()
    finally:
        subprocess.run(["chattr", "-i", str(path)], capture_output=True, check=False)
