"""One suite for every store: files, S3 with Object Lock on a real server, and both replicated."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from archive.storage.store import MISSING, WHOLE, Keeping, MissingBlobError, StoreError
from evidence.digest import Digest
from tests.contracts.conftest import put, read, soon

if TYPE_CHECKING:
    from pathlib import Path

    from archive.storage.store import BlobStore

pytestmark = [pytest.mark.xdist_group("ceph"), pytest.mark.enable_socket]
KINDS = ("file", "s3", "file+s3", "file+file")


@pytest.mark.parametrize("store", KINDS, indirect=True)
@pytest.mark.parametrize("data", [b"", b"abc", os.urandom(100) * 25_000], ids=["nothing", "little", "more than a part"])
def test_what_is_put_is_there_and_stays(store: BlobStore, tmp_path: Path, data: bytes) -> None:
    locator = put(store, tmp_path, data)
    assert read(store, locator) == data
    assert put(store, tmp_path, data) == locator
    spans = [(0, 0), (0, min(2, len(data))), (min(1, len(data)), min(3, len(data)))]
    assert [b"".join(store.open_range(locator, *span)) for span in spans] == [data[a:b] for a, b in spans]
    with store.local_path(locator) as path:
        assert path.read_bytes() == data
    assert {copy.state for copy in store.examine(locator, lambda _: None)} == {WHOLE}
    assert store.mend(locator, Keeping(until=soon())) == locator
    assert any(locator.startswith(found) or found in locator for found in store.listing())
    store.probe()


@pytest.mark.parametrize("store", KINDS, indirect=True)
def test_a_segment_of_every_copy_is_hashed_up_to_its_end(store: BlobStore, tmp_path: Path) -> None:
    locator, read = put(store, tmp_path, b"abcdefgh"), []
    copies = len(locator.split(" "))
    assert store.segment(locator, 2, 5, read.append) == [Digest.of(b"cde")] * copies
    assert store.segment(locator, 5, None, read.append) == [Digest.of(b"fgh")] * copies
    assert sum(read) == 6 * copies
    with pytest.raises(MissingBlobError):
        store.segment(locator.replace(Digest.of(b"abcdefgh").hex, Digest.of(b"other").hex), 0, None, read.append)


@pytest.mark.parametrize("store", KINDS, indirect=True)
def test_what_was_never_put_is_said_to_be_missing(store: BlobStore, tmp_path: Path) -> None:
    real = put(store, tmp_path, b"abc")
    absent = real.replace(Digest.of(b"abc").hex, Digest.of(b"other").hex)
    with pytest.raises(StoreError):
        read(store, absent)
    assert {copy.state for copy in store.examine(absent, lambda _: None)} == {MISSING}
    with pytest.raises(StoreError):
        store.mend(absent, Keeping())


@pytest.mark.parametrize("store", KINDS, indirect=True)
def test_the_store_holds_what_it_promises(store: BlobStore) -> None:
    found = store.challenge()
    assert found
    assert [item for item in found if item.binding and not item.held] == []


@pytest.mark.parametrize("store", KINDS, indirect=True)
def test_more_copies_than_stores_are_refused(store: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="CUSTOS_STORE"):
        put(store, tmp_path, b"abc", Keeping(copies=5))
    with pytest.raises(StoreError, match="5 copies"):
        store.protect(put(store, tmp_path, b"abc"), Keeping(copies=5))


@pytest.mark.parametrize("store", KINDS, indirect=True)
def test_a_description_is_written_once(store: BlobStore) -> None:
    store.describe("submissions/a.txt", b"first")
    store.describe("submissions/a.txt", b"second")
