"""What lies in the embedded server: the database, the application's role, and the broker's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from pgmq.install import get_embedded_install_sql
from psycopg import sql

from config.env import APPLICATION_ROLE, EMBEDDED_DATABASE

if TYPE_CHECKING:
    from config.embedded.postgres import EmbeddedPostgres


def prepare(server: EmbeddedPostgres) -> str:
    """Database and role, made where they are missing; the owner's libpq string."""
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", APPLICATION_ROLE):
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(APPLICATION_ROLE)))
        if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", EMBEDDED_DATABASE):
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(EMBEDDED_DATABASE)))
        grant = sql.SQL("GRANT CREATE ON DATABASE {} TO {}")
        connection.execute(grant.format(sql.Identifier(EMBEDDED_DATABASE), sql.Identifier(APPLICATION_ROLE)))
    return server.conninfo(EMBEDDED_DATABASE)


def install_broker(conninfo: str) -> None:
    """PGMQ's schema, owned by the application's role: messages are not evidence."""
    with psycopg.connect(conninfo) as connection:
        if not _exists(connection, "SELECT 1 FROM pg_namespace WHERE nspname = %s", "pgmq"):
            connection.execute(get_embedded_install_sql().encode())


def _exists(connection: psycopg.Connection, query: str, value: str) -> bool:
    return connection.execute(query.encode(), [value]).fetchone() is not None
