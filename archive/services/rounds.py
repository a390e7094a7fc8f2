"""Rounds of work of which one runs at a time, in the whole database."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def one_at_a_time(lock: int) -> Iterator[bool]:
    """Whether the advisory lock was free; it is held until the end. PostgreSQL frees it if this process dies."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        free = bool(cursor.fetchone()[0])
        try:
            yield free
        finally:
            if free:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])
