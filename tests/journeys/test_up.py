"""`make up`: one at a time, stopped quickly and wholly, everything still there, and killed parts come back."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from config.env import conninfo
from tests.journeys.service import Service, free_port

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.xdist_group("lifecycle"), pytest.mark.timeout(300)]
LINE = b"04-May-2016 00:00:12.345 queries: info: client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"


@pytest.fixture
def own(tmp_path: Path):
    running = Service(tmp_path / "with spaces")
    yield running
    if running.process and running.process.poll() is None:
        running.stop()


def upload(service: Service, path: Path, token: str) -> dict:
    return service.json("custos", "upload", str(path), "--case", "own-case", "--name", "a.example", token=token)


def test_it_starts_says_where_and_stops_within_ten_seconds(own: Service, tmp_path: Path) -> None:
    own.start()
    assert own.wait_for("READY ").strip() == f"READY http://127.0.0.1:{own.port}"
    assert "/sign-in/" in own.wait_for("Sign in once as admin")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (own.home / "keys").iterdir()}
    assert len(modes) >= 5
    assert set(modes.values()) == {0o600}
    path = tmp_path / "a.log"
    path.write_bytes(LINE)
    said = upload(own, path, own.token("ann"))
    second = Service(own.home, free_port()).start(wait=False)
    assert f"running already for {own.home}: {own.url}" in second.wait_for("running already")
    assert second.process.wait(30) == 1
    assert own.stop(signal.SIGINT) < 10
    time.sleep(0.5)
    assert own.processes() == []
    ended = (own.home / "postgres.log").read_text().splitlines()[-1]
    assert "database system is shut down" in ended, "nobody waited for it, or it was killed"
    own.start()
    row = own.json("custos", "wait", said["submission"], token=own.token("ann"))
    assert (row["digest"], row["state"]) == (said["digest"], "sealed")
    assert own.stop() < 10


def test_a_taken_port_is_said(own: Service, tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other = Service(tmp_path / "home", taken.getsockname()[1]).start(wait=False)
        assert "CUSTOS_PORT" in other.wait_for("is taken by another program")
        assert other.process.wait(30) == 1


def pids(service: Service, *words: str) -> list[int]:
    return [int(line.split()[0]) for line in service.processes() if all(word in line for word in words)]


def test_a_worker_killed_in_the_middle_costs_a_delay_and_not_a_result(own: Service, tmp_path: Path) -> None:
    own.start()
    path = tmp_path / "large.log"
    path.write_bytes(LINE * 1_500_000)
    token = own.token("ann")
    said = upload(own, path, token)
    begin = time.monotonic()
    while time.monotonic() - begin < 60:
        row = _row(own, said, token)
        if any(run["state"] == "running" for run in row["runs"]):
            break
        time.sleep(0.05)
    for pid in pids(own, "celery"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for name in ("worker-1", "worker-2", "beat", "sequencer"):
        own.wait_for(f"the {name} process ended and is started again")
    row = own.json("custos", "wait", said["submission"], "--timeout", "150", token=token)
    assert [run["state"] for run in row["runs"]] == ["succeeded", "succeeded"]
    with psycopg.connect(conninfo_from(own.home)) as connection:
        query = "SELECT count(*) FROM archive_custodyevent WHERE type = 'creation'"
        assert connection.execute(query).fetchone() == (2,)
    own.stop()


def _row(service: Service, said: dict, token: str) -> dict:
    import httpx

    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{service.url}/api/v1/submissions/{said['submission']}", headers=headers, trust_env=False).json()


def conninfo_from(home: Path) -> str:
    saved = os.environ.pop("DATABASE_URL", None)
    try:
        return conninfo(home)
    finally:
        if saved is not None:
            os.environ["DATABASE_URL"] = saved


def test_a_database_killed_in_the_middle_loses_nothing_that_was_accepted(own: Service, tmp_path: Path) -> None:
    own.start()
    token = own.token("ann")
    said = []
    for n in range(3):
        path = tmp_path / f"{n}.log"
        path.write_bytes(LINE * (n + 1))
        said.append(upload(own, path, token))
    for pid in pids(own, "postgres", "-D"):
        os.kill(pid, signal.SIGKILL)
    own.wait_for("the database process ended and is started again", 60)
    own.wait_until_ready()
    for item in said:
        row = own.json("custos", "wait", item["submission"], "--timeout", "90", token=token)
        assert (row["state"], row["digest"]) == ("sealed", item["digest"])
        assert {run["state"] for run in row["runs"]} == {"succeeded"}
    own.stop()


def test_a_killed_supervisor_leaves_no_process(own: Service) -> None:
    own.start()
    os.kill(own.process.pid, signal.SIGKILL)
    own.process.wait(10)
    deadline = time.monotonic() + 20
    while own.processes() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert own.processes() == []
    own.start()
    assert own.stop() < 10


def test_a_terminal_that_closes_takes_the_demonstration_with_it(own: Service) -> None:
    own.start(wait=False, command=(sys.executable, "-m", "config.embedded.demo"))
    own.wait_for("READY ")
    os.killpg(own.process.pid, signal.SIGHUP)
    own.process.wait(30)
    deadline = time.monotonic() + 20
    while own.processes() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert own.processes() == []
