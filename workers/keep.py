"""On schedule: re-hash what is due, try the stores, look at the ledger again, tell the stores what cases ask for."""

from celery import shared_task

from archive.services import ledger_check, protecting, worm_check
from archive.services.fixity import check_due


@shared_task
def fixity() -> None:
    check_due()


@shared_task
def check_worm() -> None:
    worm_check.try_stores()


@shared_task
def look_for_stores() -> None:
    worm_check.look_for_those_away()


@shared_task
def check_ledger() -> None:
    ledger_check.check_ledger()


@shared_task
def apply_keeping(case_id: str) -> None:
    protecting.apply_keeping(case_id)
