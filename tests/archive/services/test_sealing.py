"""What waits together is sealed together, and each of it as if it were alone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from archive import wiring
from archive.models import Blob, Case, CustodyEvent, PendingLeaf, Submission
from archive.services import intake, sealing, waiting
from archive.storage.store import StoreError
from evidence.digest import Digest
from tests.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db
ONE, ALL = "workers.seal.seal", "workers.seal.seal_waiting"
TWO_CASES = """
import threading
from contextlib import suppress
from archive.services import access, identification, intake, sealing
ann = access.principal_of(access.ensure_user(user_name="ann"))
begin = intake.begin_submission
files = [b"one", b"two"]
groups = [
    [begin(principal=ann, case_reference=case, length=3, chunks=[data]) for data in of]
    for case, of in (("case-a", files), ("case-b", files[::-1]))
]
for rows in groups:
    sealing._seal(rows)
honest, both, begun = identification.want_tree, threading.Barrier(2), threading.local()

def want_tree(*told):
    honest(*told)
    if not hasattr(begun, "once"):
        begun.once = True
        with suppress(threading.BrokenBarrierError):
            both.wait(timeout=2)

identification.want_tree = want_tree
threads = [threading.Thread(target=sealing._complete, args=(rows,)) for rows in groups]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
HAND_IN = """
from archive.services import access, intake
ann = access.principal_of(access.ensure_user(user_name="ann"))
for n in range(40):
    intake.begin_submission(principal=ann, case_reference=f"case-{n % 3}", length=2, chunks=[b"%02d" % (n % 7)])
"""
SEAL = """
from archive.models import Submission
from archive.services import sealing
while (unread := Submission.objects.filter(read_as="")).exists():
    sealing.seal_waiting()
    for pk in list(unread.exclude(try_after=None).values_list("pk", flat=True)[:3]):  # as the sweeper sends it
        sealing.seal_submission(pk)
"""
SEALED_ONCE = """
SELECT s.case_id, s.blob_id, count(*) FILTER (WHERE position('"duplicate":false' IN e.text) > 0), count(*)
FROM archive_custodyevent e JOIN archive_submission s ON s.id::text = substring(e.text FROM '"submission":"([^"]+)"')
WHERE e.type = 'ingestion' GROUP BY s.case_id, s.blob_id
"""
TOLD = ["ingestion", "message digest calculation"]


@pytest.fixture
def received(hand_in, sent):
    """Submissions of these bytes, which wait."""

    def submit(*files: bytes, case: str = "case-a") -> list[Submission]:
        rows = [hand_in(data, case=case, work=False) for data in files]
        sent.clear()
        return rows

    return submit


def states() -> list[str]:
    return list(Submission.objects.order_by("received").values_list("state", flat=True))


def binary(count: int) -> list[bytes]:
    return [b"\0" + bytes([number]) for number in range(count)]


def test_of_those_that_wait_only_the_first_sends_for_a_sealer(hand_in, sent) -> None:
    for data in binary(3):
        hand_in(data, work=False)
    assert sent.count((ALL,)) == 1
    assert len(waiting.take_received()) == 3
    sent.clear()
    hand_in(b"\0later", work=False)
    assert sent == [(ALL,)]


def test_one_that_waits_in_vain_holds_up_no_message_for_those_behind_it(received, hand_in, sent) -> None:
    received(b"first")
    Submission.objects.update(try_after=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=9))
    hand_in(b"second", work=False)
    assert sent == [(ALL,)]


def test_whoever_takes_some_sends_for_the_rest_and_no_other_takes_them_too(received, sent, monkeypatch) -> None:
    rows = received(*binary(3))
    monkeypatch.setattr(waiting, "_TOGETHER", 2)
    assert [row.pk for row in waiting.take_received()] == [row.pk for row in rows[:2]]
    assert sent == [(ALL,)]
    assert [row.pk for row in waiting.take_received()] == [rows[2].pk]
    assert waiting.take_received() == []
    assert sent == [(ALL,)]


def test_a_large_one_goes_alone(received, monkeypatch) -> None:
    rows = received(b"large" * 9, b"small", b"small too")
    monkeypatch.setattr(waiting, "_SMALL", 20)
    assert [[row.pk for row in waiting.take_received()] for _ in range(2)] == [[rows[0].pk], [rows[1].pk, rows[2].pk]]


def test_what_waits_together_is_sealed_with_all_that_belongs_to_each(received, home) -> None:
    rows = received(*binary(3)) + received(b"\0other", case="case-b")
    sealing.seal_waiting()
    assert states() == ["sealed"] * 4
    for row in rows:
        row.refresh_from_db()
        assert (row.read_as, row.try_after) == ("none", None)
        events = CustodyEvent.objects.filter(objects_named__digest=row.blob_id).order_by("pending")
        events = events.exclude(type="replication")  # where there are several stores
        assert [(event.type, event.case_id) for event in events] == [
            (kind, row.case_id) for kind in (*TOLD, "format identification")
        ]
        assert row.event_id == events[0].pk
        assert wiring.store().described(f"submissions/{row.pk}.txt")[0]
    assert PendingLeaf.objects.exclude(event__type="replication").count() == 12
    assert not list((home / "staging").iterdir())


def test_it_takes_as_many_queries_for_eight_as_for_two(received) -> None:
    counts = []
    for number in (2, 8):
        received(*(bytes([0, number, n]) for n in range(number)))
        with CaptureQueriesContext(connection) as queries:
            sealing.seal_waiting()
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert states() == ["sealed"] * 10


def test_the_same_bytes_twice_are_sealed_one_after_the_other(received, sent) -> None:
    received(b"\0twice", b"\0twice")
    sealing.seal_waiting()
    (task, pk) = sent.pop()
    assert (task, states().count("sealed"), Blob.objects.count()) == (ONE, 1, 1)
    sealing.seal_submission(pk)
    ingestions = CustodyEvent.objects.filter(type="ingestion").order_by("pending")
    assert [('"duplicate":true' in event.text) for event in ingestions] == [False, True]


@pytest.mark.enable_socket
def test_two_cases_that_get_the_same_files_the_other_way_round_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch.with_log(2)
        scratch.python(TWO_CASES)
        found = scratch.rows("SELECT read_as, count(*) FROM archive_submission GROUP BY read_as")
        assert found == [("none", 4)]


@pytest.mark.enable_socket
def test_workers_at_once_seal_each_once_and_the_same_bytes_are_new_to_a_case_once(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch.with_log(2)
        scratch.python(HAND_IN)
        for worker in [scratch.start(SEAL) for _ in range(3)]:
            _, said = worker.communicate()
            assert worker.returncode == 0, said
        found = scratch.rows(SEALED_ONCE)
        assert (sum(row[3] for row in found), {row[2] for row in found}) == (40, {1})
        assert scratch.rows("SELECT DISTINCT state, read_as FROM archive_submission") == [("sealed", "none")]
        assert not list((tmp_path / "staging").iterdir())


def test_one_that_does_not_go_is_said_and_holds_up_none_of_the_others(received, sent, monkeypatch) -> None:
    rows = received(*binary(3))
    bad = Digest.of(binary(3)[1])
    honest = type(wiring.store()).put

    def put(store, source, digest, keeping):
        if digest == bad:
            raise StoreError("the disk is full")
        return honest(store, source, digest, keeping)

    monkeypatch.setattr(type(wiring.store()), "put", put)
    with pytest.raises(StoreError):
        sealing.seal_waiting()
    assert not CustodyEvent.objects.exists()
    assert sent == [(ONE, str(row.pk)) for row in rows]
    for row in rows[::2]:
        sealing.seal_submission(row.pk)
    with pytest.raises(StoreError, match="full"):
        sealing.seal_submission(rows[1].pk)
    assert states() == ["sealed", "received", "sealed"]
    assert "full" in Submission.objects.get(pk=rows[1].pk).problem


def test_of_some_one_may_be_refused_and_another_be_anothers_work(received, ann, hand_in) -> None:
    rows = received(*binary(2))
    hand_in(b"abc", declared_digest=str(Digest.of(b"abd")), work=False)
    with intake._locked(intake.staged_file(rows[0].pk)):
        sealing.seal_waiting()
    assert states() == ["received", "sealed", "refused"]


def test_what_a_case_asks_for_meanwhile_is_told_to_the_stores(received, monkeypatch) -> None:
    received(*binary(2))
    honest = sealing._record

    def record(case: Case, kept: object) -> None:
        Case.objects.filter(pk=case.pk).update(hold=True)
        honest(case, kept)

    monkeypatch.setattr(sealing, "_record", record)
    sealing.seal_waiting()
    assert not Case.objects.get().kept
