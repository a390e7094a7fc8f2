"""A worker goes on after the database ended under its hands."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
import pytest
from kombu import Connection, Consumer, Queue
from kombu.exceptions import OperationalError

from config.broker import register
from config.embedded import postgres
from config.embedded.databases import install_broker

if TYPE_CHECKING:
    from pathlib import Path

QUEUE = Queue("celery", routing_key="celery")


def test_a_message_whose_acknowledgement_failed_gives_its_place_back(conninfo: str) -> None:
    install_broker(conninfo)
    register()
    options = {"conn_string": conninfo, "init_extension": False, "use_notify": True}
    seen = []
    with Connection("pgmq://", transport_options=options) as connection, connection.channel() as channel:
        with connection.Producer(channel) as producer:
            for number in range(2):
                producer.publish({"number": number}, routing_key="celery", declare=[QUEUE])
        consumer = Consumer(channel, [QUEUE], callbacks=[lambda _, message: seen.append(message)], prefetch_count=1)
        with consumer:
            _until(connection, seen, 1)
            _end_connections(conninfo)
            with pytest.raises(psycopg.OperationalError):
                seen[0].ack()
            _until(connection, seen, 2)
            seen[1].ack()
    assert [message.payload["number"] for message in seen] == [0, 1]


def test_whoever_waits_for_messages_hears_of_them_after_the_database_was_away(tmp_path: Path) -> None:
    """Kombu makes the connection anew in its place: the consumer is not told, and must not lose its channel by it."""
    register()
    server = postgres.start(tmp_path)
    conninfo = server.conninfo("postgres")
    install_broker(conninfo)
    options = {"conn_string": conninfo, "init_extension": False, "use_notify": True, "pool_timeout": 0.5}
    seen = []
    try:
        with (
            Connection("pgmq://", transport_options=options) as connection,
            connection.channel() as channel,
            Consumer(channel, [QUEUE], callbacks=[lambda _, message: seen.append(message)], prefetch_count=1),
        ):
            server.stop()
            with pytest.raises(psycopg.OperationalError):
                connection.drain_events(timeout=2)
            server = postgres.start(tmp_path)
            with Connection("pgmq://", transport_options=options) as other, other.Producer() as producer:
                producer.publish({"number": 1}, routing_key="celery", declare=[QUEUE])
            _until(connection, seen, 1)
            seen[0].ack()
    finally:
        server.stop()


def test_a_database_that_is_away_leaves_no_pool_behind() -> None:
    """The port is one that nobody listens at; a pool left open would go on trying, and end in whatever thread comes by."""
    register()
    before = set(threading.enumerate())
    options = {"conn_string": "postgresql://127.0.0.1:1/none", "init_extension": False, "pool_timeout": 0.2}
    with Connection("pgmq://", transport_options=options) as connection, pytest.raises(OperationalError):
        connection.ensure_connection(max_retries=1, timeout=5)
    assert {thread.name for thread in threading.enumerate() if thread not in before} == set()


def _until(connection: Connection, seen: list, count: int) -> None:
    for _ in range(30):
        if len(seen) >= count:
            return
        with suppress(socket.timeout, psycopg.OperationalError):
            connection.drain_events(timeout=2)
    raise AssertionError(f"only {len(seen)} of {count} messages came")


def _end_connections(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(query)
