"""When a checkpoint was signed, and every few seconds: ask the witnesses."""

from celery import shared_task

from archive.services.witnessing import cosign_newest


@shared_task
def cosign() -> None:
    cosign_newest()
