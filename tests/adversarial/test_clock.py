"""The clock goes back by a day: events keep their order in the ledger, and nothing waits for the day to pass."""

from __future__ import annotations

import copy
import datetime as dt
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from celery.schedules import schedule
from django.utils import timezone

from archive import outbox
from archive.models import Run, Submission
from archive.services import health, runs, waiting
from config.celery import Steady, app
from tests.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.enable_socket
DAY = dt.timedelta(days=1)
PENDING = """
from archive.models import Case
from archive.services.custody import record_event
record_event(case=Case.objects.get(), type="access", objects=[], detail={"n": 0})
"""
SHOW = """
import json
from archive.models import CustodyEvent, Leaf
print(json.dumps({"pending": CustodyEvent.objects.filter(leaf=None).count(),
                  "days": [row.event.time.date().isoformat() for row in Leaf.objects.order_by("index")],
                  "indices": list(Leaf.objects.order_by("index").values_list("index", flat=True))}))
"""


def set_back(scratch: Scratch) -> Scratch:
    """The same installation whose processes believe that it is yesterday, by libfaketime."""
    found = shutil.which("faketime")
    assert found, "the tests need Debian's package faketime"
    earlier = copy.copy(scratch)  # whose own end closes what both have begun
    earlier.environment = scratch.environment | {
        "LD_PRELOAD": library(found),
        "FAKETIME": "-1d",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    return earlier


def library(program: str) -> str:
    """What that program preloads."""
    import subprocess

    said = subprocess.run([program, "-f", "-1d", "env"], capture_output=True, text=True, check=True).stdout
    return next(line for line in said.splitlines() if line.startswith("LD_PRELOAD=")).partition("=")[2]


def test_the_ledger_goes_on_when_the_clock_went_back(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch.with_log(3)
        scratch.python(PENDING)
        yesterday = set_back(scratch)
        yesterday.add_events(3)
        scratch.add_events(3)
        found = json.loads(scratch.python(SHOW))
        assert (found["pending"], found["indices"]) == (0, list(range(10)))
        assert len(set(found["days"])) == 2
        for who in (scratch, yesterday):
            assert "10 events, 10 leaves" in who.manage("check_ledger")
            who.manage("check_ledger", "--start")


@pytest.fixture
def nudged(monkeypatch) -> list[str]:
    """The tasks that are sent, in place of a broker."""
    sent: list[str] = []
    monkeypatch.setattr(outbox, "nudge", lambda task, *arguments: sent.append(task))
    return sent


def test_what_was_received_tomorrow_is_sealed_today(hand_in, nudged) -> None:
    row = hand_in(b"abc", work=False)
    nudged.clear()
    Submission.objects.filter(pk=row.pk).update(received=timezone.now() + DAY)
    waiting.nudge_what_waits()
    assert nudged == ["workers.seal.seal"]


def test_a_lease_of_tomorrow_holds_nobody_up(hand_in, nudged) -> None:
    row = hand_in(b"time,client,name\n2016-05-04T00:00:00Z,192.0.2.1,a.example\n")
    run = Run.objects.get(inputs__blob=row.blob)
    Run.objects.filter(pk=run.pk).update(state="running", lease=timezone.now() + DAY)
    nudged.clear()
    waiting.nudge_what_waits()
    assert nudged == ["workers.derive.derive"]
    assert runs.take_run(run.pk) is not None
    assert runs.take_run(run.pk) is None


def test_a_sign_of_life_of_tomorrow_is_none(db) -> None:
    health.leave_pulse("worker")
    assert health._pulse("worker", "it") == "ok"
    from archive.models import Pulse

    Pulse.objects.update(at=timezone.now() + DAY)
    assert "gave no sign" in health._pulse("worker", "it")


def test_the_schedule_does_not_wait_for_tomorrow() -> None:
    now = timezone.now()
    plain, steady = schedule(5.0, app=app), Steady(5.0, app=app)
    assert plain.is_due(now + DAY).next > 80_000
    assert steady.is_due(now + DAY).next <= 5
    assert steady.is_due(now - dt.timedelta(seconds=6)).is_due
    entries = app.conf.beat_schedule.values()
    assert all(isinstance(entry["schedule"], Steady) for entry in entries if not hasattr(entry["schedule"], "hour"))
