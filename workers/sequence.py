"""When events are pending: place them in the ledger."""

from celery import shared_task

from archive.services.sequencing import sequence_pending


@shared_task
def sequence() -> None:
    sequence_pending()
