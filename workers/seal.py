"""When submissions have been received: seal them together, or by itself what did not go with the others."""

from uuid import UUID

from celery import shared_task

from archive.services import sealing


@shared_task
def seal(submission_id: str) -> None:
    sealing.seal_submission(UUID(submission_id))


@shared_task
def seal_waiting() -> None:
    sealing.seal_waiting()
