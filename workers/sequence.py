"""When events are pending, and every two seconds: place them in the ledger."""

from celery import shared_task

from archive.services.sequencing import sequence_in_windows
from archive.services.witnessing import ask_before_the_first_signature


@shared_task
def sequence() -> None:
    ask_before_the_first_signature()
    sequence_in_windows()
