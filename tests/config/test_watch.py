"""What ends is started again; what ends again and again is given up, unless it stayed up in between."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from config.embedded.postgres import PostgresError
from config.embedded.processes import Child
from config.embedded.watch import RESTARTS, STAYED, GivenUpError, Watched

if TYPE_CHECKING:
    from pathlib import Path


class Programs:
    """Programs that have ended when they are looked at."""

    def __init__(self, log: Path) -> None:
        self.log, self.started = log, 0

    def __call__(self) -> Child:
        self.started += 1
        process = subprocess.Popen([sys.executable, "-S", "-c", ""])
        process.wait()
        return Child("web", process, self.log)


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    log = tmp_path / "web.log"
    log.write_text("it said why\n")
    return Programs(log)


def tend_until_started(part: Watched, programs: Programs, now: float) -> float:
    """When that was."""
    before = programs.started
    while programs.started == before:
        part.tend(now)
        now += 0.5
    return now


def test_each_time_it_waits_longer_and_then_gives_up(programs: Programs) -> None:
    part, now = Watched(programs(), programs, 0.0), 0.0
    waits = []
    for _ in range(RESTARTS):
        began, now = now, tend_until_started(part, programs, now)
        waits.append(now - began)
    assert waits == sorted(set(waits))
    with pytest.raises(GivenUpError, match=r"6 times in a row(?s:.*)it said why"):
        part.tend(now)


def test_what_stayed_is_forgiven(programs: Programs) -> None:
    part, now = Watched(programs(), programs, 0.0), 0.0
    for _ in range(RESTARTS * 3):
        now = tend_until_started(part, programs, now + STAYED + 1)
    assert part.ends == 1


def test_a_database_whose_memory_is_still_held_is_tried_again(programs: Programs, capsys) -> None:
    answers = iter([PostgresError("shared memory block is still in use\nmore"), None])

    def start() -> Child:
        answer = next(answers)
        if answer:
            raise answer
        return programs()

    part = Watched(programs(), start, 0.0)
    part.tend(1.0)
    assert "still in use" in capsys.readouterr().out
    tend_until_started(part, programs, 1.5)
    assert part.ends == 2
