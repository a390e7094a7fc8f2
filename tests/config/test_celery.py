"""The broker's app is the one that every thread finds."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from celery import current_app
from kombu.exceptions import OperationalError

from config.celery import app

ROOT = Path(__file__).resolve().parents[2]


def test_a_thread_of_the_web_server_nudges_by_the_configured_app() -> None:
    found = []
    thread = threading.Thread(target=lambda: found.append(current_app.main))
    thread.start()
    thread.join()
    assert found == [app.main] == ["custos"]


def test_the_operators_commands_nudge_by_it_too(tmp_path: Path) -> None:
    script = "from celery import current_app; print(current_app.main, current_app.conf.broker_url)"
    environment = os.environ | {"CUSTOS_HOME": str(tmp_path), "CELERY_BROKER_URL": "memory://"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "shell", "--no-imports", "-c", script], env=environment, cwd=ROOT,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["custos", "memory://"]


def test_nobody_waits_for_a_broker_that_is_away(monkeypatch) -> None:
    """The port is one that nobody listens at; without a limit Celery tries it a hundred times."""
    tried = []
    with app.connection_for_write(
        url="amqp://127.0.0.1:1//", transport_options=app.conf.broker_transport_options
    ) as connection:
        monkeypatch.setattr(connection, "_establish_connection", lambda: tried.append(1) or _refused())
        with pytest.raises(OperationalError):
            connection.default_channel  # noqa: B018 -- reading it connects
    assert len(tried) == 2


def _refused() -> None:
    raise ConnectionRefusedError
