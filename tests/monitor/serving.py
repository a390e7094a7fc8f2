"""The archive's web processes over a scratch database, on a port of their own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx

from tests.journeys.service import free_port
from tests.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scratch import Scratch


@contextlib.contextmanager
def served(scratch: Scratch) -> Iterator[str]:
    """The address of the log."""
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread",
        "--workers", "2", "--threads", "8", "--no-control-socket", "--log-level", "critical",
    ]  # fmt: skip
    environment = scratch.environment | {"CUSTOS_PORT": str(port)}
    with (scratch.home / "web.log").open("wb") as said:
        web = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=said, stderr=said)
    try:
        url = f"http://127.0.0.1:{port}/log"
        wait_for(f"{url}/checkpoint")
        yield url
    finally:
        web.terminate()
        web.wait(60)


def wait_for(url: str) -> None:
    """Until it answers; its connections to the database may have to be made anew first."""
    deadline, said = time.monotonic() + 120, ""
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(url, timeout=30)
            if answer.status_code == httpx.codes.OK:
                return
            said = answer.text[:500]
        time.sleep(0.1)
    raise AssertionError(f"{url}: {said}")
