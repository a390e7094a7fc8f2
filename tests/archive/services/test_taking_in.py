"""Bytes on their way in: what fits, what does not, and that nothing accepted is lost."""

from __future__ import annotations

import datetime as dt
import errno
import fcntl
import json
import os
import resource
import threading
from typing import TYPE_CHECKING

import pytest

from archive import outbox
from archive.models import Alarm, Blob, CustodyEvent, Submission
from archive.services import access, finding, identification, intake, receiving, sealing, waiting
from archive.services.receipts import issue_receipt
from archive.services.refusals import BadInput, Busy, NoSpace, NotAllowed, NotKept, NotVisible, WrongOffset
from archive.storage.store import StoreError
from evidence.digest import Digest
from evidence.log.note import parse_note
from evidence.log.policy import parse_policy, problems
from evidence.log.tlogproof import parse_tlog_proof
from evidence.opening import open_disclosure, parse_event, parse_receipt

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("data", [b"", b"\x00\x01\xff" * 99, "log".encode("utf-16"), b"a\r\nb\r\n"])
def test_bytes_that_no_reader_understands_are_sealed_and_receipted(hand_in, data: bytes) -> None:
    row = hand_in(data)
    assert (row.state, row.blob_id, row.read_as) == ("sealed", str(Digest.of(data)), "none")
    assert row.read_reason
    receipt = parse_receipt(issue_receipt(event=row.event, disclosures=row.disclosures))
    proof = parse_tlog_proof(receipt.proof)
    assert problems(parse_policy(receipt.policy), parse_note(proof.checkpoint)) == []
    assert parse_event(receipt.event_text).objects[0].size == len(data)


def test_a_gzip_that_is_cut_off_is_kept_and_what_is_wrong_with_it_is_said(hand_in) -> None:
    row = hand_in(b"\x1f\x8b\x08cut")
    assert (row.state, row.read_as) == ("sealed", "extract.gzip@1")
    (run,) = finding.runs_of(row)
    assert (run.state, run.attempts) == ("failed", 1)
    assert "nothing" in run.problem
    assert issue_receipt(event=row.event)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\x00b\n.log", "/abs", "ü" * 300, "\u202egpj.log"])
def test_a_files_name_is_only_text_and_stands_behind_a_seal(hand_in, home, name: str) -> None:
    row = hand_in(b"x", file_name=name, note="from a friend")
    event = row.event.text
    assert "passwd" not in event and "friend" not in event and name not in event
    opened = dict(open_disclosure(item) for item in row.disclosures)
    assert opened["file_name"] == row.file_name
    assert {path.name for path in home.iterdir()} <= {"keys", "store", "staging"}
    assert list((home / "staging").iterdir()) == []


def test_the_same_bytes_are_kept_once_with_the_custody_of_both(hand_in, ann) -> None:
    first, second = hand_in(b"twice"), hand_in(b"twice")
    assert Blob.objects.count() == 1
    assert first.event_id != second.event_id
    events = finding.events_of(ann, first.blob_id)
    assert [event.type for event in events].count("ingestion") == 2
    said = [json.loads(event.text)["detail"]["duplicate"] for event in events if event.type == "ingestion"]
    assert said == [False, True]


def test_another_case_does_not_learn_that_the_bytes_are_known(hand_in) -> None:
    hand_in(b"secret")
    bob = access.principal_of(access.ensure_user(user_name="bob"))
    row = hand_in(b"secret", who=bob, case="case-b")
    assert json.loads(row.event.text)["detail"]["duplicate"] is False
    assert {event.case.slug for event in finding.events_of(bob, row.blob_id)} == {"case-b"}


def test_a_wrong_declared_digest_is_refused_with_both(hand_in) -> None:
    row = hand_in(b"abc", declared_digest=str(Digest.of(b"abd")))
    assert row.state == "refused"
    assert str(Digest.of(b"abc")) in row.problem
    assert str(Digest.of(b"abd")) in row.problem
    assert not CustodyEvent.objects.exists()
    assert hand_in(b"abc", declared_digest=Digest.of(b"abc").hex).state == "sealed"


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


def test_two_who_recognise_at_once_leave_one_event(hand_in) -> None:
    row = hand_in(b"abc", work=False)
    seen_by_both = Submission.objects.get(pk=row.pk)
    sealing.seal_submission(row.pk)
    seen_by_both.refresh_from_db()
    seen_by_both.read_as = ""
    identification.identify_submissions(row.case, [(seen_by_both, seen_by_both.blob, seen_by_both.blob.place)])
    assert CustodyEvent.objects.filter(type="format identification").count() == 1


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


def test_what_was_hashed_on_its_way_in_is_not_read_again_before_its_receipt(hand_in, monkeypatch) -> None:
    row = hand_in(b"abc", work=False)
    assert row.arrived["digest"] == str(Digest.of(b"abc"))
    monkeypatch.setattr(sealing, "hash_file", lambda _: pytest.fail("it was read"))
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert (row.state, row.blob_id) == ("sealed", str(Digest.of(b"abc")))


def test_a_staged_file_that_somebody_touched_is_read_and_sealed_as_it_is(hand_in) -> None:
    row = hand_in(b"abc", work=False, declared_digest=str(Digest.of(b"abc")))
    intake.staged_file(row.pk).write_bytes(b"abd")
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert row.state == "refused"
    assert str(Digest.of(b"abd")) in row.problem


def test_an_upload_in_two_parts_is_read_when_it_is_sealed(ann) -> None:
    row = intake.begin_submission(principal=ann, case_reference="a", length=6)
    for offset, part in ((0, b"abc"), (3, b"def")):
        intake.append_bytes(principal=ann, submission_id=row.pk, offset=offset, chunks=[part])
    row.refresh_from_db()
    assert row.arrived is None
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert row.blob_id == str(Digest.of(b"abcdef"))


def test_what_the_store_does_not_give_back_raises_an_alarm(file_store, hand_in, monkeypatch) -> None:
    row = hand_in(b"abc", work=False)

    def damage(submission: Submission) -> None:
        path = file_store / submission.blob.place
        path.chmod(0o600)
        path.write_bytes(b"abd")

    monkeypatch.setattr(sealing, "write_manifest", damage)
    sealing.seal_submission(row.pk)
    assert (Alarm.objects.get().kind, Alarm.objects.get().subject) == ("damage", str(Digest.of(b"abc")))


def test_a_late_append_leaves_nothing_behind(hand_in, ann) -> None:
    row = hand_in(b"abc", declared_digest=str(Digest.of(b"abc")))
    with pytest.raises(WrongOffset):
        intake.append_bytes(principal=ann, submission_id=row.pk, offset=3, chunks=[b""])
    assert not intake.staged_file(row.pk).exists()


def test_a_sealer_that_comes_late_cannot_refuse_what_is_sealed(hand_in) -> None:
    row = hand_in(b"abc", declared_digest=str(Digest.of(b"abc")))
    late = Submission.objects.get(pk=row.pk)
    late.state = Submission.State.RECEIVED
    intake.staged_file(row.pk).touch()
    sealing._seal([late])
    row.refresh_from_db()
    assert (row.state, row.problem, row.blob_id) == ("sealed", "", str(Digest.of(b"abc")))


def test_of_two_sealers_one_works_and_the_other_leaves(hand_in) -> None:
    row = hand_in(b"abc", work=False)
    with intake.staged_file(row.pk).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert row.state == "received"
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert row.state == "sealed"


def test_received_bytes_that_are_gone_are_missed_aloud(hand_in) -> None:
    row = hand_in(b"abc", work=False)
    intake.staged_file(row.pk).unlink()
    with pytest.raises(StoreError, match="gone from the staging folder"):
        sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert (row.state, "upload the file again" in row.problem) == ("received", True)


def test_sealing_may_be_repeated(hand_in) -> None:
    row = hand_in(b"abc")
    count = CustodyEvent.objects.count()
    for _ in range(2):
        sealing.seal_submission(row.pk)
    assert CustodyEvent.objects.count() == count


@pytest.mark.parametrize("data", [b"", b"x" * 1000])
def test_an_upload_is_sealed_though_the_process_that_counted_its_last_byte_was_killed(
    ann, monkeypatch, data: bytes
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    def upload() -> None:
        begun = intake.begin_submission(principal=ann, case_reference="a", length=len(data))
        intake.append_bytes(principal=ann, submission_id=begun.pk, offset=0, chunks=[data])

    with monkeypatch.context() as patched:
        patched.setattr(intake, "_finish", killed)
        with pytest.raises(Killed):
            upload()
    row = Submission.objects.get()
    assert (row.state, row.offset) == ("receiving", len(data))
    nudged = []
    monkeypatch.setattr(outbox, "nudge", lambda task, *arguments: nudged.append((task, *arguments)))
    Submission.objects.update(created=row.created - dt.timedelta(minutes=1))
    waiting.nudge_what_waits()
    assert ("workers.seal.seal", str(row.pk)) in nudged
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert (row.state, row.blob_id) == ("sealed", str(Digest.of(data)))


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


@pytest.mark.parametrize("at_once", [True, False])
def test_a_sealer_that_is_sent_for_meets_no_lock(ann, monkeypatch, at_once: bool) -> None:
    sealed = []

    def seal(row: Submission) -> None:
        sealing.seal_submission(row.pk)
        sealed.append(Submission.objects.get(pk=row.pk).state)

    monkeypatch.setattr(waiting, "send_received", seal)
    begun = {"principal": ann, "case_reference": "a", "length": 3}
    if at_once:
        intake.begin_submission(**begun, chunks=[b"abc"])
    else:
        row = intake.begin_submission(**begun)
        intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=[b"abc"])
    assert sealed == ["sealed"]


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
