"""What lies in the embedded server: the database, the application's role, and the broker's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from pgmq.install import get_embedded_install_sql
from psycopg import sql

from config.env import APPLICATION_ROLE, EMBEDDED_DATABASE

if TYPE_CHECKING:
    from config.embedded.postgres import EmbeddedPostgres

_ANEW = "ALTER FUNCTION pgmq.enable_notify_insert(text, integer) RENAME TO enable_notify_insert_anew"
_KEEPING = b"""
CREATE OR REPLACE FUNCTION pgmq.create(queue_name text) RETURNS void AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM pgmq.meta m WHERE m.queue_name = $1) THEN
    PERFORM pgmq.create_non_partitioned($1);
  END IF;
END;
$$ LANGUAGE plpgsql;
CREATE OR REPLACE FUNCTION pgmq.enable_notify_insert(queue_name text, throttle_interval_ms integer DEFAULT 250)
RETURNS void AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('pgmq.enable_notify_insert'));
  IF NOT EXISTS (
    SELECT FROM pgmq.notify_insert_throttle t WHERE t.queue_name = $1 AND t.throttle_interval_ms = $2
  ) THEN
    PERFORM pgmq.enable_notify_insert_anew($1, $2);
  END IF;
END;
$$ LANGUAGE plpgsql;
"""
"""Every process asks for a queue and for its notifications when it first meets it. PGMQ makes both anew each time: it
fails where two do so at the same moment, and waits for every worker that is just looking for messages. So what is
there already is kept."""


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
        if not _exists(connection, "SELECT 1 FROM pg_proc WHERE proname = %s", "enable_notify_insert_anew"):
            connection.execute(_ANEW.encode())
        connection.execute(_KEEPING)


def _exists(connection: psycopg.Connection, query: str, value: str) -> bool:
    return connection.execute(query.encode(), [value]).fetchone() is not None
