"""Bytes on their way in: what is acknowledged lies on the disk, and each piece goes where it belongs."""

from __future__ import annotations

import errno
import os
import resource
import threading
from typing import TYPE_CHECKING

import pytest

from archive.models import Submission
from archive.services import access, intake, receiving, sealing
from archive.services.refusals import BadInput, Busy, NoSpace, NotAllowed, NotKept, NotVisible, WrongOffset
from evidence.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db


def test_an_upload_goes_on_where_it_stands_and_nowhere_else(ann) -> None:
    row = intake.begin_submission(principal=ann, case_reference="a", length=6)
    assert intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=[b"ab", b"c"]) == 3
    for offset in (0, 2, 4, 6):
        with pytest.raises(WrongOffset, match="continues at byte 3"):
            intake.append_bytes(principal=ann, submission_id=row.pk, offset=offset, chunks=[b"x"])
    assert intake.append_bytes(principal=ann, submission_id=row.pk, offset=3, chunks=[b"def"]) == 6
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert row.blob_id == str(Digest.of(b"abcdef"))
    with pytest.raises(WrongOffset):
        intake.append_bytes(principal=ann, submission_id=row.pk, offset=6, chunks=[])


def test_what_arrived_before_a_cut_is_kept(ann) -> None:
    def cut():
        yield b"abc"
        raise ConnectionResetError

    row = intake.begin_submission(principal=ann, case_reference="a", length=6)
    with pytest.raises(ConnectionResetError):
        intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=cut())
    row.refresh_from_db()
    assert (row.offset, row.state) == (3, "receiving")


def test_bytes_that_were_not_acknowledged_are_written_over(ann) -> None:
    row = intake.begin_submission(principal=ann, case_reference="a", length=3)
    intake.staged_file(row.pk).write_bytes(b"left by a killed process")
    intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=[b"abc"])
    assert intake.staged_file(row.pk).read_bytes() == b"abc"


def test_more_than_was_announced_is_refused(ann) -> None:
    row = intake.begin_submission(principal=ann, case_reference="a", length=3)
    with pytest.raises(BadInput, match="more than the 3 bytes"):
        intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=[b"abcd"])
    row.refresh_from_db()
    assert row.offset == 0


def test_two_at_once_are_kept_apart(ann) -> None:
    row = intake.begin_submission(principal=ann, case_reference="a", length=3)

    def another():
        with pytest.raises(Busy):
            intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=[b"x"])
        yield b"abc"

    assert intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=another()) == 3


def test_a_full_disk_keeps_what_arrived_and_says_how_much(ann) -> None:
    """The operating system refuses to let the file grow, as a full disk would."""
    row = intake.begin_submission(principal=ann, case_reference="a", length=200_000)
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def body():
        yield b"a" * 50_000
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))
        yield b"b" * 50_000

    try:
        with pytest.raises(NoSpace, match="60000 bytes of 200000 are kept"):
            intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=body())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    row.refresh_from_db()
    assert (row.offset, row.state) == (60_000, "receiving")
    intake.append_bytes(principal=ann, submission_id=row.pk, offset=60_000, chunks=[b"c" * 140_000])
    row.refresh_from_db()
    assert row.state == "received"


@pytest.mark.parametrize("about", [
    {"case_reference": "Not a slug"}, {"case_reference": ""}, {"length": -1}, {"declared_digest": "md5:x"},
    {"names": ["two words"]}, {"reading": {"colour": "red"}},
])  # fmt: skip
def test_what_cannot_be_used_is_refused_before_a_byte_is_sent(ann, about: dict) -> None:
    with pytest.raises(BadInput):
        intake.begin_submission(**{"principal": ann, "case_reference": "a", "length": 3, **about})
    assert not Submission.objects.exists()


def test_nobody_writes_into_anothers_upload_or_case(ann) -> None:
    bob = access.principal_of(access.ensure_user(user_name="bob"))
    row = intake.begin_submission(principal=ann, case_reference="a", length=3)
    with pytest.raises(NotVisible):
        intake.append_bytes(principal=bob, submission_id=row.pk, offset=0, chunks=[b"x"])
    with pytest.raises(NotAllowed):
        intake.begin_submission(principal=bob, case_reference=str(row.case.pk), length=3)
    _, token = access.create_token(user_name="ann", scopes=["read"])
    with pytest.raises(NotAllowed, match="scope upload"):
        intake.begin_submission(principal=access.principal_of(ann.user, token), case_reference="a", length=3)


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_bytes_that_the_disk_did_not_take_are_not_counted(ann, monkeypatch, failing: int, number: int) -> None:
    """The kernel tells of a failed write once; a sync that succeeds afterwards says nothing of those bytes."""
    calls, taken, real = [0], [0], os.fsync

    def fsync(descriptor: int) -> None:
        calls[0] += 1
        size = os.fstat(descriptor).st_size
        if calls[0] == failing:
            raise OSError(number, os.strerror(number))
        real(descriptor)
        if calls[0] > 1:  # the first one is of the folder
            taken[0] = size

    row = intake.begin_submission(principal=ann, case_reference="a", length=2500)
    monkeypatch.setattr(receiving, "SYNC_EVERY", 500)
    monkeypatch.setattr(receiving, "BEHIND", 2)
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(NotKept, match=r"the disk did not take .*See to the disk|see to the disk"):
        intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=[b"abcde" * 100] * 5)
    assert calls[0] == failing  # nothing is asked of the disk after it failed
    row.refresh_from_db()
    assert row.state == "receiving"
    assert row.offset <= taken[0] < 2500
    monkeypatch.undo()
    rest = (b"abcde" * 500)[row.offset :]
    intake.append_bytes(principal=ann, submission_id=row.pk, offset=row.offset, chunks=[rest])
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert row.blob_id == str(Digest.of(b"abcde" * 500))


def test_the_disk_is_never_far_behind_what_is_written(ann, monkeypatch) -> None:
    row = intake.begin_submission(principal=ann, case_reference="a", length=10_000)
    monkeypatch.setattr(receiving, "SYNC_EVERY", 1000)
    monkeypatch.setattr(receiving, "CACHED", 2000)
    counted: list[int] = []

    def body():
        for _ in range(100):
            yield b"a" * 100
            row.refresh_from_db()
            counted.append(row.offset)

    intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=body())
    assert all(100 * (n + 1) - offset <= receiving.BEHIND * 1000 for n, offset in enumerate(counted))
    assert Submission.objects.get().offset == 10_000


def test_a_counted_byte_that_is_gone_is_missed_aloud(ann) -> None:
    row = intake.begin_submission(principal=ann, case_reference="a", length=6)
    intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=[b"abc"])
    os.truncate(intake.staged_file(row.pk), 1)
    with pytest.raises(NotKept, match="of the 3 bytes that had arrived only 1 are left"):
        intake.append_bytes(principal=ann, submission_id=row.pk, offset=3, chunks=[b"def"])
    row.refresh_from_db()
    assert (row.offset, row.state) == (3, "receiving")


def test_an_upload_that_a_request_is_still_at_is_left_to_it(ann) -> None:
    row = intake.begin_submission(principal=ann, case_reference="a", length=3)
    Submission.objects.filter(pk=row.pk).update(offset=3)
    with intake._locked(intake.staged_file(row.pk)):
        sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert row.state == "receiving"
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert "only 0 are left" in row.problem


def test_a_process_that_is_being_stopped_still_counts_what_it_wrote(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(receiving, "SYNC_EVERY", receiving.SMALL)
    before, after = b"b" * (receiving.SMALL + 1), b"a" * (receiving.SMALL + 1)
    counted: list[int] = []
    with (tmp_path / "staged").open("wb") as file, receiving.StagedWriter(file.fileno(), 0, counted.append) as writer:
        writer.write(before)
        for pool in (writer._hasher, writer._syncer):
            pool.shutdown()
        writer.write(after)
        writer.finish()
        assert writer.digest() == Digest.of(before + after)
    assert counted == [len(before), len(before + after)]


@pytest.mark.parametrize("size", [1, receiving.SMALL + 1])
def test_nothing_is_counted_before_the_disk_has_it(tmp_path: Path, monkeypatch, size: int) -> None:
    def fsync(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    counted: list[int] = []
    with (tmp_path / "staged").open("wb") as file, receiving.StagedWriter(file.fileno(), 0, counted.append) as writer:
        writer.write(b"a" * size)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fsync)
            with pytest.raises(receiving.SyncFailedError):
                writer.finish()
    assert counted == []


def test_a_small_piece_is_hashed_after_the_large_one_before_it(tmp_path: Path) -> None:
    large = b"a" * (receiving.SMALL + 1)
    with (tmp_path / "staged").open("wb") as file, receiving.StagedWriter(file.fileno(), 0, lambda _: None) as writer:
        writer._hasher.submit(threading.Event().wait, 0.3)  # the thread comes late to the large one
        writer.write(large)
        writer.write(b"b")
        writer.finish()
        assert writer.digest() == Digest.of(large + b"b")


def test_a_small_upload_begins_no_thread(tmp_path: Path) -> None:
    with (tmp_path / "staged").open("wb") as file, receiving.StagedWriter(file.fileno(), 0, lambda _: None) as writer:
        writer.write(b"small")
        writer.finish()
        assert writer.digest() == Digest.of(b"small")
        assert not any(pool._threads for pool in (writer._hasher, writer._syncer))
