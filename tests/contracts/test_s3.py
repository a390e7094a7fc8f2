"""A bucket as a store, on a real server: versions, locks, uploads that broke off, and servers that do not keep to it."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import pytest

from archive.storage.s3 import S3Store
from archive.storage.store import UNREACHABLE, Keeping, StoreError
from tests.answering import answering
from tests.contracts.conftest import put, read, soon

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

pytestmark = [pytest.mark.xdist_group("ceph"), pytest.mark.enable_socket]


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
