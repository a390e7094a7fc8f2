"""What killed processes left behind goes; what somebody may still want stays."""

from __future__ import annotations

import os
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from archive.models import Run
from archive.services import execution, intake, runs, sealing
from archive.services.sweeping import clear_staging
from tests.archive.services.conftest import LINE
from workers import sweep

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db


def left_by(run: Run, home: Path) -> Path:
    folder = home / "staging" / f"run-{run.pk}-killed"
    folder.mkdir()
    (folder / "table.parquet").write_bytes(b"half")
    return folder


def planned(hand_in) -> Run:
    sealing.seal_submission(hand_in(LINE, work=False).pk)
    return Run.objects.get()


@pytest.mark.parametrize("state", ["pending", "succeeded", "failed"])
def test_folders_of_runs_that_nobody_executes_go(hand_in, home, state: str) -> None:
    run = planned(hand_in)
    folder = left_by(run, home)
    Run.objects.update(state=state)
    assert clear_staging() == 1
    assert not folder.exists()


def test_a_folder_in_use_stays_and_one_of_no_run_goes(hand_in, home) -> None:
    run = runs.take_run(planned(hand_in).pk)
    folder, unknown = left_by(run, home), left_by(Run(pk=uuid.uuid4()), home)
    sweep.sweep.apply(throw=True)
    assert (folder.exists(), unknown.exists()) == (True, False)


def test_a_run_that_is_taken_again_clears_what_its_last_attempt_left(hand_in, home) -> None:
    run = planned(hand_in)
    folder = left_by(run, home)
    execution.execute_run(run.pk)
    assert not folder.exists()
    assert list((home / "staging").iterdir()) == []


def test_bytes_of_submissions_go_when_they_are_sealed_or_refused_and_not_before(hand_in, ann, home) -> None:
    begun = intake.begin_submission(principal=ann, case_reference="a", length=6)
    intake.append_bytes(principal=ann, submission_id=begun.pk, offset=0, chunks=[b"abc"])
    received = hand_in(b"def", work=False)
    sealed = hand_in(b"ghi")
    refused = hand_in(b"jkl", declared_digest="0" * 64)
    for row in (sealed, refused):
        intake.staged_file(row.pk).touch()  # as a request that comes late, or a kill, would leave it
    assert clear_staging() == 2
    assert {path.name for path in (home / "staging").iterdir()} == {str(begun.pk), str(received.pk)}


def test_what_was_read_out_of_a_store_goes_after_a_day(home) -> None:
    staging = home / "staging"
    staging.mkdir()
    old, new = staging / "s3-old", staging / "s3-new"
    for path in (old, new):
        path.touch()
    then = time.time() - 90_000
    os.utime(old, (then, then))
    assert clear_staging() == 1
    assert (old.exists(), new.exists()) == (False, True)
