"""After commit, nudge a worker by task name. The row is the truth: a lost message costs a delay, not a result."""

from __future__ import annotations

import psycopg
import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import KombuError

_log = structlog.get_logger(__name__)
_AWAY = (KombuError, OSError, psycopg.Error)  # the broker may itself be a database
_PATIENCE = 3  # seconds


def nudge(task: str, *arguments: str, expires: float | None = None) -> None:
    """Send `task` once the transaction in course is committed; the sweeper does it again if the broker is away.

    What expires, in seconds, is left undone if no worker is free by then: something else asks for it again.
    """
    transaction.on_commit(lambda: _send(task, arguments, expires), robust=True)


def _send(task: str, arguments: tuple[str, ...], expires: float | None) -> None:
    try:
        current_app.send_task(task, args=list(arguments), retry=False, expires=expires)
    except _AWAY as error:
        _log.warning("nudge_failed", task=task, error=str(error))


def broker_answers() -> bool:
    """Whether the broker can be reached now."""
    try:
        with current_app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=_PATIENCE)
    except _AWAY:
        return False
    return True
