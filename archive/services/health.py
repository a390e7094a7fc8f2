"""Whether the parts answer: the pulse that a worker leaves, and what readiness asks."""

from __future__ import annotations

import datetime as dt

from django.db import DatabaseError, connection
from django.utils import timezone

from archive import outbox, wiring
from archive.models import Alarm, Pulse
from archive.services import ledger_check, publication, sequencing, worm_check
from archive.storage.store import StoreError

STALE = dt.timedelta(seconds=30)
_STARTED_BY = {
    "worker": "celery -A config.celery worker", "sequencer": "celery -A config.celery worker --queues ledger"
}  # fmt: skip


def leave_pulse(name: str) -> None:
    Pulse.objects.update_or_create(name=name, defaults={"at": timezone.now()})


def readiness() -> dict[str, str]:
    """Each part with `ok` or what is wrong."""
    checks = {"database": _database, "store": _store, "ledger": _ledger, "broker": _broker}
    pulses = {name: _pulse(name, start) for name, start in _STARTED_BY.items()}
    return {name: check() for name, check in checks.items()} | pulses


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"does not answer: {error}"
    return "ok"


def _store() -> str:
    try:
        wiring.store().probe()
        worm_check.ensure_stores_hold()
    except (StoreError, DatabaseError) as error:
        return str(error)
    return "ok"


def _ledger() -> str:
    kinds = (ledger_check.KIND, sequencing.STOPPED, publication.AHEAD, publication.UNKEPT)
    try:
        broken = Alarm.objects.filter(kind__in=kinds, ended=None).first()
    except DatabaseError:
        return "unknown: the database does not answer"
    return f"{broken.subject}: {broken.text}" if broken else "ok"


def _broker() -> str:
    return "ok" if outbox.broker_answers() else "cannot be reached; see CELERY_BROKER_URL"


def _pulse(name: str, start: str) -> str:
    try:
        pulse = Pulse.objects.filter(name=name).first()
    except DatabaseError:
        return "unknown: the database does not answer"
    if pulse is None or abs(timezone.now() - pulse.at) > STALE:  # one of tomorrow is from before the clock was set back
        return f"gave no sign for {STALE.seconds} seconds; start {start}, and beat"
    return "ok"
