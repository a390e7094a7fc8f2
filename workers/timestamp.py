"""Every quarter of a minute: ask the timestamp authorities whose turn it is."""

from celery import shared_task

from archive.services.timestamps import stamp_due


@shared_task
def timestamp() -> None:
    stamp_due()
