"""Of several versions in a bucket one is pinned in the database: that one is locked as cases ask, and made anew."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import TYPE_CHECKING

import pytest

from archive import wiring
from archive.models import Alarm, Blob
from archive.services import access, keeping, manifests, protecting
from archive.storage.store import WHOLE, Keeping, place_of
from evidence.digest import Digest
from tests.archive.conftest import home
from tests.archive.services.conftest import ann, hand_in

if TYPE_CHECKING:
    from pathlib import Path

    from archive.storage.s3 import S3Store

__all__ = ["ann", "hand_in", "home"]
pytestmark = [pytest.mark.xdist_group("ceph"), pytest.mark.enable_socket, pytest.mark.django_db]
DIGEST = Digest.of(b"abc")


@pytest.fixture
def bucket(ceph, settings, monkeypatch, home: Path) -> S3Store:
    for name, value in ceph.environment.items():
        monkeypatch.setenv(name, value)
    settings.CUSTOS_STORE = f"s3://custos-tests/pinned-{secrets.token_hex(4)}"
    wiring.store.cache_clear()
    store = wiring.store()
    store.prepare()
    return store


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"abc")
    return path


def test_the_pinned_one_of_two_versions_gets_the_lock_and_the_hold(bucket, source, hand_in, ann) -> None:
    until = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=1)
    pinned, other = (bucket._upload(source, DIGEST, Keeping(until=until)) for _ in range(2))
    assert pinned != other
    Blob.objects.create(digest=str(DIGEST), size=3, locator=pinned)
    case = access.ensure_case(principal=ann, reference="case-a")
    day = dt.date(2060, 1, 1)
    keeping.change_keeping(principal=ann, case=case, copies=1, retain_until=day, hold=True)
    protecting.apply_keeping(str(case.pk))
    row = hand_in(b"abc")
    case.refresh_from_db()
    assert (row.blob.place, case.kept) == (pinned, False)
    protecting.apply_keeping(str(case.pk))
    case.refresh_from_db()
    now = bucket.stat(pinned)
    assert (case.kept, now.hold, now.until.date()) == (True, True, day)
    keeping.change_keeping(principal=ann, case=case, copies=1, retain_until=day, hold=False)
    protecting.apply_keeping(str(case.pk))


def test_a_good_copy_that_comes_again_is_pinned_in_the_place_of_a_bad_one(bucket, hand_in) -> None:
    key = f"{bucket.name.removeprefix('s3://custos-tests/')}/{place_of(DIGEST)}"
    answer = bucket._client.put_object(Bucket="custos-tests", Key=key, Body=b"abd")
    bad = f"{place_of(DIGEST)}?versionId={answer['VersionId']}"
    Blob.objects.create(digest=str(DIGEST), size=3, locator=bad)
    row = hand_in(b"abc")
    assert row.blob.place != bad
    assert [copy.state for copy in bucket.examine(row.blob.place, lambda _: None)] == [WHOLE]
    assert not Alarm.objects.filter(ended=None).exists()


def test_a_manifest_that_was_deleted_is_written_again_and_its_alarm_ends(bucket, hand_in) -> None:
    row = hand_in(b"abc")
    name = manifests.manifest_name(row)
    key = f"{bucket.name.removeprefix('s3://custos-tests/')}/{name}"
    bucket._client.delete_object(Bucket="custos-tests", Key=key)
    assert [said.endswith("it is written again") for said in manifests.check_manifests(row.blob)] == [True]
    assert bucket.described(name) == [manifests.manifest_text(row)]
    assert manifests.check_manifests(row.blob) == []
    assert not Alarm.objects.filter(ended=None).exists()
