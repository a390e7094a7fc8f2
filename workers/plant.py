"""When a file was sealed and it is known what it is: plant its unit tree."""

from celery import shared_task

from archive.services.unit_trees import plant_tree


@shared_task
def plant(digest: str) -> None:
    plant_tree(digest)
