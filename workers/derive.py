"""When a run is planned: execute it."""

from uuid import UUID

from celery import shared_task

from archive.services.execution import execute_run


@shared_task
def derive(run_id: str) -> None:
    execute_run(UUID(run_id))
