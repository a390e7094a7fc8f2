"""The ledger continues itself, and derivations are made once, attested, and told in words when they fail."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from archive import wiring
from archive.models import Alarm, Checkpoint, CustodyEvent, Leaf, Run
from archive.services import (
    access,
    bundles,
    custody,
    execution,
    finding,
    following,
    publication,
    runs,
    sealing,
    sequencing,
)
from archive.services.receipts import issue_receipt
from archive.services.refusals import BadInput, NotAllowed, NotReady
from evidence.attest.dsse import PublicKey, parse_envelope, verify_envelope
from evidence.digest import Digest
from evidence.errors import LogError
from evidence.log.checkpoint import parse_checkpoint
from evidence.log.hashing import leaf_hash
from evidence.log.note import parse_note
from evidence.log.proof import consistency_proof, inclusion_proof, verify_consistency, verify_inclusion
from evidence.log.tlogproof import parse_tlog_proof
from evidence.opening import EventObject, commitment, parse_receipt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model

LINE = b"04-May-2016 00:00:12.345 queries: info: client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"

pytestmark = pytest.mark.django_db


def record(case, count: int) -> list[CustodyEvent]:
    return [custody.record_event(case=case, type="access", objects=[], detail={"n": n}).event for n in range(count)]


@pytest.fixture
def case(ann):
    return access.ensure_case(principal=ann, reference="a")


def test_every_checkpoint_continues_the_one_before_and_every_leaf_is_provable(case) -> None:
    sizes = [0]
    for count in (1, 1, 68, 185, 1, 1, 43, 300):
        record(case, count)
        assert sequencing.sequence_pending() == count
        sizes.append(sizes[-1] + count)
    rows = list(Checkpoint.objects.all())
    assert [row.size for row in rows] == sizes[1:]
    for old in rows:
        for new in rows[rows.index(old) :]:
            hashes = consistency_proof(old.size, new.size, sequencing.subtree_root)
            verify_consistency(old.size, new.size, bytes(old.root), bytes(new.root), hashes)
    for index in (0, 1, 255, 256, 299, 599):
        event = Leaf.objects.get(index=index).event
        receipt = parse_receipt(issue_receipt(event=event))
        proof = parse_tlog_proof(receipt.proof)
        head = parse_checkpoint(parse_note(proof.checkpoint).text)
        leaf = leaf_hash(commitment(receipt.salt, receipt.event_text.encode()))
        verify_inclusion(leaf, index, 600, proof.hashes, head.root)
    with pytest.raises(BadInput):
        issue_receipt(event=event, size=599)
    assert (
        parse_tlog_proof(parse_receipt(issue_receipt(event=Leaf.objects.get(index=0).event, size=1)).proof).hashes == ()
    )


def test_a_receipt_takes_as_much_however_many_checkpoints_came_after(case) -> None:
    event = record(case, 1)[0]
    sequencing.sequence_pending()
    loaded: list[int] = []
    for _ in range(2):
        with counted(Checkpoint) as rows:
            issue_receipt(event=event)
        loaded.append(len(rows))
        for _ in range(20):
            record(case, 1)
            sequencing.sequence_pending()
    assert loaded[0] == loaded[1]


@contextmanager
def counted(model: type[Model]) -> Iterator[list[Model]]:
    """The rows of a model that are read while the context lasts."""
    rows: list[Model] = []

    def count(instance: Model, **_: object) -> None:
        rows.append(instance)

    post_init.connect(count, sender=model)
    try:
        yield rows
    finally:
        post_init.disconnect(count, sender=model)


def test_nothing_is_signed_over_leaves_that_are_not_those_of_the_last_checkpoint(case) -> None:
    record(case, 3)
    sequencing.sequence_pending()
    Checkpoint.objects.create(size=4, root=bytes(32), note="restored from elsewhere")
    record(case, 1)
    with pytest.raises(LogError, match="nothing is signed"):
        sequencing.sequence_pending()
    assert Checkpoint.objects.count() == 2


def test_nothing_more_is_signed_until_what_was_signed_is_kept_outside(case, django_capture_on_commit_callbacks) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        record(case, 3)
        sequencing.sequence_pending()
    in_the_way = publication.path().with_name("next")
    in_the_way.mkdir()
    record(case, 2)
    with django_capture_on_commit_callbacks(execute=True):
        sequencing.sequence_pending()
    (alarm,) = Alarm.objects.filter(ended=None)
    assert (alarm.kind, "size 5 cannot be kept" in alarm.text) == (publication.UNKEPT, True)
    record(case, 1)
    with pytest.raises(LogError, match="nothing more is signed"):
        sequencing.sequence_pending()
    assert Checkpoint.objects.count() == 2
    assert {alarm.kind for alarm in Alarm.objects.filter(ended=None)} == {publication.UNKEPT, sequencing.STOPPED}
    in_the_way.rmdir()
    sequencing.sequence_pending()
    assert publication.own_checkpoint(publication.kept_note()).size == 5
    assert not Alarm.objects.filter(ended=None).exists()


def test_the_ledgers_order_is_that_of_recording_whatever_the_clock_says(case, monkeypatch) -> None:
    now = timezone.now()
    told = []
    for days in (0, -1, 3, -1, -1):
        monkeypatch.setattr(custody.timezone, "now", lambda days=days: now + dt.timedelta(days=days))
        told.append(record(case, 1)[0].pk)
    monkeypatch.undo()
    sequencing.sequence_pending()
    assert list(Leaf.objects.order_by("index").values_list("event", flat=True)) == told


def test_a_blobs_chain_is_in_the_ledgers_order_and_then_in_that_of_what_waits(hand_in, ann, monkeypatch) -> None:
    row = hand_in(b"abc")
    before = [event.pk for event in finding.events_of(ann, row.blob_id)]
    now = timezone.now()
    objects = [EventObject(Digest.parse(row.blob_id), 3, "checked")]
    waiting = []
    for days in (-1, -2):
        monkeypatch.setattr(custody.timezone, "now", lambda days=days: now + dt.timedelta(days=days))
        waiting.append(custody.record_event(case=row.case, type="access", objects=objects, detail={}).event.pk)
    assert [event.pk for event in finding.events_of(ann, row.blob_id)] == before + waiting
    sequencing.sequence_pending()
    assert [event.pk for event in finding.events_of(ann, row.blob_id)] == before + waiting


def test_after_a_pause_a_few_checkpoints_follow_each_other_and_then_one_a_second() -> None:
    now, slept = [1000.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    windows = sequencing.Windows(lambda: now[0], sleep)
    for _ in range(4):
        windows.wait()
    assert slept == []
    for _ in range(5):
        windows.wait()
    assert slept == [1.0] * 5
    now[0] += 0.75  # as long as a batch took
    windows.wait()
    assert slept[5:] == [0.25]
    now[0] += 60
    for _ in range(5):
        windows.wait()
    assert slept[6:] == [1.0]


def test_a_pending_event_has_no_receipt_yet(case) -> None:
    with pytest.raises(NotReady):
        issue_receipt(event=record(case, 1)[0])


def test_a_log_is_read_analysed_and_attested_by_itself(hand_in) -> None:
    row = hand_in(LINE * 3 + b"other\n", names=["A.Example."])
    assert row.read_as == "parse.bind@2"
    parse, result = Run.objects.order_by("created")
    assert (parse.state, result.state, result.parameters) == ("succeeded", "succeeded", {"name": "a.example"})
    assert [item["value"] for item in following.result_of(result)["findings"]] == [3, 3]
    envelope = parse_envelope(b"".join(following.read_blob(result.statement)))
    keys = {s_key["keyid"]: s_key for s_key in json.loads(result.event.text)["detail"]["keys"]}
    signers = [PublicKey(key.algorithm, key.public) for key in wiring.key_periods("dsse")[-1].keys]
    assert {key.keyid for key in signers} == set(keys)
    verify_envelope(envelope, {key.keyid: key for key in signers})
    lines = [following.line_at(row.blob, item) for item in following.ranges_of(result, "client-1", 1, 5)]
    assert [(line.line, line.start, line.stop) for line in lines] == [
        (2, len(LINE), 2 * len(LINE)),
        (3, 2 * len(LINE), 3 * len(LINE)),
    ]
    assert lines[0].text == LINE.decode().rstrip()


def test_the_same_thing_is_not_computed_twice_in_two_cases(hand_in, monkeypatch) -> None:
    hand_in(LINE, names=["a.example"])
    bob = access.principal_of(access.ensure_user(user_name="bob"))
    computed: list[str] = []
    stored = execution.store_file
    monkeypatch.setattr(execution, "store_file", lambda path, run: computed.append(path.name) or stored(path, run))
    hand_in(LINE, who=bob, case="case-b", names=["a.example"])
    assert set(computed) == {"attestation.json"}
    ours, theirs = Run.objects.filter(procedure="querier_concentration@1").order_by("created")
    assert following.output(ours, "result.json") == following.output(theirs, "result.json")
    assert ours.event_id != theirs.event_id


def test_a_run_that_cannot_work_fails_in_words_and_leaves_nothing_half_visible(hand_in) -> None:
    row = hand_in(b"a,b,c\n1,2,3\n", reading={"columns": {"time": "x", "client": "b", "name": "c"}})
    run = Run.objects.get()
    assert run.state == "failed"
    assert "the header has no column ['x']" in run.problem
    assert not run.outputs.exists()
    assert row.state == "sealed"


def test_an_abandoned_run_is_taken_again_and_one_in_work_is_not(hand_in) -> None:
    row = hand_in(LINE, work=False)
    from archive.services import sealing

    sealing.seal_submission(row.pk)
    run = Run.objects.get()
    assert runs.take_run(run.pk) is not None
    assert runs.take_run(run.pk) is None
    Run.objects.filter(pk=run.pk).update(lease=timezone.now() - dt.timedelta(seconds=1))
    execution.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.attempts) == ("succeeded", 2)
    execution.execute_run(run.pk)
    assert CustodyEvent.objects.filter(type="creation").count() == 1


def test_a_run_that_ends_its_worker_each_time_is_given_up_in_words(hand_in) -> None:
    row = hand_in(LINE, work=False)
    from archive.services import sealing

    sealing.seal_submission(row.pk)
    past = timezone.now() - dt.timedelta(seconds=1)
    Run.objects.update(attempts=runs.ATTEMPTS, state="running", lease=past)
    execution.execute_run(Run.objects.get().pk)
    assert "given up after 3 attempts" in Run.objects.get().problem


def planned(hand_in) -> Run:
    sealing.seal_submission(hand_in(LINE, work=False).pk)
    return Run.objects.get()


def test_a_worker_whose_lease_passed_cannot_fail_the_run_of_the_next(hand_in) -> None:
    first = runs.take_run(planned(hand_in).pk)
    Run.objects.update(lease=timezone.now() - dt.timedelta(seconds=1))
    second = runs.take_run(first.pk)
    runs.fail_run(run=first, problem="late")
    assert Run.objects.get().state == "running"
    runs.fail_run(run=second, problem="in time")
    assert (Run.objects.get().state, Run.objects.get().problem) == ("failed", "in time")


def past(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(lease=timezone.now() - dt.timedelta(seconds=1))


@pytest.mark.parametrize("file", ["table.parquet", "attestation.json"])
def test_a_full_disk_while_deriving_is_told_and_waited_for(hand_in, monkeypatch, file: str) -> None:
    run, stored = planned(hand_in), execution.store_file

    def full(path, run: Run):
        if path.name == file:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return stored(path, run)

    with monkeypatch.context() as patched:
        patched.setattr(execution, "store_file", full)
        for _ in range(runs.ATTEMPTS + 2):
            execution.execute_run(run.pk)
            assert runs.take_run(run.pk) is None  # not at once again
            past(run)
    run.refresh_from_db()
    assert run.state == "pending"
    assert run.problem.startswith("not done yet, and tried again by itself: No space left on device in ")
    assert "make room" in run.problem
    execution.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.problem) == ("succeeded", "")


def test_a_store_that_is_away_costs_a_delay_and_not_a_result(file_store, hand_in, home) -> None:
    run = planned(hand_in)
    path = file_store / run.inputs.get().blob.place
    aside = path.rename(home / "aside")
    execution.execute_run(run.pk)
    run.refresh_from_db()
    assert run.state == "pending"
    assert "the store has no sha256/" in run.problem
    aside.rename(path)
    past(run)
    execution.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.problem) == ("succeeded", "")


def test_a_run_that_was_postponed_is_not_lost_to_the_one_who_had_it_before(hand_in) -> None:
    first = runs.take_run(planned(hand_in).pk)
    past(first)
    second = runs.take_run(first.pk)
    runs.postpone_run(run=second, problem="the disk is full")
    past(first)
    third = runs.take_run(first.pk)
    assert third.attempts == first.attempts
    runs.fail_run(run=first, problem="late")
    assert Run.objects.get().state == "running"


def test_a_bundle_holds_what_a_stranger_needs_at_one_checkpoint(hand_in) -> None:
    hand_in(LINE * 2, names=["a.example"])
    result = Run.objects.get(procedure="querier_concentration@1")
    parse = Run.objects.get(procedure="parse.bind@2")
    names = [item.name for item in bundles.items(result, raw=True)]
    asked, read = f"querier_concentration-{result.identity[:8]}", f"parse-{parse.identity[:8]}"
    source = f"source-{parse.inputs.get().blob_id[7:15]}"
    assert names == [
        f"{sequencing.latest_checkpoint().size}.checkpoint", f"{asked}.client-1.sources.ndjson",
        f"{asked}.lookups.sources.ndjson", f"{asked}.result.json", f"{asked}.result.attestation.json",
        f"{asked}.result.receipt.json", f"{read}.attestation.json", f"{read}.receipt.json",
        f"{source}.receipt.json", f"{source}.raw",
    ]  # fmt: skip


def test_tiles_read_once_give_the_same_proofs(case) -> None:
    for count in (300, 300):
        record(case, count)
        sequencing.sequence_pending()
    for size in (300, 600):
        tiles = sequencing.Tiles(size)
        for index in (0, 1, 255, 256, 299):
            proof = inclusion_proof(index, size, sequencing.subtree_root)
            assert inclusion_proof(index, size, tiles.subtree_root) == proof


def test_queries_do_not_grow_with_the_ledger(case, django_assert_max_num_queries) -> None:
    record(case, 600)
    with django_assert_max_num_queries(40):
        sequencing.sequence_pending()
    with django_assert_max_num_queries(16):
        issue_receipt(event=Leaf.objects.get(index=5).event)
    assert connection.vendor == "postgresql"


def test_a_run_that_failed_can_be_tried_again_by_a_member(ann, hand_in) -> None:
    hand_in(LINE)
    run = Run.objects.get(procedure="parse.bind@2")
    with pytest.raises(BadInput, match="only one that failed"):
        runs.retry_run(principal=ann, run=run)
    Run.objects.filter(pk=run.pk).update(state=Run.State.FAILED, attempts=4, problem="given up")
    stranger = access.principal_of(access.ensure_user(user_name="mallory"))
    with pytest.raises(NotAllowed):
        runs.retry_run(principal=stranger, run=run)
    again = runs.retry_run(principal=ann, run=run)
    assert (again.state, again.attempts, again.problem) == ("pending", 0, "")


def test_bytes_that_were_read_before_are_asked_about_a_name_that_comes_with_them_again(hand_in) -> None:
    hand_in(LINE * 2)
    assert not Run.objects.filter(procedure="querier_concentration@1").exists()
    hand_in(LINE * 2, names=["a.example"])
    assert Run.objects.get(procedure="querier_concentration@1").state == "succeeded"


def test_of_two_readings_that_end_at_once_the_later_sees_both_tables(case) -> None:
    with CaptureQueriesContext(connection) as said:
        runs.plan_follow_ups(case=case)
    locks, reads = (
        [query["sql"] for query in said if word in query["sql"]] for word in ("NO KEY UPDATE", "archive_runoutput")
    )
    assert len(locks) == 1 and 'FROM "archive_case"' in locks[0]
    order = [query["sql"] for query in said]
    assert order.index(locks[0]) < order.index(reads[0])
