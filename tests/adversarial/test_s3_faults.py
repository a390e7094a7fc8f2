"""S3 that is slow, refuses, is gone, or breaks off: said in words, nothing acknowledged is lost, and it goes on by itself."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from archive import wiring
from archive.models import Blob, CustodyEvent, Submission
from archive.services import fixity, health, intake, sealing, worm_check
from archive.storage.replicated import ReplicatedStore
from archive.storage.s3 import S3Store
from archive.storage.store import UNREACHABLE, WHOLE, Keeping, StoreError
from archive.storage.worm import FileStore
from evidence.digest import Digest
from tests.adversarial.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ceph import Ceph

pytestmark = [pytest.mark.xdist_group("ceph"), pytest.mark.enable_socket, pytest.mark.django_db]
SIZE = 300_000


@pytest.fixture
def proxy(ceph: Ceph, monkeypatch) -> Iterator[Proxy]:
    with Proxy(ceph.port) as made:
        for name, value in ceph.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", made.url)
        yield made


@pytest.fixture
def s3(home: Path, proxy: Proxy, settings) -> S3Store:
    """The installation's store, behind the proxy."""
    settings.CUSTOS_STORE = f"s3://custos-faults/{secrets.token_hex(4)}"
    wiring.store.cache_clear()
    store = wiring.store()
    wiring.prepare(store)
    assert isinstance(store, S3Store)
    return store


def versions(store: S3Store, row: Submission) -> int:
    assert row.blob is not None
    return sum(found.startswith(row.blob.place.partition("?")[0]) for found in store.listing())


def content(row: Submission) -> bytes:
    assert row.blob is not None
    return b"".join(wiring.store().open_range(row.blob.place, 0, row.blob.size))


def ingested() -> int:
    return CustodyEvent.objects.filter(type="ingestion").count()


@pytest.mark.parametrize("manner", [500, 503, "gone"])
def test_an_outage_is_said_and_over_by_itself(s3: S3Store, proxy: Proxy, hand_in, manner) -> None:
    data = secrets.token_bytes(SIZE)
    row = hand_in(data, work=False)
    proxy.behave(manner)
    with pytest.raises(StoreError, match="cannot keep"):
        sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert (row.state, row.problem.startswith("not sealed yet, and tried again by itself: s3://")) == ("received", True)
    assert intake.staged_file(row.pk).read_bytes() == data
    assert health.readiness()["store"].startswith("s3://custos-faults/")
    assert (Blob.objects.count(), ingested()) == (0, 0)
    proxy.behave("well")
    assert health.readiness()["store"] == "ok"
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert (row.state, row.problem, ingested(), versions(s3, row)) == ("sealed", "", 1, 1)
    assert content(row) == data


def test_a_passing_refusal_and_a_slow_store_are_waited_for(s3: S3Store, proxy: Proxy, hand_in) -> None:
    proxy.behave(503, at_most=2)
    row = hand_in(secrets.token_bytes(SIZE))
    assert (row.state, proxy.manner, versions(s3, row)) == ("sealed", "well", 1)
    proxy.behave("slow")
    data = secrets.token_bytes(SIZE)
    slow = hand_in(data)
    assert (slow.state, versions(s3, slow)) == ("sealed", 1)
    assert content(slow) == data
    assert proxy.faults >= SIZE // 4096


def test_half_an_answer_is_never_taken_for_the_whole(s3: S3Store, proxy: Proxy, hand_in) -> None:
    data = secrets.token_bytes(SIZE)
    row = hand_in(data, work=False)
    proxy.behave("half", half=SIZE // 2)
    with pytest.raises(StoreError, match=r"cannot|gave back"):
        sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert (row.state, ingested()) == ("received", 0)
    proxy.behave("well")
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert (row.state, versions(s3, row), content(row)) == ("sealed", 1, data)
    proxy.behave("half", half=SIZE // 2)
    with pytest.raises(StoreError):
        content(row)
    (copy,) = s3.examine(row.blob.place, lambda _: None)
    assert copy.state == UNREACHABLE


def test_a_copy_that_was_missed_is_made_soon_after_the_store_is_back(
    proxy: Proxy, home: Path, hand_in, settings
) -> None:
    bucket = f"s3://custos-faults/{secrets.token_hex(4)}"
    settings.CUSTOS_STORE = f"file:{home / 'store'} {bucket}"
    wiring.store.cache_clear()
    worm_check.try_stores()
    proxy.behave("gone")
    data = secrets.token_bytes(SIZE)
    row = hand_in(data)
    assert (row.state, len(row.blob.place.split(" "))) == ("sealed", 1)
    assert (fixity.check_due(), worm_check.stores_away().get().subject) == (0, bucket)
    proxy.behave("well")
    worm_check.look_for_those_away()
    assert not worm_check.stores_away().exists()
    assert fixity.check_due() == 1
    (_, away) = wiring.stores()
    assert b"".join(away.open_range(row.blob.place.split(" ")[1][2:], 0, SIZE)) == data


def test_where_one_copy_breaks_off_the_other_goes_on(s3: S3Store, proxy: Proxy, tmp_path: Path) -> None:
    both = ReplicatedStore([s3, FileStore(tmp_path / "files", linking=False)])
    data = secrets.token_bytes(SIZE)
    source = tmp_path / "source"
    source.write_bytes(data)
    locator = both.put(source, Digest.of(data), Keeping(copies=2))
    proxy.behave("half", half=SIZE // 2)
    assert b"".join(both.open_range(locator, 0, SIZE)) == data
    assert [copy.state for copy in both.examine(locator, lambda _: None)] == [UNREACHABLE, WHOLE]
