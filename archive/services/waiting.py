"""What waits is sent again: what nobody picked up, and what did not work.

Rows are the truth; messages may be lost, attempts fail, or last for long. Whoever sends a row again writes into it
until when it is then left alone: a submission for as long again as it has waited, a case for twice as long as before.
So that holds whatever the trouble is, between workers and over a restart. What a person asks for is sent at once by the
service that takes it. While no store answers nothing is sent that needs one.

What was received and nobody took up is taken together: one message is enough for all, and whoever takes some looks
whether others are left. So nothing is sent for what comes behind another that waits.
"""

from __future__ import annotations

import datetime as dt
from itertools import accumulate
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from archive import outbox
from archive.models import Case, Run, Submission
from archive.services import worm_check
from archive.services.pauses import as_long_again
from archive.services.runs import free

if TYPE_CHECKING:
    import uuid

    from django.db.models import QuerySet

_SOON = dt.timedelta(seconds=5)
_LEAST = dt.timedelta(seconds=4)  # within the sweeper's turn, so that at first each turn counts
_SEALED_AGAIN, _STORE_AWAY = dt.timedelta(minutes=10), dt.timedelta(seconds=30)
_KEPT_AGAIN = dt.timedelta(hours=1)
_TOGETHER, _SMALL = 32, 1 << 20
"""So many submissions are taken together at most, and more than one only if they have so many bytes at most."""


def send_received(submission: Submission) -> None:
    """Have it sealed, unless one waits before it: whoever takes that one finds this one, too."""
    if not _untaken().filter(received__lt=submission.received).exists():
        outbox.nudge("workers.seal.seal_waiting")


def take_received() -> list[Submission]:
    """Some that wait, for the caller to seal now; if others are left, somebody else is sent for them."""
    with transaction.atomic():
        waiting = _untaken().select_related("case", "user", "blob").order_by("received")
        found = waiting.select_for_update(skip_locked=True, of=("self",))[:_TOGETHER]
        upto = accumulate(row.length for row in found)
        taken = [row for row, size in zip(found, upto, strict=True) if size <= _SMALL] or list(found[:1])
        Submission.objects.filter(pk__in=[row.pk for row in taken]).update(try_after=timezone.now() + _LEAST)
    if taken and _untaken().exists():
        outbox.nudge("workers.seal.seal_waiting")
    return taken


def _untaken() -> QuerySet[Submission]:
    return Submission.objects.filter(state=Submission.State.RECEIVED, try_after=None)


def nudge_what_waits() -> int:
    """Send again whatever is due; how much that was."""
    now = timezone.now()
    count, submissions, cases = _nudge_runs(now), _submissions(now), _cases(now)
    if (submissions.exists() or cases.exists()) and worm_check.does_one_answer():
        count += _nudge_submissions(submissions, now) + _nudge_cases(cases, now)
    return count


def _nudge_runs(now: dt.datetime) -> int:
    runs = Run.objects.filter(free(now)).filter(Q(lease__isnull=False) | _quiet("created", now))
    due = runs.values_list("pk", flat=True)
    for pk in due:
        outbox.nudge("workers.derive.derive", str(pk))
    return len(due)


def _submissions(now: dt.datetime) -> QuerySet[Submission]:
    """To be sealed, or sealed and to be recognised."""
    unread = Q(state=Submission.State.SEALED, read_as="")
    untold = Q(state=Submission.State.RECEIVING, offset=F("length")) & _quiet("created", now)
    waiting = (Q(state=Submission.State.RECEIVED) | unread) & _quiet("received", now) | untold
    return Submission.objects.filter(waiting, _due("try_after", now, _SEALED_AGAIN))


def _nudge_submissions(due: QuerySet[Submission], now: dt.datetime) -> int:
    """A store that is away is no reason to wait for long, a full one is."""
    longest = _STORE_AWAY if worm_check.stores_away().exists() else _SEALED_AGAIN
    count = 0
    for row in due:
        until = as_long_again(row.received or row.created, now, least=_LEAST, longest=longest)
        if _claim(due, row.pk, try_after=until):
            outbox.nudge("workers.seal.seal", str(row.pk))
            count += 1
    if count and _untaken().exists():  # behind what nobody picked up, for which nobody was sent either
        outbox.nudge("workers.seal.seal_waiting")
    return count


def _cases(now: dt.datetime) -> QuerySet[Case]:
    """Of whose keeping the stores were not told all."""
    return Case.objects.filter(_due("keep_after", now, _KEPT_AGAIN), kept=False)


def _nudge_cases(due: QuerySet[Case], now: dt.datetime) -> int:
    """Whatever became of it: nobody may have picked it up, it may be under way or have failed in any way."""
    count = 0
    for row in due:
        wait = min(2 * row.keep_wait, _KEPT_AGAIN) if row.keep_after and row.keep_wait else _LEAST
        if _claim(due, row.pk, keep_after=now + wait, keep_wait=wait):
            outbox.nudge("workers.keep.apply_keeping", str(row.pk))
            count += 1
    return count


def _quiet(column: str, now: dt.datetime) -> Q:
    """Some seconds old; what is of tomorrow was written before the clock was set back."""
    return Q(**{f"{column}__lt": now - _SOON}) | Q(**{f"{column}__gt": now + _SOON})


def _due(column: str, now: dt.datetime, longest: dt.timedelta) -> Q:
    """Not left alone, or no longer; later than any wait ends was written before the clock was set back."""
    return Q(**{column: None}) | Q(**{f"{column}__lte": now}) | Q(**{f"{column}__gt": now + longest})


def _claim(due: QuerySet[Submission] | QuerySet[Case], pk: uuid.UUID, **until: dt.datetime | dt.timedelta) -> bool:
    """Whether it is ours to send, and no other worker's."""
    return due.filter(pk=pk).update(**until) == 1
