"""What killed processes left in the staging folder: found by the sweeper, and taken away once nobody can want it."""

from __future__ import annotations

import shutil
import time
import uuid
from typing import TYPE_CHECKING

from django.db.models import Q

from archive import wiring
from archive.models import Run, Submission

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

RUN, READ = "run-", "s3-"
_READ_WITHIN = 86_400.0  # seconds; a file that a store was read into is used for one run only


def clear_staging() -> int:
    """How much was taken away. Uploads that were begun and not ended stay: they can be gone on with."""
    # 1. What lies there, before the rows are looked at: what is made later belongs to somebody who is alive.
    found = list(wiring.staging().iterdir())
    # 2. Whose owner has ended.
    left = [*_of_runs(found), *_of_submissions(found), *_of_reading(found)]
    # 3. It goes.
    for path in left:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(left)


def _of_runs(found: Iterable[Path]) -> list[Path]:
    """Folders of runs that nobody is executing; a run that is executed again clears its own."""
    folders = {path: _uuid(path.name[len(RUN) : len(RUN) + 36]) for path in found if path.name.startswith(RUN)}
    alive = set(
        Run.objects.filter(pk__in=_known(folders.values()), state=Run.State.RUNNING).values_list("pk", flat=True)
    )
    return [path for path, run in folders.items() if run not in alive]


def _of_submissions(found: Iterable[Path]) -> list[Path]:
    """Bytes that are sealed, manifest and all, or were refused."""
    files = {path: _uuid(path.name) for path in found}
    over = Q(state=Submission.State.REFUSED) | Q(state=Submission.State.SEALED) & ~Q(read_as="")
    ended = set(Submission.objects.filter(over, pk__in=_known(files.values())).values_list("pk", flat=True))
    return [path for path, submission in files.items() if submission in ended]


def _of_reading(found: Iterable[Path]) -> list[Path]:
    then = time.time() - _READ_WITHIN
    return [path for path in found if path.name.startswith(READ) and path.stat().st_mtime < then]


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _known(found: Iterable[uuid.UUID | None]) -> list[uuid.UUID]:
    return [item for item in found if item is not None]
