"""When a submission has been received: seal it."""

from uuid import UUID

from celery import shared_task

from archive.services.sealing import seal_submission


@shared_task
def seal(submission_id: str) -> None:
    seal_submission(UUID(submission_id))
