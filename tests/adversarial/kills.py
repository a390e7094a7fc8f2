"""Uploads go on while web, workers, sequencer and PostgreSQL are killed at random moments; then all is counted.

By hand: `python -m tests.adversarial.kills --kills 200 --store both`. The moments and the victims' kinds come from the
seed; what each process does at that moment does not, so a run is another one each time.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from config.embedded.postgres import SUPERUSER
from config.env import EMBEDDED_DATABASE
from config.sockets import socket_folder
from tests.adversarial.clients import Client, Ledger
from tests.adversarial.reckoning import Reckoning, reckon
from tests.adversarial.victims import Victims
from tests.ceph import Ceph
from tests.journeys.service import Service

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIENTS = 4
LONGEST_GAP = 2.0  # seconds between two kills; the shortest is none at all


@dataclass(frozen=True, slots=True)
class Figures:
    """What a round gave."""

    store: str
    seed: int
    fsync: str
    seconds: float
    kills: collections.Counter[str]
    given_up: int
    begun: int
    cuts: int
    found: Reckoning

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kills.items()))
        found = self.found
        wrong = (found.lost, found.halves, found.doubled, found.broken)
        lost, halves, doubled, broken = map(len, wrong)
        lines = [
            f"store {self.store}, seed {self.seed}, PostgreSQL fsync {self.fsync}, {self.seconds:.0f} s of kills",
            f"killed: {self.kills.total()} ({kinds}); the supervisor gave up {self.given_up} times",
            f"uploads: {self.begun} begun, {found.acknowledged} acknowledged, {self.cuts} requests cut or refused",
            f"receipts verified: {found.receipts}, {found.in_the_storm} of them taken in the storm",
            f"leaves: {found.leaves}",
            f"lost {lost}, half-visible {halves}, doubled {doubled}, broken {broken}",
        ]
        return "\n".join([*lines, *found.problems])


def storm(folder: Path, *, kills: int, seed: int, store: str = "file", **environment: str) -> Figures:
    """One round on an installation of its own in `folder`."""
    dice, ledger, ended = random.Random(seed), Ledger(), threading.Event()
    service = Service(folder / "home", **environment)
    try:
        start(service)
        token = service.token("ann")
        conninfo = conninfo_of(service.home)
        clients = [Client(service.url, token, ledger, dice.getrandbits(32), ended) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        began = time.monotonic()
        killed, given_up = _kill(service, Victims(service, conninfo), kills, dice)
        seconds = time.monotonic() - began
        ended.set()
        service.wait_until_ready(300)
        for client in clients:
            client.join(600)
        service.stop()
        start(service)
        found = reckon(service, token, conninfo, ledger, folder / "receipts")
        fsync = _fsync(conninfo)
    finally:
        service.stop()
    return Figures(store, seed, fsync, seconds, killed, given_up, len(ledger.uploads), ledger.cuts, found)


def start(service: Service) -> None:
    """On a machine that does other things too."""
    service.start(wait=False)
    service.wait_for("Stop with", 300)


def _kill(service: Service, victims: Victims, kills: int, dice: random.Random) -> tuple[collections.Counter[str], int]:
    killed: collections.Counter[str] = collections.Counter()
    given_up = 0
    while killed.total() < kills:
        time.sleep(dice.uniform(0, LONGEST_GAP))
        if service.process is not None and service.process.poll() is not None:
            given_up += 1
            start(service)
        kind = dice.choice(sorted(victims.kinds))
        killed[kind] += victims.kill_one(kind, dice)
    return killed, given_up


def conninfo_of(home: Path) -> str:
    sockets = str(socket_folder(home / "pg"))
    return psycopg.conninfo.make_conninfo(host=sockets, user=SUPERUSER, dbname=EMBEDDED_DATABASE)


def _fsync(conninfo: str) -> str:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SHOW fsync").fetchone()
    return str(row[0]) if row else "unknown"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.adversarial.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--store", choices=("file", "ceph", "both"), default="both")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    said = parser.parse_args(argv)
    status = 0
    for store in ("file", "ceph") if said.store == "both" else (said.store,):
        folder = Path(tempfile.mkdtemp(prefix=f"custos-kills-{store}-"))
        folder.chmod(0o755)
        with ExitStack() as stack:
            environment = {}
            if store == "ceph":
                ceph = Ceph(folder / "ceph", 8 << 30)
                stack.callback(ceph.stop)
                environment = ceph.start().environment | {"CUSTOS_STORE": "s3://custos-kills/round"}
            figures = storm(folder / "service", kills=said.kills, seed=said.seed, store=store, **environment)
        print(figures, flush=True)  # noqa: T201 -- a command speaks on standard output
        if figures.found.problems:
            status = 1
            print(f"the state is kept in {folder}", flush=True)  # noqa: T201
        else:
            shutil.rmtree(folder)
    return status


if __name__ == "__main__":
    os.environ.pop("DATABASE_URL", None)
    sys.exit(main())
