"""When events are pending, and every two seconds: a sign of life, and their places in the ledger."""

from celery import shared_task

from archive.services.health import leave_pulse
from archive.services.sequencing import sequence_in_windows
from archive.services.witnessing import ask_before_the_first_signature


@shared_task
def sequence() -> None:
    leave_pulse("sequencer")
    ask_before_the_first_signature()
    sequence_in_windows()
