"""When events are pending, and every two seconds: place them in the ledger."""

from celery import shared_task

from archive.services.sequencing import sequence_in_windows


@shared_task
def sequence() -> None:
    sequence_in_windows()
