"""Hostile bytes meet a process of their own: whatever stops it is said, and nothing else is harmed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from evidence.digest import Digest
from evidence.errors import ReadingError
from evidence.parsing import REPORT, parse
from evidence.sandbox import Limits, run_in_child

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = Limits(memory=4 << 30, seconds=600, file_size=1 << 30)
LINE = b"04-May-2016 00:00:12.345 client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"


def read(source: Path, folder: Path, limits: Limits = LIMITS, procedure: str = "parse.bind@2") -> dict[str, Path]:
    folder.mkdir()
    digests = {"source": Digest.of(source.read_bytes())}
    found = run_in_child(procedure, {"source": source}, digests, {}, folder, limits)
    return {output.name: output.path for output in found}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_bytes(LINE * 20_000)
    return path


def test_a_child_makes_the_same_bytes_as_the_caller_would(log: Path, tmp_path: Path) -> None:
    made = read(log, tmp_path / "child")
    (tmp_path / "here").mkdir()
    digests = {"source": Digest.of(log.read_bytes())}
    for output in parse("parse.bind@2", {"source": log}, digests, {}, tmp_path / "here"):
        assert made[output.name].read_bytes() == output.path.read_bytes()
    assert b'"rows":20000' in made[REPORT].read_bytes()


def test_too_little_memory_is_said_in_words(log: Path, tmp_path: Path) -> None:
    for mebibytes in (100, 200):  # too little for its threads, too little for what it reads
        with pytest.raises(ReadingError, match=f"stopped: it wanted more than {mebibytes} MiB of memory"):
            read(log, tmp_path / str(mebibytes), Limits(memory=mebibytes << 20, seconds=600, file_size=1 << 30))


def test_a_file_that_grows_too_large_is_the_disks_word(log: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File too large"):
        read(log, tmp_path / "out", Limits(memory=4 << 30, seconds=600, file_size=1 << 12))


def test_too_much_processor_time_is_said_in_words(tmp_path: Path) -> None:
    path = tmp_path / "slow"
    path.write_bytes((LINE[:-1] + rb" \032" + b"\n") * 3_000_000)
    with pytest.raises(ReadingError, match="more than 2 seconds of processor time"):
        read(path, tmp_path / "out", Limits(memory=4 << 30, seconds=2, file_size=1 << 30))


def test_what_a_reader_refuses_is_refused_in_its_words(log: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ReadingError, match="the store is damaged"):
        run_in_child("parse.bind@2", {"source": log}, {"source": Digest.of(b"x")}, {}, tmp_path / "out", LIMITS)


@pytest.mark.parametrize(
    "act",
    [
        "import socket; socket.socket()",
        "import subprocess; subprocess.run(['/bin/true'])",
        "import os; os.execv('/bin/true', ['true'])",
    ],
)
def test_a_confined_process_reaches_no_network_and_starts_no_program(act: str) -> None:
    script = f"from evidence.sandbox import Limits, confine\nconfine(Limits(8 << 30, 60, 1 << 20))\n{act}\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "PermissionError: [Errno 1] Operation not permitted" in done.stderr
    assert os.path.exists("/bin/true")  # noqa: PTH110 -- it is there, and was still not started


def test_a_reader_whose_parent_is_gone_already_does_not_stay(log: Path, tmp_path: Path) -> None:
    job = {
        "procedure": "parse.bind@2", "paths": {"source": str(log)}, "digests": {"source": str(Digest.of(b"x"))},
        "parameters": {}, "folder": str(tmp_path), "limits": [LIMITS.memory, LIMITS.seconds, LIMITS.file_size],
    }  # fmt: skip
    for parent, code in ((os.getpid(), 0), (os.getppid(), -signal.SIGKILL)):
        done = subprocess.run(
            [sys.executable, "-m", "evidence.child", str(parent)], input=json.dumps(job).encode(), capture_output=True,
            check=False,
        )  # fmt: skip
        assert (done.returncode, b"refused" in done.stdout) == (code, code == 0)
