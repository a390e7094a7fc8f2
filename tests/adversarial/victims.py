"""Which process to kill: those of one installation, found by what they are and by what they do at that moment."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.journeys.service import Service

HELD = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
    " AND (classid::bigint << 32) + objid::bigint = 74171727245171"  # archive/services/sequencing.py, _LOCK
)
PATIENCE = 1.0  # seconds in which somebody is to be caught with the sequencer's lock


class Victims:
    """The installation's processes by kind."""

    def __init__(self, service: Service, conninfo: str) -> None:
        self._service, self._conninfo = service, conninfo
        self.kinds: dict[str, Callable[[], list[int]]] = {
            "web worker": lambda: self._named("gunicorn", children=True),
            "web": lambda: self._named("gunicorn", children=False),
            "worker": lambda: self._named("worker-", children=False),
            "celery": lambda: self._named("celery", children=False),
            "sequencer": self._sequencer,
            "postgres backend": lambda: self._holders() or self._backends(),
            "postgres": self._postmaster,
        }

    def kill_one(self, kind: str, dice: random.Random) -> bool:
        """SIGKILL for one process of the kind, if there is one just now."""
        found = self.kinds[kind]()
        if not found:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(dice.choice(found), signal.SIGKILL)
            return True
        return False

    def _named(self, word: str, *, children: bool) -> list[int]:
        pids = [int(line.split()[0]) for line in self._service.processes() if word in line]
        return sorted(pid for pid in pids if (_parent(pid) in pids) == children)

    def _postmaster(self) -> list[int]:
        return self._named("\0-D\0", children=False)

    def _backends(self) -> list[int]:
        return [pid for master in self._postmaster() for pid in _children(master) if _serves(pid)]

    def _holders(self) -> list[int]:
        """Backends that hold the sequencer's lock, as soon as there is one."""
        deadline = time.monotonic() + PATIENCE
        with contextlib.suppress(psycopg.Error), psycopg.connect(self._conninfo, autocommit=True) as connection:
            while time.monotonic() < deadline:
                if found := [row[0] for row in connection.execute(HELD).fetchall()]:
                    return found
        return []

    def _sequencer(self) -> list[int]:
        """The processes at the other end of those backends' sockets, or those that wait to be."""
        found = [pid for backend in self._holders() for pid in _peers(backend)]
        return found or self._named("sequencer@", children=False)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _serves(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"custos_app" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _peers(backend: int) -> list[int]:
    """Who is connected to a process by Unix sockets, as ss tells it."""
    said = subprocess.run(["ss", "-xpnH"], capture_output=True, text=True, check=True).stdout
    lines = [(line.split(), re.findall(r"pid=(\d+)", line)) for line in said.splitlines()]
    ends = {fields[7] for fields, pids in lines if str(backend) in pids}
    return [int(pid) for fields, pids in lines if fields[5] in ends for pid in pids if int(pid) != backend]
