"""Files that are handed in: sealed as they are, known by their digest, and nothing accepted is lost."""

from __future__ import annotations

import datetime as dt
import fcntl
import json

import pytest

from archive import outbox
from archive.models import Alarm, Blob, CustodyEvent, Submission
from archive.services import access, finding, identification, intake, sealing, waiting
from archive.services.receipts import issue_receipt
from archive.services.refusals import WrongOffset
from archive.storage.store import StoreError
from evidence.digest import Digest
from evidence.log.note import parse_note
from evidence.log.policy import parse_policy, problems
from evidence.log.tlogproof import parse_tlog_proof
from evidence.opening import open_disclosure, parse_event, parse_receipt

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


def test_two_who_recognise_at_once_leave_one_event(hand_in) -> None:
    row = hand_in(b"abc", work=False)
    seen_by_both = Submission.objects.get(pk=row.pk)
    sealing.seal_submission(row.pk)
    seen_by_both.refresh_from_db()
    seen_by_both.read_as = ""
    identification.identify_submissions(row.case, [(seen_by_both, seen_by_both.blob, seen_by_both.blob.place)])
    assert CustodyEvent.objects.filter(type="format identification").count() == 1


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
