"""Child processes that do not outlive their parent: started with a log file each, stopped within seconds."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Called in the child: the kernel sends it this signal when the parent is gone, however it went.

    What is only asked to end may wait for a database that ends too, and nobody is left to see to it; all that is done
    by these processes can be cut off anywhere.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, number)


@dataclass(frozen=True, slots=True)
class Child:
    """A running program, its name and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None


def start(name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> Child:
    """Start a program in a session of its own, so that a terminal's Ctrl-C reaches only the supervisor."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, start_new_session=True, preexec_fn=die_with_parent,  # noqa: PLW1509 -- no threads yet
        )  # fmt: skip
    return Child(name, process, log)


def stop(children: Sequence[Child], patience: float) -> None:
    """Ask all to end, wait together, then end what is left of their groups."""
    for child in children:
        if not child.ended:
            child.process.terminate()
    deadline = time.monotonic() + patience
    for child in children:
        try:
            child.process.wait(max(0.05, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            continue
    for child in children:
        _kill_group(child.process.pid)
        child.process.wait(2)


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def tail(path: Path, lines: int = 15) -> str:
    """The end of a log, for a message."""
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
