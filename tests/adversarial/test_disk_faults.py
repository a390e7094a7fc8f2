"""A store that is full or read-only: said in words, what was acknowledged waits, and is sealed when there is room."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from archive.models import Blob, CustodyEvent
from archive.services import fixity, health, intake, sealing
from archive.services.refusals import NoSpace
from archive.storage.store import StoreError
from tests.adversarial.disk import SmallDisk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.django_db
TOO_LARGE = 3 << 20


@pytest.fixture
def disk(file_store: Path) -> Iterator[SmallDisk]:
    """The store's own."""
    with SmallDisk(file_store) as made:
        yield made


def files(disk: SmallDisk) -> list[Path]:
    return [path for path in disk.folder.rglob("*") if path.is_file()]


def content(row) -> bytes:
    from archive import wiring

    return b"".join(wiring.store().open_range(row.blob.place, 0, row.blob.size))


def refused_then_sealed(disk: SmallDisk, hand_in, words: str, again: str) -> None:
    data = secrets.token_bytes(TOO_LARGE)
    before = len(files(disk))
    row = hand_in(data, work=False)
    for _ in range(2):
        with pytest.raises(StoreError, match=words):
            sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert row.state == "received"
    assert row.problem.startswith("not sealed yet, and tried again by itself: the store cannot keep")
    assert len(files(disk)) == before
    assert intake.staged_file(row.pk).stat().st_size == TOO_LARGE
    assert not CustodyEvent.objects.filter(text__contains=str(row.pk)).exists()
    disk.remount(again)
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert (row.state, row.problem, content(row) == data) == ("sealed", "", True)
    assert health.readiness()["store"] == "ok"


def test_a_full_store_is_said_and_leaves_nothing_behind(disk: SmallDisk, hand_in) -> None:
    refused_then_sealed(disk, hand_in, "No space left on device", "size=16m")


def test_a_read_only_store_is_read_and_takes_nothing(disk: SmallDisk, hand_in) -> None:
    kept = hand_in(b"kept before")
    disk.remount("ro,size=16m")
    assert "Read-only file system" in health.readiness()["store"]
    assert content(kept) == b"kept before"
    assert fixity.check_blob(Blob.objects.get(pk=kept.blob_id), fixity.Pace(0)).state == "whole"
    refused_then_sealed(disk, hand_in, "Read-only file system", "rw")


def test_an_upload_that_fills_the_disk_keeps_what_was_counted(home: Path, hand_in, ann) -> None:
    data = secrets.token_bytes(TOO_LARGE)
    with SmallDisk(home / "staging") as disk:
        row = intake.begin_submission(principal=ann, case_reference="case-a", length=TOO_LARGE)
        pieces = [data[at : at + 65_536] for at in range(0, TOO_LARGE, 65_536)]
        with pytest.raises(NoSpace, match=r"no space is left for this upload; \d+ bytes of 3145728 are kept"):
            intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=pieces)
        row.refresh_from_db()
        assert 0 < row.offset <= 1 << 20
        assert intake.staged_file(row.pk).read_bytes()[: row.offset] == data[: row.offset]
        disk.remount("size=16m")
        intake.append_bytes(principal=ann, submission_id=row.pk, offset=row.offset, chunks=[data[row.offset :]])
        sealing.seal_submission(row.pk)
        row.refresh_from_db()
        assert (row.state, content(row) == data) == ("sealed", True)


def test_a_disk_without_a_byte_is_said_and_asking_leaves_nothing_on_it(disk: SmallDisk) -> None:
    with (disk.folder / "filler").open("wb", buffering=0) as filler:
        assert filler.write(bytes(16 << 20)) < 16 << 20
    assert "No space left on device" in health.readiness()["store"]
    assert [path.name for path in files(disk)] == ["filler"]
