"""What waits is sent again, at ever greater intervals, and at once when somebody asks or a store is back."""

from __future__ import annotations

import datetime as dt
import itertools
import os
from types import SimpleNamespace

import pytest
from django.utils import timezone

from archive import wiring
from archive.models import Alarm, Case, Fixity, Submission
from archive.services import intake, keeping, protecting, sealing, waiting, worm_check
from archive.storage import s3
from archive.storage.store import StoreError
from tests.archive.services.conftest import LINE

pytestmark = [pytest.mark.django_db, pytest.mark.enable_socket]
TURN = 5
NOBODY = "s3://custos/evidence?endpoint=http://127.0.0.1:9"
SEAL, ALL, KEEP = "workers.seal.seal", "workers.seal.seal_waiting", "workers.keep.apply_keeping"


@pytest.fixture
def turns(sent, monkeypatch):
    """Let the sweeper take its turns so many seconds after `begin`; at which of them something was sent."""

    def take(begin: dt.datetime, *times: range) -> list[int]:
        found = []
        for second in itertools.chain(*times):
            now = begin + dt.timedelta(seconds=second)
            monkeypatch.setattr(waiting, "timezone", SimpleNamespace(now=lambda now=now: now))
            sent.clear()
            found += [second] * waiting.nudge_what_waits()
        return found

    return take


@pytest.fixture
def use(settings, monkeypatch):
    """Other stores; nobody waits long for one of S3 that is away."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, os.environ.get(name, "x"))
    monkeypatch.setattr(s3, "_CONFIG", s3._QUICK)

    def stores(text: str) -> None:
        settings.CUSTOS_STORE = text
        wiring.store.cache_clear()

    return stores


def gaps(times: list[int]) -> list[int]:
    return [later - sooner for sooner, later in itertools.pairwise(times)]


def test_what_nobody_picked_up_is_found(hand_in, sent) -> None:
    row = hand_in(LINE, work=False)
    sent.clear()
    assert waiting.nudge_what_waits() == 0  # the message may be on its way
    Submission.objects.update(received=timezone.now() - dt.timedelta(minutes=1))
    assert waiting.nudge_what_waits() == 1
    assert sent == [(SEAL, str(row.pk))]
    assert waiting.nudge_what_waits() == 0  # another worker's sweeper


def test_behind_what_nobody_picked_up_the_rest_is_taken_together_again(hand_in, sent) -> None:
    lost, *_ = [hand_in(data, work=False) for data in (b"lost", b"behind it", b"behind them")]
    Submission.objects.filter(pk=lost.pk).update(received=timezone.now() - dt.timedelta(minutes=1))
    sent.clear()
    assert waiting.nudge_what_waits() == 1
    assert sent == [(SEAL, str(lost.pk)), (ALL,)]


def test_an_upload_that_is_ended_is_taken_at_once_though_the_sweeper_left_it_alone(ann, sent) -> None:
    row = intake.begin_submission(principal=ann, case_reference="case-a", length=3)
    Submission.objects.update(try_after=timezone.now() + dt.timedelta(minutes=9))
    intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=[b"abc"])
    assert sent == [(ALL,)]
    assert waiting.take_received() == [row]


def test_what_cannot_be_sealed_is_tried_at_every_turn_then_less_and_less_and_at_least_every_ten_minutes(
    hand_in, turns
) -> None:
    received = hand_in(LINE, work=False).received
    times = turns(received, range(0, 300, TURN), range(300, 3600, 60))
    assert times[:3] == [10, 20, 40]
    assert gaps(times) == sorted(gaps(times))
    assert gaps(times)[-1] == 600


def test_what_is_asked_of_the_stores_and_cannot_be_applied_is_tried_at_least_every_hour(hand_in, ann, turns) -> None:
    case = hand_in(b"abc").case
    case = keeping.change_keeping(principal=ann, case=case, copies=9, retain_until=None, hold=False)
    with pytest.raises(StoreError, match="1 of the files"):
        protecting.apply_keeping(str(case.pk))
    times = turns(Alarm.objects.get(kind=protecting.KIND).raised, range(0, 300, TURN), range(300, 6 * 3600, 300))
    assert times[:4] == [0, 5, 15, 35]
    assert gaps(times) == sorted(gaps(times))
    assert gaps(times)[-1] == 3600


def test_keeping_that_takes_long_and_has_no_alarm_is_sent_less_and_less_until_somebody_asks_anew(
    hand_in, ann, turns
) -> None:
    case = hand_in(b"abc").case
    Case.objects.update(kept=False)
    begin = timezone.now()
    assert turns(begin, range(0, 1800, TURN)) == [0, 5, 15, 35, 70, 135, 265, 525, 1040]
    keeping.change_keeping(principal=ann, case=case, copies=1, retain_until=None, hold=True)
    assert turns(begin, range(1800, 1820, TURN)) == [1800, 1805, 1815]


def test_whoever_asks_or_adds_has_it_tried_at_once(hand_in, ann, file_store) -> None:
    hand_in(b"def", case="case-b")
    row = hand_in(b"abc")

    def wait() -> None:
        Case.objects.update(kept=False, keep_after=timezone.now() + dt.timedelta(minutes=50))

    def waits() -> bool:
        return Case.objects.get(pk=row.case_id).keep_after is not None

    wait()
    keeping.change_keeping(principal=ann, case=row.case, copies=1, retain_until=None, hold=True)
    assert not waits()
    wait()
    hand_in(b"def")  # which the other case has, and asks less for
    assert not waits()
    wait()
    protecting.apply_keeping(str(row.case_id))
    assert not waits()
    assert Case.objects.get(pk=row.case_id).kept


def test_while_no_store_answers_nothing_is_sent_and_all_at_once_when_one_does(hand_in, sent, use, home) -> None:
    row = hand_in(LINE, work=False)
    Submission.objects.update(received=timezone.now() - dt.timedelta(hours=3))
    use(NOBODY)
    sent.clear()
    assert waiting.nudge_what_waits() == 0
    use(f"file:{home / 'store'}")
    assert waiting.nudge_what_waits() == 1
    assert sent == [(SEAL, str(row.pk))]


@pytest.fixture
def too_few(use, home, ann, sent):
    """A submission that waits for a second copy, which the store that is away cannot take."""
    use(f"file:{home / 'store'} {NOBODY}")
    row = intake.begin_submission(principal=ann, case_reference="case-a", length=3)
    Case.objects.update(copies=2)
    Alarm.objects.all().delete()
    intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=[b"abc"])
    with pytest.raises(StoreError, match="1 of 2 copies"):
        sealing.seal_submission(row.pk)
    row.refresh_from_db()
    return row


def test_one_of_several_stores_that_is_away_is_said_and_waited_for_half_a_minute_at_most(too_few, turns) -> None:
    alarm = Alarm.objects.get(ended=None)
    assert (alarm.kind, alarm.subject) == (worm_check.AWAY, "s3://custos/evidence")
    assert gaps(turns(too_few.received, range(0, 240, TURN)))[-1] == 30


def test_when_it_is_back_what_waited_is_tried_at_once(too_few, hand_in, monkeypatch) -> None:
    Submission.objects.update(try_after=timezone.now() + dt.timedelta(minutes=9), received=timezone.now())
    Case.objects.update(kept=False, keep_after=timezone.now() + dt.timedelta(minutes=50))
    hand_in(b"def", case="case-b")  # which the store that is away misses
    Fixity.objects.update(again=timezone.now() + dt.timedelta(hours=9))
    worm_check.look_for_those_away()
    assert Submission.objects.get(case__slug="case-a").try_after is not None
    # What the bucket would answer that is back is in tests/contracts; here it is any store that holds.
    present, away = wiring.stores()
    for act in ("probe", "prepare"):
        monkeypatch.setattr(away, act, lambda: None)
    monkeypatch.setattr(away, "challenge", present.challenge)
    worm_check.look_for_those_away()
    assert not Alarm.objects.filter(ended=None).exists()
    assert not Submission.objects.exclude(try_after=None).exists()
    assert not Case.objects.exclude(keep_after=None).exists()
    assert Fixity.objects.get().again <= timezone.now()


def test_a_wait_of_tomorrow_holds_nobody_up(hand_in, sent) -> None:
    hand_in(LINE, work=False)
    tomorrow = timezone.now() + dt.timedelta(days=1)
    Submission.objects.update(received=tomorrow, try_after=tomorrow)
    Case.objects.update(kept=False, keep_after=tomorrow)
    sent.clear()
    assert waiting.nudge_what_waits() == 2
    assert {task for task, *_ in sent} == {SEAL, KEEP}
