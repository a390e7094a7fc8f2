"""Alarms: raised once for a subject, shown until they are over, counted in the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from archive.models import Alarm

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_log = structlog.get_logger(__name__)


def raise_alarm(*, kind: str, subject: str, text: str) -> None:
    """An open alarm of this kind for this subject; its text is the newest."""
    _log.error("alarm", kind=kind, subject=subject, text=text)
    try:
        with transaction.atomic():
            Alarm.objects.create(kind=kind, subject=subject[:400], text=text)
    except IntegrityError:
        Alarm.objects.filter(kind=kind, subject=subject[:400], ended=None).update(text=text)


def end_alarm(*, kind: str, subject: str) -> bool:
    """Whether there was one."""
    was_open = bool(Alarm.objects.filter(kind=kind, subject=subject[:400], ended=None).update(ended=timezone.now()))
    if was_open:
        _log.warning("alarm_over", kind=kind, subject=subject)
    return was_open


def end_alarms_of_others(*, kinds: Collection[str], subjects: Iterable[str]) -> None:
    """Of those that are no longer named: nobody would ask them again."""
    named = [subject[:400] for subject in subjects]
    for alarm in Alarm.objects.filter(kind__in=kinds, ended=None).exclude(subject__in=named):
        end_alarm(kind=alarm.kind, subject=alarm.subject)


def is_open(*, kind: str, subject: str) -> bool:
    return Alarm.objects.filter(kind=kind, subject=subject[:400], ended=None).exists()


def open_alarms() -> list[Alarm]:
    return list(Alarm.objects.filter(ended=None))
