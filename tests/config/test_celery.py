"""The broker's app is the one that every thread finds."""

from __future__ import annotations

import threading

from celery import current_app

from config.celery import app


def test_a_thread_of_the_web_server_nudges_by_the_configured_app() -> None:
    found = []
    thread = threading.Thread(target=lambda: found.append(current_app.main))
    thread.start()
    thread.join()
    assert found == [app.main] == ["custos"]
