"""The ledger continues itself: order, checkpoints, proofs, and what keeps it from signing."""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.db.models.signals import post_init
from django.utils import timezone

from archive.models import Alarm, Checkpoint, CustodyEvent, Leaf
from archive.services import access, custody, finding, publication, sequencing
from archive.services.receipts import issue_receipt
from archive.services.refusals import BadInput, NotReady
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
