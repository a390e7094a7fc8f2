"""Tasks do their one thing, and doing it twice changes nothing; the schedule names tasks that exist."""

from __future__ import annotations

import datetime as dt
import importlib
from pathlib import Path

import pytest
from django.utils import timezone

from archive import wiring
from archive.models import Alarm, Blob, Checkpoint, CustodyEvent, Fixity, Leaf, PendingLeaf, Pulse, Run, RunOutput
from archive.services import access, keeping, worm_check
from archive.services.alarms import raise_alarm
from archive.services.custody import record_event
from archive.storage.store import StoreError
from config.celery import app
from config.env import LEDGER_QUEUE
from tests.archive.services.conftest import LINE
from workers import derive, keep, seal, sequence, sweep

ROOM = Path(keep.__file__).parent


def events(kind: str) -> int:
    return CustodyEvent.objects.filter(type=kind).count()


def test_every_module_of_the_room_is_imported_by_the_worker_and_every_scheduled_task_exists() -> None:
    modules = {f"workers.{path.stem}" for path in ROOM.glob("*.py") if path.stem != "__init__"}
    assert set(app.conf.imports) == modules
    for name in modules:
        importlib.import_module(name)
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def test_sealing_twice_seals_once(hand_in) -> None:
    row = hand_in(LINE, work=False)
    for _ in range(2):
        seal.seal.apply(args=(str(row.pk),), throw=True)
    row.refresh_from_db()
    assert row.state == "sealed"
    assert (events("ingestion"), Blob.objects.filter(digest=row.blob_id).count()) == (1, 1)


def test_deriving_twice_makes_one_result(hand_in) -> None:
    row = hand_in(LINE, work=False)
    seal.seal.apply(args=(str(row.pk),), throw=True)
    run = Run.objects.get(state="pending")
    for _ in range(2):
        derive.derive.apply(args=(str(run.pk),), throw=True)
    run.refresh_from_db()
    assert run.state == "succeeded"
    assert RunOutput.objects.filter(run=run).count() == 3
    assert events("creation") == 1


def test_a_run_whose_lease_passed_is_taken_up_by_the_sweep(hand_in, django_capture_on_commit_callbacks, monkeypatch):
    row = hand_in(LINE, work=False)
    seal.seal.apply(args=(str(row.pk),), throw=True)
    lost = {"state": "running", "lease": timezone.now() - dt.timedelta(hours=1), "attempts": 1}
    Run.objects.filter(state="pending").update(**lost)
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr("archive.outbox._send", lambda task, arguments, _expires: sent.append((task, *arguments)))
    with django_capture_on_commit_callbacks(execute=True):
        sweep.sweep.apply(throw=True)
    run = Run.objects.get()
    assert ("workers.derive.derive", str(run.pk)) in sent
    derive.derive.apply(args=(str(run.pk),), throw=True)
    run.refresh_from_db()
    assert (run.state, run.attempts) == ("succeeded", 2)


def test_the_sweep_leaves_a_sign_of_life_and_wakes_the_sequencer_which_alone_signs(
    ann, django_capture_on_commit_callbacks, monkeypatch
) -> None:
    record_event(case=access.ensure_case(principal=ann, reference="case-a"), type="access", objects=[], detail={})
    sent: list[str] = []
    monkeypatch.setattr("archive.outbox._send", lambda task, arguments, _expires: sent.append(task))
    before = timezone.now()
    with django_capture_on_commit_callbacks(execute=True):
        sweep.sweep.apply(throw=True)
    assert Pulse.objects.get(name="worker").at >= before
    assert sent.count("workers.sequence.sequence") == 1
    assert not Checkpoint.objects.exists()
    sequence.sequence.apply(throw=True)
    assert Pulse.objects.get(name="sequencer").at >= before
    assert Checkpoint.objects.exists()
    sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        sweep.sweep.apply(throw=True)
    assert "workers.sequence.sequence" not in sent


def test_sequencing_twice_places_each_event_once(hand_in) -> None:
    row = hand_in(LINE, work=False)
    seal.seal.apply(args=(str(row.pk),), throw=True)
    for _ in range(2):
        sequence.sequence.apply(throw=True)
    assert Leaf.objects.count() == CustodyEvent.objects.count()
    assert sorted(Leaf.objects.values_list("index", flat=True)) == list(range(Leaf.objects.count()))


def test_what_was_lost_from_the_queue_is_put_back_and_placed(hand_in) -> None:
    row = hand_in(LINE, work=False)
    seal.seal.apply(args=(str(row.pk),), throw=True)
    waiting = PendingLeaf.objects.count()
    PendingLeaf.objects.all().delete()
    sequence.sequence.apply(throw=True)
    assert not Leaf.objects.exists()
    sweep.put_back.apply(throw=True)
    assert PendingLeaf.objects.count() == waiting > 0
    sequence.sequence.apply(throw=True)
    assert Leaf.objects.count() == waiting


def test_whoever_comes_first_wakes_the_sequencer(ann, django_capture_on_commit_callbacks, monkeypatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr("archive.outbox._send", lambda task, arguments, _expires: sent.append(task))
    case = access.ensure_case(principal=ann, reference="case-a")
    sequence.sequence.apply(throw=True)
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            for _ in range(3):
                record_event(case=case, type="access", objects=[], detail={})
    assert sent == ["workers.sequence.sequence"]
    sequence.sequence.apply(throw=True)
    with django_capture_on_commit_callbacks(execute=True):
        record_event(case=case, type="access", objects=[], detail={})
    assert sent == ["workers.sequence.sequence"] * 2


def test_the_sequencer_has_a_queue_of_its_own() -> None:
    assert app.amqp.router.route({}, "workers.sequence.sequence")["queue"].name == LEDGER_QUEUE
    assert app.amqp.router.route({}, "workers.derive.derive")["queue"].name == app.conf.task_default_queue


def test_fixity_on_schedule_looks_at_what_is_due_and_at_nothing_else(hand_in, settings) -> None:
    row = hand_in(LINE)
    settings.CUSTOS_FIXITY_DAYS = 1
    keep.fixity.apply(throw=True)
    assert not Fixity.objects.exists()
    settings.CUSTOS_FIXITY_DAYS = 0
    keep.fixity.apply(throw=True)
    assert Fixity.objects.filter(blob=row.blob).count() == 1
    assert events("fixity check") >= 1


def test_the_stores_are_tried_at_night_and_an_alarm_that_is_over_ends(hand_in) -> None:
    hand_in(LINE)
    store = min(item.store for item in wiring.store().challenge())
    raise_alarm(kind=worm_check.KIND, subject=store, text="it let one delete")
    keep.check_worm.apply(throw=True)
    assert Alarm.objects.get().ended is not None


def test_keeping_is_told_to_the_stores_or_tried_again(hand_in, ann) -> None:
    row = hand_in(LINE)
    case = keeping.change_keeping(principal=ann, case=row.case, copies=1, retain_until=None, hold=True)
    keep.apply_keeping.apply(args=(str(case.pk),), throw=True)
    case.refresh_from_db()
    assert case.kept
    case = keeping.change_keeping(principal=ann, case=case, copies=9, retain_until=None, hold=True)
    with pytest.raises(StoreError, match="9 copies"):  # so many stores there are not
        keep.apply_keeping.apply(args=(str(case.pk),), throw=True)
    case.refresh_from_db()
    assert not case.kept
