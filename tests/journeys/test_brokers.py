"""The other brokers, from Debian's packages: a submission is sealed and read whichever one is in between."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.journeys.service import Service, free_port

pytestmark = [pytest.mark.xdist_group("lifecycle"), pytest.mark.timeout(300)]
LINE = b"04-May-2016 00:00:12.345 queries: info: client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"


@pytest.fixture
def redis(tmp_path: Path):
    port = free_port()
    process = subprocess.Popen(
        [
            shutil.which("redis-server") or "redis-server",
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(tmp_path),
            "--save",
            "",
        ],
        stdout=subprocess.DEVNULL,
    )
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.wait(10)


@pytest.fixture
def rabbitmq(tmp_path: Path):
    port = free_port()
    environment = {
        **os.environ, "RABBITMQ_NODENAME": f"custos{port}@localhost", "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_DIST_PORT": str(free_port()), "HOME": str(tmp_path),
        "RABBITMQ_MNESIA_BASE": str(tmp_path / "mnesia"), "RABBITMQ_LOG_BASE": str(tmp_path / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(tmp_path / "plugins"), "ERL_EPMD_PORT": str(free_port()),
        "RABBITMQ_PID_FILE": str(tmp_path / "pid"),
    }  # fmt: skip
    # Debian's wrapper wants its own system user; the program behind it runs as anybody.
    server = next(Path("/usr/lib/rabbitmq").glob("lib/*/sbin/rabbitmq-server"))
    process = subprocess.Popen(
        [str(server)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    yield f"amqp://guest:guest@127.0.0.1:{port}//"
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_the_main_job_runs_over_it(request, tmp_path: Path, broker: str) -> None:
    url = request.getfixturevalue(broker)
    service = Service(tmp_path / "home", CELERY_BROKER_URL=url).start()
    try:
        path = tmp_path / "a.log"
        path.write_bytes(LINE)
        token = service.token("ann")
        said = service.json("custos", "upload", str(path), "--case", "a", "--name", "a.example", token=token)
        begin = time.monotonic()
        row = service.json("custos", "wait", said["submission"], "--timeout", "60", token=token)
        assert {run["state"] for run in row["runs"]} == {"succeeded"}
        assert time.monotonic() - begin < 60
    finally:
        service.stop()
