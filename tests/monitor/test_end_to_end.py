"""A hundred thousand events in a running archive, read over HTTP, read on, and found out when its rows are changed."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.journeys.service import free_port
from tests.scratch import ROOT, Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.monitor.conftest import Look

EVENTS, MORE = 100_000, 700

FILL = """
import secrets
from django.utils import timezone
from archive import wiring
from archive.models import Case, CustodyEvent, PendingLeaf
from archive.services.custody import rfc3339, uuid7
from archive.services.sequencing import sequence_pending
from evidence.custody import event_bytes
from evidence.opening import Event, commitment

case, software = Case.objects.get(), wiring.software()

def made(n):
    # What record_event writes for each, many rows at a time.
    now, salt = timezone.now(), secrets.token_bytes(32)
    identifier = uuid7(now)
    text = event_bytes(Event(id=str(identifier), case=str(case.pk), type="access", time=rfc3339(now),
        agent_kind="software", agent_id="custos", objects=(), outcome="success", detail={{"n": n}}, software=software,
        sealed=()))
    return CustodyEvent(id=identifier, case=case, type="access", time=now, outcome="success", text=text.decode(),
        salt=salt, commitment=commitment(salt, text))

for start in range(0, {count}, 5000):
    events = CustodyEvent.objects.bulk_create(made(n) for n in range(start, min(start + 5000, {count})))
    PendingLeaf.objects.bulk_create(PendingLeaf(event=event) for event in events)
sequence_pending()
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scratch, str]]:
    """The archive's web processes over a large ledger, and the address of its log."""
    with Scratch(tmp_path_factory.mktemp("home")) as scratch:
        scratch.with_log(2)
        scratch.python(FILL.format(count=EVENTS))
        port = free_port()
        command = [
            sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread",
            "--workers", "2", "--threads", "8", "--no-control-socket", "--log-level", "critical",
        ]  # fmt: skip
        environment = scratch.environment | {"CUSTOS_PORT": str(port)}
        web = subprocess.Popen(command, env=environment, cwd=ROOT)
        try:
            url = f"http://127.0.0.1:{port}/log"
            _wait_for(f"{url}/checkpoint")
            yield scratch, url
        finally:
            web.terminate()
            web.wait(60)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            if httpx.get(url, timeout=30).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline, url
        time.sleep(0.1)


@pytest.mark.enable_socket
@pytest.mark.timeout(1200)
def test_a_running_archive_is_followed_and_found_out(running, tmp_path: Path, look: Look) -> None:
    scratch, url = running
    policy, keep = tmp_path / "policy.txt", tmp_path / "kept"
    policy.write_text(httpx.get(f"{url}/policy", timeout=30).text)
    read = ("--keep", keep)
    said = look(url, *read, policy=policy)
    assert said.status == 0, said
    assert said.of("log-root")[0]["message"] == f"{EVENTS + 2} leaves make the checkpoint's root"
    earlier = tmp_path / "earlier.checkpoint"
    earlier.write_bytes(httpx.get(f"{url}/checkpoint", timeout=30).content)

    scratch.python(FILL.format(count=MORE))
    said = look(url, *read, "--since", earlier, policy=policy)
    assert said.status == 0, said
    assert said.of("log-root")[0]["message"].startswith(f"{EVENTS + MORE + 2} leaves")
    assert len(said.of("checkpoint-consistency")) == 2

    scratch.tamper("UPDATE archive_tileroot SET hash = sha256(hash) WHERE level = 1 AND index = 300")
    said = look(url, *read, "--again", policy=policy)
    assert (said.status, said.wrong) == (1, {"tile-hashes"})
    assert [item["where"] for item in said.findings if item["level"] == "wrong"] == ["tile/1/001.p/137"]

    scratch.tamper("UPDATE archive_leaf SET hash = sha256(hash) WHERE index = 70000")
    said = look(url, "--since", earlier, policy=policy)
    assert (said.status, said.wrong) == (1, {"tile-hashes", "tile-entries"})
    assert said.of("tile-entries")[0]["message"] == "leaf 70000 is not the hash of its entry"

    scratch.tamper("DELETE FROM archive_leaf WHERE index = 80000")
    said = look(url, policy=policy)
    assert said.status == 1
    assert {"tile-entries", "tile-short"} <= said.wrong
    assert "answer-status" in said.codes("unchecked")
