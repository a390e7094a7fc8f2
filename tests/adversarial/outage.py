"""S3 is gone for a while under a running service that people upload to; then all is counted.

By hand: `python -m tests.adversarial.outage --seconds 60 --how killed` (or `frozen`: connections are taken and nothing is
answered).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from client.api import Server
from tests.adversarial.clients import Client, Ledger
from tests.adversarial.kills import conninfo_of, start
from tests.adversarial.reckoning import Reckoning, reckon
from tests.ceph import Ceph
from tests.journeys.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CLIENTS = 2
LEAST = 3
"""Uploads that are acknowledged before, and again while the store is gone."""
PATIENCE = 300.0
NOT_READY = 503
WAYS = ("killed", "frozen")


@dataclass(frozen=True, slots=True)
class Said:
    """What people were told while the store was gone for so many seconds."""

    seconds: float
    readyz: dict[str, str]
    reading: str
    """To a reader of a sealed file."""
    waiting: str
    """Of a submission that waits."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a round gave."""

    how: str
    before: int
    during: int
    said: Said
    sealed_within: float
    found: Reckoning

    def __str__(self) -> str:
        found, said = self.found, self.said
        lost, halves, doubled, broken = map(len, (found.lost, found.halves, found.doubled, found.broken))
        lines = [
            f"the store was {self.how} for {said.seconds:.0f} s",
            f"acknowledged: {self.before} uploads before, {self.during} meanwhile, {found.acknowledged} in all",
            f"all were sealed {self.sealed_within:.0f} s after it came back",
            f"lost {lost}, half-visible {halves}, doubled {doubled}, broken {broken}",
            f"/readyz: {said.readyz}", f"to a reader: {said.reading}", f"of what waits: {said.waiting}",
        ]  # fmt: skip
        return "\n".join([*lines, *found.problems])


@dataclass(frozen=True, slots=True)
class Round:
    """An installation with people at work, and the store that will be gone."""

    service: Service
    server: Server
    token: str
    ledger: Ledger
    ceph: Ceph
    how: str

    def while_gone(self, seconds: float, sealed: str) -> Said:
        """Take the store away, look and listen, and give it back."""
        began, before = time.monotonic(), len(_acknowledged(self.ledger))
        killed = self.how == "killed"
        (self.ceph.stop_gateway if killed else self.ceph.freeze_gateway)()
        try:
            readyz = _wait(lambda: _not_ready(self.service), "/readyz does not say that the store is gone")
            _wait(lambda: len(_acknowledged(self.ledger)) >= before + LEAST, "nothing is taken while it is gone")
            # A frozen store is waited for longer than this; what is refused is told at once.
            reading = _refused(self.service, self.token, sealed) if killed else ""
            waiting = _wait(lambda: self.first("received").get("problem"), "nobody is told why") if killed else ""
            time.sleep(max(0.0, seconds - (time.monotonic() - began)))
        finally:
            (self.ceph.start_gateway if killed else self.ceph.thaw_gateway)()
        return Said(time.monotonic() - began, readyz, reading, str(waiting))

    def first(self, state: str) -> dict[str, Any]:
        """The newest acknowledged submission in this state; nothing if there is none."""
        rows = (self.server.steady(f"/api/v1/submissions/{name}") for name in reversed(_acknowledged(self.ledger)))
        return next((row for row in rows if row["state"] == state), {})


def outage(folder: Path, ceph: Ceph, *, how: str, seconds: float, prefix: str, seed: int = 1) -> Figures:
    """One round on an installation of its own in `folder`, whose bytes lie in Ceph under `prefix`."""
    dice, ledger, ended = random.Random(seed), Ledger(), threading.Event()
    service = Service(folder / "home", **ceph.environment, CUSTOS_STORE=f"s3://custos-outage/{prefix}")
    try:
        start(service)
        token = service.token("ann")
        clients = [Client(service.url, token, ledger, dice.getrandbits(32), ended) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        with Server(service.url, token) as server:
            at_work = Round(service, server, token, ledger, ceph, how)
            sealed = _wait(lambda: at_work.first("sealed").get("id"), "nothing was sealed")
            before = len(_acknowledged(ledger))
            said = at_work.while_gone(seconds, str(sealed))
            during, back = len(_acknowledged(ledger)) - before, time.monotonic()
            ended.set()
            for client in clients:
                client.join(PATIENCE)
            _wait(lambda: not at_work.first("received"), "not all was sealed")
            sealed_within = time.monotonic() - back
        service.wait_until_ready(PATIENCE)
        found = reckon(service, token, conninfo_of(service.home), ledger, folder / "receipts")
    finally:
        ended.set()
        service.stop()
    return Figures(how, before, during, said, sealed_within, found)


def _wait[Found](look: Callable[[], Found], otherwise: str) -> Found:
    """What is found, as soon as it is something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.2)
    raise AssertionError(otherwise)


def _acknowledged(ledger: Ledger) -> list[str]:
    return [upload.submission for upload in list(ledger.uploads) if upload.acknowledged]


def _not_ready(service: Service) -> dict[str, str]:
    answer = httpx.get(f"{service.url}/readyz", trust_env=False, timeout=PATIENCE)
    return dict(answer.json()["checks"]) if answer.status_code == NOT_READY else {}


def _refused(service: Service, token: str, submission: str) -> str:
    """What a reader is told."""
    address = f"{service.url}/api/v1/submissions/{submission}/content"
    answer = httpx.get(address, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=PATIENCE)
    return f"{answer.status_code} {answer.json()['detail']}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.adversarial.outage", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--how", choices=WAYS, default=WAYS[0])
    said = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="custos-outage-"))
    folder.chmod(0o755)
    ceph = Ceph(folder / "ceph")
    try:
        figures = outage(folder, ceph.start(), how=said.how, seconds=said.seconds, prefix="round")
    finally:
        ceph.stop()
    print(figures, flush=True)  # noqa: T201 -- a command speaks on standard output
    if figures.found.problems:
        print(f"the state is kept in {folder}", flush=True)  # noqa: T201
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    os.environ.pop("DATABASE_URL", None)
    sys.exit(main())
