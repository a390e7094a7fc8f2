"""What lies in the embedded server: the database, the application's role, and the broker's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from pgmq.install import get_embedded_install_sql
from psycopg import sql

from config.env import APPLICATION_ROLE, EMBEDDED_DATABASE

if TYPE_CHECKING:
    from config.embedded.postgres import EmbeddedPostgres

_IN_TURN = b"""
ALTER FUNCTION pgmq.enable_notify_insert(text, integer) RENAME TO enable_notify_insert_alone;
CREATE FUNCTION pgmq.enable_notify_insert(queue_name text, throttle_interval_ms integer DEFAULT 250) RETURNS void AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('pgmq.enable_notify_insert'));
  PERFORM pgmq.enable_notify_insert_alone(queue_name, throttle_interval_ms);
END;
$$ LANGUAGE plpgsql;
"""
"""Every process asks for notifications when it first meets a queue; PGMQ fails where two do so at the same moment."""


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
        if not _exists(connection, "SELECT 1 FROM pg_proc WHERE proname = %s", "enable_notify_insert_alone"):
            connection.execute(_IN_TURN)


def _exists(connection: psycopg.Connection, query: str, value: str) -> bool:
    return connection.execute(query.encode(), [value]).fetchone() is not None
