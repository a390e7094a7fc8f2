"""Several stores behind one another: damage is read around and mended, and one that is away stops no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archive.storage import worm
from archive.storage.replicated import ReplicatedStore
from archive.storage.s3 import S3Store
from archive.storage.store import DAMAGED, MISSING, WHOLE, Keeping, MissingBlobError, StoreError
from archive.storage.worm import FileStore
from evidence.digest import Digest
from tests.answering import answering
from tests.contracts.conftest import put, read, soon

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.xdist_group("ceph"), pytest.mark.enable_socket]


def test_a_segment_is_of_every_store_or_of_none(tmp_path: Path) -> None:
    first = FileStore(tmp_path / "a")
    locator = put(first, tmp_path, b"abc")
    with pytest.raises(MissingBlobError, match="1 copies, there are 2 stores"):
        ReplicatedStore([first, FileStore(tmp_path / "b")]).segment(locator, 0, None, lambda _: None)


def test_bytes_that_the_disk_does_not_give_are_damaged_and_mended_elsewhere(tmp_path: Path) -> None:
    """A file of the kernel's that can be opened and not read stands for a bad sector."""
    both = ReplicatedStore([FileStore(tmp_path / name, linking=False) for name in "ab"])
    locator = put(both, tmp_path, b"abc")
    path = tmp_path / "a" / locator.split(" ")[0][2:]
    path.unlink()
    path.symlink_to("/sys/class/net/lo/speed")
    with pytest.raises(StoreError, match="cannot be read at byte 0"):
        list(both.stores[0].open_range(locator.split(" ")[0][2:], 0, 3))
    assert b"".join(both.open_range(locator, 0, 3)) == b"abc"
    assert [copy.state for copy in both.examine(locator, lambda _: None)] == [DAMAGED, WHOLE]
    assert both.mend(locator, Keeping()) == locator
    assert [copy.state for copy in both.examine(locator, lambda _: None)] == [WHOLE, WHOLE]


def test_a_store_that_is_away_is_said_and_comes_back(ceph, s3: S3Store, tmp_path: Path) -> None:
    locator = put(s3, tmp_path, b"abc")
    both = ReplicatedStore([FileStore(tmp_path / "files"), s3])
    ceph.stop_gateway()
    try:
        with pytest.raises(StoreError, match="see whether the store is up"):
            s3.stat(locator)
        alone = put(both, tmp_path, b"def")
        assert alone.startswith("1:") and " " not in alone
        with pytest.raises(StoreError, match="1 of 2 copies"):
            put(both, tmp_path, b"ghi", Keeping(copies=2, until=soon()))
    finally:
        ceph.start_gateway()
    assert [copy.state for copy in both.examine(alone, lambda _: None)] == [WHOLE, MISSING]
    mended = both.mend(alone, Keeping(copies=2, until=soon()))
    assert [copy.state for copy in both.examine(mended, lambda _: None)] == [WHOLE, WHOLE]
    assert read(both, mended) == b"def"


@pytest.mark.parametrize("store", ["file+s3", "file+file"], indirect=True)
@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "swap"])
def test_damage_is_found_read_around_and_mended(store: ReplicatedStore, tmp_path: Path, damage: str) -> None:
    locator, other = put(store, tmp_path, b"abc" * 1000), put(store, tmp_path, b"xyz" * 1000)
    path, another = (tmp_path / "store-0" / where.split(" ")[0][2:] for where in (locator, other))
    if damage == "delete":
        path.unlink()
    else:
        path.chmod(0o644)
        path.write_bytes({"flip": b"abb" + b"abc" * 999, "truncate": b"abc" * 10, "swap": another.read_bytes()}[damage])
    states = [copy.state for copy in store.examine(locator, lambda _: None)]
    assert states == [MISSING if damage == "delete" else DAMAGED, WHOLE]
    if damage in ("delete", "truncate"):
        assert b"".join(store.open_range(locator, 0, 3000)) == b"abc" * 1000
    mended = store.mend(locator, Keeping(copies=2, until=soon()))
    assert [copy.state for copy in store.examine(mended, lambda _: None)] == [WHOLE, WHOLE]
    kept = list((tmp_path / "store-0" / "damaged").glob("*")) if damage != "delete" else ["nothing to keep"]
    assert len(kept) == 1


def test_to_lock_what_lacks_a_copy_says_that_one_is_wanting(s3: S3Store, tmp_path: Path) -> None:
    store = ReplicatedStore([FileStore(tmp_path / "a"), s3])
    here, there = put(store, tmp_path, b"abc").split(" ")
    lacking = f"{here} {there.replace(Digest.of(b'abc').hex, Digest.of(b'other').hex)}"
    with pytest.raises(MissingBlobError, match="not there"):
        store.protect(lacking, Keeping(copies=2, until=soon()))


def test_with_no_whole_copy_nothing_is_mended(tmp_path: Path) -> None:
    store = ReplicatedStore([FileStore(tmp_path / "a"), FileStore(tmp_path / "b")])
    locator = put(store, tmp_path, b"abc")
    for folder in "ab":
        path = tmp_path / folder / locator.split(" ")[0][2:]
        path.chmod(0o644)
        path.write_bytes(b"abd")
    with pytest.raises(StoreError, match="no copy"):
        store.mend(locator, Keeping())
    assert {copy.state for copy in store.examine(locator, lambda _: None)} == {DAMAGED}


def test_that_no_store_gives_any_byte_is_said_before_the_first_piece(tmp_path: Path) -> None:
    store = ReplicatedStore([FileStore(tmp_path / "one"), FileStore(tmp_path / "two")])
    locator = put(store, tmp_path, b"abc", Keeping(copies=2))
    for place in ("one", "two"):
        for path in (tmp_path / place / "sha256").rglob("*"):
            if path.is_file():
                path.unlink()
    with pytest.raises(StoreError, match="no store gives the bytes"):
        store.open_range(locator, 0, 3)


def test_copies_that_were_made_count_though_another_store_fails(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"no folder")
    first, second, broken = (FileStore(tmp_path / name, linking=False) for name in "abc")
    locator = put(first, tmp_path, b"abc")
    mended = ReplicatedStore([first, second, broken]).mend(locator, Keeping())
    assert mended == f"1:{locator} 2:{locator}"
    assert read(second, locator) == b"abc"
    with pytest.raises(StoreError, match="no copy of sha256:"):
        ReplicatedStore([first, second, broken]).mend(mended, Keeping())


def test_every_store_is_told_to_lock_though_another_fails(tmp_path: Path, monkeypatch) -> None:
    first, second = FileStore(tmp_path / "a", immutable=True), FileStore(tmp_path / "b", linking=False)
    store, told = ReplicatedStore([first, second]), []
    locator = put(store, tmp_path, b"abc")
    worm._set_immutable(tmp_path / "a" / locator.split(" ")[0][2:], on=False)
    (tmp_path / "a" / locator.split(" ")[0][2:]).unlink()
    monkeypatch.setattr(second, "protect", lambda place, _: told.append(place))
    with pytest.raises(StoreError, match="the store has no"):
        store.protect(locator, Keeping(copies=2))
    assert told == [locator.split(" ")[1][2:]]


def test_an_older_locator_is_of_the_first_store(tmp_path: Path) -> None:
    first = FileStore(tmp_path / "a")
    locator = put(first, tmp_path, b"abc")
    store = ReplicatedStore([first, FileStore(tmp_path / "b")])
    assert read(store, locator) == b"abc"
    assert [copy.state for copy in store.examine(locator, lambda _: None)] == [WHOLE, MISSING]
    assert read(store, store.mend(locator, Keeping())) == b"abc"


def test_a_store_that_is_away_stops_nothing_that_another_carries(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    files, away = FileStore(tmp_path / "files"), S3Store("bucket", "", tmp_path, endpoint="http://127.0.0.1:9")
    both, none = ReplicatedStore([away, files]), ReplicatedStore([away, away])
    assert {item.store for item in both.challenge()} == {files.name}
    both.describe("submissions/a.txt", b"text")
    assert files.described("submissions/a.txt") == [b"text"]
    both.probe()
    for act in (away.prepare, none.challenge, none.probe, lambda: none.describe("submissions/a.txt", b"text")):
        with pytest.raises(StoreError, match="see whether the store is up"):
            act()


def test_a_store_that_does_not_answer_is_given_nothing_and_says_nothing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    asked: list[str] = []
    with answering(503, "text/plain", b"", asked) as url:  # and 501 to HEAD
        files, away = FileStore(tmp_path / "files"), S3Store("bucket", "", tmp_path, endpoint=url)
        both = ReplicatedStore([away, files])
        locator = put(both, tmp_path, b"abc")
        assert (locator.startswith("2:"), asked) == (True, [])
        pinned = f"1:{locator[2:]}?versionId=x {locator}"
        said = both.stat(pinned)
        assert (said.size, said.lock.startswith(f"{away.name} does not say; ")) == (3, True)
        with pytest.raises(StoreError, match="501"):
            both.stat(pinned.partition(" ")[0])
        with pytest.raises(StoreError, match="1 of 2 copies were made"):
            put(both, tmp_path, b"def", Keeping(copies=2, until=soon()))
        with pytest.raises(StoreError) as caught:
            both.protect(pinned, Keeping(hold=True))
        assert not isinstance(caught.value, MissingBlobError)  # there is nothing to be made anew
