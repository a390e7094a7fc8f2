"""Alarms: raised once for a subject, shown until they are over, counted in the metrics."""

from __future__ import annotations

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from archive.models import Alarm

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


def is_open(*, kind: str, subject: str) -> bool:
    return Alarm.objects.filter(kind=kind, subject=subject[:400], ended=None).exists()


def open_alarms() -> list[Alarm]:
    return list(Alarm.objects.filter(ended=None))
