"""Rows changed by somebody who owns the server, for tests that run in its transaction; else `Scratch.tamper`."""

from __future__ import annotations

from django.db import connection


def tamper(statement: str, *values: object) -> None:
    """Run SQL with the triggers taken away, once what came before it is through all checks."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, values or None)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
