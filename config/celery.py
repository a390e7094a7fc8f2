"""The Celery app: broker, the tasks' modules, and the schedule, which lies here in the open and under review."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.schedules import crontab, schedule
from celery.signals import setup_logging, worker_ready
from django.apps import apps
from django.conf import settings
from django_structlog.celery.steps import DjangoStructLogInitStep

from config import broker, env

if TYPE_CHECKING:
    import datetime as dt

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


_IMPATIENT = {"max_retries": 1, "interval_start": 0.0, "interval_step": 0.2, "interval_max": 0.2}
"""Whoever nudges does not wait for a broker that is away: the row stands, and the sweeper nudges again."""


def _transport_options(address: str) -> dict[str, Any]:
    """PGMQ needs a libpq string, as it misreads a URI with a socket's path; the schema is installed beforehand."""
    if not address.startswith("pgmq"):
        return {"visibility_timeout": 600, **_IMPATIENT}
    return {
        **_IMPATIENT,
        "conn_string": settings.CUSTOS_CONNINFO,
        "init_extension": False,
        "use_notify": True,
        "notify_throttle_interval_ms": 0,  # else a message soon after another one waits for the next poll
        "visibility_timeout": 600,
        "pool_timeout": 5.0,  # seconds; a worker that is to end while the database is away would wait for half a minute
    }


class Steady(schedule):
    """So many seconds; a clock that is set back does not lengthen them: what ran tomorrow counts as having run now."""

    def is_due(self, last_run_at: dt.datetime) -> Any:
        return super().is_due(min(self.maybe_make_aware(last_run_at), self.now()))


broker.register()
app = Celery("custos", broker=settings.CELERY_BROKER_URL)
app.set_default()  # the web server's threads nudge by this app as well
app.conf.update(
    imports=[
        f"workers.{name}" for name in ("seal", "derive", "sequence", "sweep", "keep", "cosign", "timestamp", "plant")
    ],
    broker_transport_options=_transport_options(settings.CELERY_BROKER_URL),
    broker_connection_retry_on_startup=True,
    task_routes={"workers.sequence.sequence": {"queue": env.LEDGER_QUEUE}},
    task_ignore_result=True,
    broker_heartbeat=0,  # a worker without a pool does not beat while it works; the broker would take it for dead
    worker_enable_remote_control=False,  # nobody commands workers; PGMQ has no exchange for it
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    timezone="UTC",
    beat_schedule={
        "fixity": {"task": "workers.keep.fixity", "schedule": Steady(60.0), "options": {"expires": 60}},
        "check_worm": {"task": "workers.keep.check_worm", "schedule": crontab(hour=3, minute=30)},
        "stores": {"task": "workers.keep.look_for_stores", "schedule": Steady(30.0), "options": {"expires": 30}},
        "check_ledger": {"task": "workers.keep.check_ledger", "schedule": crontab(hour=4, minute=30)},
        "cosign": {"task": "workers.cosign.cosign", "schedule": Steady(10.0), "options": {"expires": 10}},
        "timestamp": {"task": "workers.timestamp.timestamp", "schedule": Steady(15.0), "options": {"expires": 15}},
        "sequence": {"task": "workers.sequence.sequence", "schedule": Steady(2.0), "options": {"expires": 2}},
        "put_back": {"task": "workers.sweep.put_back", "schedule": Steady(600.0), "options": {"expires": 600}},
        "sweep": {"task": "workers.sweep.sweep", "schedule": Steady(5.0), "options": {"expires": 5}},
    },
)
app.steps["worker"].add(DjangoStructLogInitStep)


@setup_logging.connect
def _logs_as_configured(**_: object) -> None:
    """Keep Django's logging: Celery would otherwise put its own in place."""


@worker_ready.connect
def _look_for_what_lies_there(**_: object) -> None:
    """What was left by the last worker does not wait for the schedule."""
    app.send_task("workers.sweep.sweep", expires=5)


if not apps.ready:
    import django

    django.setup()
