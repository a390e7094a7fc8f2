"""Every few seconds: a sign of life, the ledger's pending events, the rows that wait, and what was left."""

from celery import shared_task

from archive.services import unit_trees
from archive.services.health import leave_pulse
from archive.services.sequencing import nudge_if_one_waits, put_back_lost
from archive.services.sweeping import clear_staging
from archive.services.waiting import nudge_what_waits


@shared_task
def sweep() -> None:
    leave_pulse("worker")
    nudge_if_one_waits()
    nudge_what_waits()
    unit_trees.nudge_what_waits()
    clear_staging()


@shared_task
def put_back() -> None:
    put_back_lost()
