"""One suite for every store: files, S3 with Object Lock on a real server, and both replicated."""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import subprocess
from typing import TYPE_CHECKING

import pytest

from archive.storage import worm
from archive.storage.replicated import ReplicatedStore
from archive.storage.s3 import S3Store
from archive.storage.store import DAMAGED, MISSING, UNREACHABLE, WHOLE, Keeping, MissingBlobError, StoreError
from archive.storage.worm import FileStore
from evidence.digest import Digest
from tests.answering import answering

if TYPE_CHECKING:
    from pathlib import Path

    from archive.storage.store import BlobStore

pytestmark = [pytest.mark.xdist_group("ceph"), pytest.mark.enable_socket]
KINDS = ("file", "s3", "file+s3", "file+file")


@pytest.fixture
def s3(ceph, tmp_path: Path, monkeypatch) -> S3Store:
    for name, value in ceph.environment.items():
        monkeypatch.setenv(name, value)
    store = S3Store("custos-tests", f"run-{secrets.token_hex(4)}", tmp_path)
    store.prepare()
    return store


@pytest.fixture
def store(request, tmp_path: Path) -> BlobStore:
    parts = []
    for number, kind in enumerate(request.param.split("+")):
        parts.append(
            request.getfixturevalue("s3")
            if kind == "s3"
            else FileStore(tmp_path / f"store-{number}", linking="+" not in request.param)
        )
    return parts[0] if len(parts) == 1 else ReplicatedStore(parts)


def soon(days: int = 1) -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=days)


def put(store: BlobStore, folder: Path, data: bytes, keeping: Keeping | None = None) -> str:
    source = folder / secrets.token_hex(4)
    source.write_bytes(data)
    locator = store.put(source, Digest.of(data), keeping or Keeping(until=soon()))
    source.unlink()
    return locator


def read(store: BlobStore, locator: str) -> bytes:
    return b"".join(store.open_range(locator, 0, store.stat(locator).size))


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


def test_a_description_that_was_deleted_is_written_again(s3: S3Store) -> None:
    at = {"Bucket": "custos-tests", "Key": f"{s3.name.removeprefix('s3://custos-tests/')}/submissions/a.txt"}
    s3.describe("submissions/a.txt", b"text")
    s3._client.delete_object(**at)
    assert s3.described("submissions/a.txt") == [None]
    s3.describe("submissions/a.txt", b"text")
    assert s3.described("submissions/a.txt") == [b"text"]
    s3._client.put_object(**at, Body=b"other")
    s3.describe("submissions/a.txt", b"text")
    assert s3.described("submissions/a.txt") == [b"other"]


def broken_off(s3: S3Store, place: str) -> tuple[str, dt.datetime, dt.datetime]:
    """An upload that ended in the middle: its id, when it began, and when its last part came, which is later."""
    at = {"Bucket": "custos-tests", "Key": place}
    upload = s3._client.create_multipart_upload(**at)["UploadId"]
    (begun,) = (item["Initiated"] for item in going_on(s3, place) if item["UploadId"] == upload)
    last = begun
    while last <= begun:
        s3._client.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"part")
        (part,) = s3._client.list_parts(**at, UploadId=upload)["Parts"]
        last = part["LastModified"]
    return upload, begun, last


def going_on(s3: S3Store, place: str) -> list:
    return s3._client.list_multipart_uploads(Bucket="custos-tests", Prefix=place).get("Uploads", [])


def test_uploads_that_broke_off_are_ended_once_no_part_has_come_for_long(s3: S3Store) -> None:
    prefix = s3.name.removeprefix("s3://custos-tests/")
    own, other = (f"{start}/sha256/ab/cd/x" for start in (prefix, secrets.token_hex(4)))
    _, begun, last = broken_off(s3, own)
    broken_off(s3, other)
    assert s3.end_broken_off_uploads(begun) == 0
    tidied = [item for item in s3.challenge() if "broke off" in item.attempt]
    assert [(item.held, item.binding, item.said) for item in tidied] == [(True, False, "0 were ended")]
    assert len(going_on(s3, own)) == 1
    assert s3.end_broken_off_uploads(last) == 1
    assert (len(going_on(s3, own)), len(going_on(s3, other))) == (0, 1)


def test_a_user_who_may_not_look_for_broken_uploads_may_keep_evidence(s3: S3Store, tmp_path: Path) -> None:
    store = S3Store(f"strict-{secrets.token_hex(4)}", "", tmp_path)
    store.prepare()
    denied = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:ListBucketMultipartUploads",
        "Resource": f"arn:aws:s3:::{store.name.removeprefix('s3://')}",
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    s3._client.put_bucket_policy(Bucket=store.name.removeprefix("s3://"), Policy=policy)
    found = store.challenge()
    assert [item for item in found if item.binding and not item.held] == []
    assert (found[-1].held, found[-1].said) == (
        False, "AccessDenied; let this user list and abort multipart uploads",
    )  # fmt: skip


def test_a_lock_is_extended_and_never_shortened(s3: S3Store, tmp_path: Path) -> None:
    sooner, first, later = soon(1), soon(2), soon(3)
    locator = put(s3, tmp_path, b"abc", Keeping(until=first))
    assert s3.stat(locator).until == first
    s3.protect(locator, Keeping(until=sooner, hold=True))
    assert (s3.stat(locator).until, s3.stat(locator).hold) == (first, True)
    s3.protect(locator, Keeping(until=later))
    assert (s3.stat(locator).until, s3.stat(locator).hold) == (later, False)


def test_bytes_that_come_again_lift_no_hold(s3: S3Store, tmp_path: Path) -> None:
    later = soon(2)
    locator = put(s3, tmp_path, b"abc", Keeping(until=later, hold=True))
    assert put(s3, tmp_path, b"abc", Keeping(until=soon(1))) == locator
    assert (s3.stat(locator).hold, s3.stat(locator).until) == (True, later)


def test_a_newer_version_and_a_delete_marker_change_nothing(s3: S3Store, tmp_path: Path) -> None:
    locator = put(s3, tmp_path, b"abc")
    key = f"{s3.name.removeprefix('s3://custos-tests/')}/{locator.partition('?')[0]}"
    s3._client.put_object(Bucket="custos-tests", Key=key, Body=b"shadow")
    assert read(s3, locator) == b"abc"
    s3._client.delete_object(Bucket="custos-tests", Key=key)
    assert read(s3, locator) == b"abc"
    assert put(s3, tmp_path, b"abc") == locator


@pytest.mark.parametrize("versions", [False, True])
def test_a_bucket_without_object_lock_is_found_out_and_refused(s3: S3Store, tmp_path: Path, versions: bool) -> None:
    bucket = f"plain-{secrets.token_hex(4)}"
    s3._client.create_bucket(Bucket=bucket)
    if versions:
        s3._client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    plain = S3Store(bucket, "", tmp_path)
    (found,) = plain.challenge()
    assert (found.binding, found.held) == (True, False)
    assert "make the bucket anew with Object Lock" in found.said
    with pytest.raises(StoreError, match="cannot keep"):
        put(plain, tmp_path, b"abc")


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


def test_an_older_locator_is_of_the_first_store(tmp_path: Path) -> None:
    first = FileStore(tmp_path / "a")
    locator = put(first, tmp_path, b"abc")
    store = ReplicatedStore([first, FileStore(tmp_path / "b")])
    assert read(store, locator) == b"abc"
    assert [copy.state for copy in store.examine(locator, lambda _: None)] == [WHOLE, MISSING]
    assert read(store, store.mend(locator, Keeping())) == b"abc"


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


def test_a_store_out_of_reach_is_not_called_damaged(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    away = S3Store("bucket", "", tmp_path, endpoint="http://127.0.0.1:9")
    (copy,) = away.examine(f"sha256/ab/cd/{'ab' * 32}?versionId=x", lambda _: None)
    assert copy.state == UNREACHABLE


@pytest.mark.parametrize("span", [(1, 3), (0, 6)])
def test_a_server_that_does_not_heed_which_bytes_are_asked_for_gives_none(tmp_path: Path, monkeypatch, span) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with answering(200, "application/octet-stream", b"abcdef") as url:
        store = S3Store("bucket", "", tmp_path, endpoint=url)
        with pytest.raises(StoreError, match="and gave others"):
            list(store.open_range(f"sha256/ab/cd/{'ab' * 32}?versionId=x", *span))


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
