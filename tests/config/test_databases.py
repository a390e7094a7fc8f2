"""The broker's schema: processes that meet a queue at the same moment do not fail each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg

from config.embedded.databases import install_broker


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


def test_a_queue_that_is_there_is_met_without_waiting_for_those_who_look_for_messages(conninfo: str) -> None:
    install_broker(conninfo)
    meet = ("SELECT pgmq.create('celery')", "SELECT pgmq.enable_notify_insert('celery', 0)")
    with psycopg.connect(conninfo) as connection:
        for call in meet:
            connection.execute(call)
    with psycopg.connect(conninfo) as looking, psycopg.connect(conninfo, options="-c lock_timeout=1000") as other:
        looking.execute("SELECT pgmq.read('celery', 30, 1)")
        for call in meet:
            other.execute(call)
        other.execute("SELECT pgmq.send('celery', '{}')")
