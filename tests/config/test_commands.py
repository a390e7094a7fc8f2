"""Several commands in one process: in turn, and the first that fails is named and the last."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from config.env import ROOT

if TYPE_CHECKING:
    from pathlib import Path

WORKS, FAILS = ("shell", "--no-imports", "-c", "print('done')"), ("sign_in_link", "--user")


def run(home: Path, *words: str, broker: str = "memory://") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "config.embedded.commands", *words], cwd=ROOT, text=True, capture_output=True, check=False,
        env=os.environ | {"CUSTOS_HOME": str(home), "CELERY_BROKER_URL": broker},
    )  # fmt: skip


def test_each_is_run_in_turn(tmp_path: Path) -> None:
    done = run(tmp_path, *WORKS, ",", *WORKS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["done", "done"]


def test_one_that_fails_is_named_and_none_follows(tmp_path: Path) -> None:
    done = run(tmp_path, *FAILS, ",", *WORKS)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("manage.py sign_in_link: ")


def test_a_setting_that_is_not_understood_is_said_without_a_traceback(tmp_path: Path) -> None:
    done = run(tmp_path, *WORKS, broker="kafka://")
    assert (done.returncode, "CELERY_BROKER_URL" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
