"""Of several copies the one that is whole is read; what is damaged is told and mended, and nothing comes of it."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING

import pytest

from archive import wiring
from archive.models import Blob, CustodyEvent, Fixity, Run
from archive.services import alarms, execution, fixity, sealing
from archive.services.whole import local_whole_copy, read_whole
from archive.storage.store import PIECE, StoreError, WrongBytesError
from tests.archive.services.conftest import LINE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db


@pytest.fixture
def sealed(settings, tmp_path, hand_in):
    """A log in two stores, recognised and not read yet."""
    settings.CUSTOS_STORE = f"file:{tmp_path / 'one'} file:{tmp_path / 'two'}"
    wiring.store.cache_clear()
    row = hand_in(LINE, work=False)
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    return row


@pytest.fixture
def damage(sealed, tmp_path):
    def flip(*stores: str) -> None:
        for store in stores:
            path = tmp_path / store / sealed.blob.place.split(" ")[0][2:]
            path.chmod(0o644)
            path.write_bytes(LINE.replace(b"192.0.2.17", b"192.0.2.18"))

    return flip


@pytest.mark.parametrize("store", ["one", "two"])
def test_a_run_reads_the_copy_that_is_whole(sealed, damage, store: str) -> None:
    damage(store)
    run = Run.objects.get()
    execution.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.problem) == ("succeeded", "")


def test_the_damaged_copy_that_was_met_is_mended_and_told(sealed, damage) -> None:
    damage("one")
    execution.execute_run(Run.objects.get().pk)
    assert [copy.state for copy in wiring.store().examine(sealed.blob.place, lambda _: None)] == ["whole", "whole"]
    assert '"mended":true' in CustodyEvent.objects.get(type="fixity check").text


def test_a_copy_that_is_gone_is_read_around(sealed, tmp_path) -> None:
    (tmp_path / "one" / sealed.blob.place.split(" ")[0][2:]).unlink()
    with local_whole_copy(sealed.blob) as path:
        assert path.read_bytes() == LINE


def test_with_no_whole_copy_it_says_so_of_each(sealed, damage) -> None:
    damage("one", "two")
    with pytest.raises(StoreError) as caught, local_whole_copy(sealed.blob):
        pass
    assert str(caught.value).count("run manage.py fixity") == 2


@pytest.fixture
def large(file_store: Path, hand_in) -> Blob:
    """A blob of two pieces and some bytes, in one store."""
    return hand_in(random.Random(5).randbytes(2 * PIECE + 9), work=True).blob


def flip(file_store: Path, blob: Blob, at: int) -> bytes:
    """Change one byte of what is stored; all of it as it was."""
    path = file_store / blob.place
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    return data


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 3 * PIECE])
def test_what_is_whole_is_given_whole(file_store, hand_in, size: int) -> None:
    data = random.Random(5).randbytes(size)
    blob = hand_in(data, work=True).blob
    assert b"".join(read_whole(blob)) == data
    assert alarms.open_alarms() == []


@pytest.mark.parametrize("at", [0, PIECE, 2 * PIECE + 8])
def test_bytes_that_are_not_the_blobs_never_come_to_their_end(file_store, large: Blob, at: int) -> None:
    flip(file_store, large, at)
    given = []
    with pytest.raises(WrongBytesError, match="not given out"):
        given.extend(read_whole(large))
    assert [len(piece) for piece in given] == [PIECE, PIECE]
    assert [(alarm.kind, alarm.subject) for alarm in alarms.open_alarms()] == [("damage", large.digest)]


def test_of_a_small_blob_that_is_damaged_nothing_is_given(file_store, hand_in) -> None:
    blob = hand_in(LINE, work=True).blob
    flip(file_store, blob, 7)
    with pytest.raises(WrongBytesError):
        read_whole(blob)


def test_fixity_looks_first_at_what_a_reader_met(file_store, large: Blob, hand_in) -> None:
    """Though all was checked just now, and it is not due for a month."""
    hand_in(LINE, work=True)
    for blob in Blob.objects.all():
        fixity.check_blob(blob, fixity.Pace(0))
    month = dt.timedelta(days=30)
    assert fixity.check_round(seconds=60, older_than=month, limit=0) == 0
    data = flip(file_store, large, 3)
    with pytest.raises(WrongBytesError):
        list(read_whole(large))
    assert fixity.due_blobs(dt.datetime.now(dt.UTC)).first() == large
    assert fixity.check_round(seconds=60, older_than=month, limit=0) == 1
    assert Fixity.objects.get(blob=large).state == "damaged"
    assert "its bytes have the digest" in alarms.open_alarms()[0].text
    (file_store / large.place).write_bytes(data)
    assert fixity.check_blob(large, fixity.Pace(0)).state == "whole"
    assert b"".join(read_whole(large)) == data


def test_a_suspicion_that_fixity_does_not_share_ends(file_store, large: Blob) -> None:
    data = flip(file_store, large, 3)
    with pytest.raises(WrongBytesError):
        list(read_whole(large))
    (file_store / large.place).write_bytes(data)
    assert fixity.check_round(seconds=60, older_than=dt.timedelta(days=30), limit=0) == 1
    assert (alarms.open_alarms(), Fixity.objects.get(blob=large).state) == ([], "whole")
