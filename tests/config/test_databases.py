"""The broker's schema: processes that meet a queue at the same moment do not fail each other."""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from config.embedded.databases import install_broker

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def conninfo() -> Iterator[str]:
    """A database of the test's own."""
    name = f"broker_{secrets.token_hex(6)}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield make_conninfo(os.environ["DATABASE_URL"], dbname=name)
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_many_ask_for_notifications_of_one_queue_at_once(conninfo: str) -> None:
    install_broker(conninfo)
    install_broker(conninfo)

    with psycopg.connect(conninfo) as connection:
        connection.execute("SELECT pgmq.create('celery')")

    def ask(_: int) -> None:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            for _ in range(30):
                connection.execute("SELECT pgmq.enable_notify_insert('celery', 0)")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SELECT throttle_interval_ms FROM pgmq.notify_insert_throttle").fetchone()
    assert row == (0,)
