"""People and files for the services."""

from __future__ import annotations

import pytest

from archive import outbox
from archive.models import Run
from archive.services import access, execution, intake, sealing, sequencing

LINE = b"04-May-2016 00:00:12.345 queries: info: client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"


@pytest.fixture
def ann(db) -> access.Principal:
    return access.principal_of(access.ensure_user(user_name="ann"))


@pytest.fixture
def sent(monkeypatch) -> list[tuple[str, ...]]:
    """The tasks that are sent, in place of a broker."""
    tasks: list[tuple[str, ...]] = []
    monkeypatch.setattr(outbox, "nudge", lambda task, *arguments: tasks.append((task, *arguments)))
    return tasks


@pytest.fixture
def hand_in(ann):
    """Submit bytes as ann and see them through, runs included."""

    def submit(data: bytes, *, who=None, case: str = "case-a", work: bool = True, **about):
        who = who or ann
        row = intake.begin_submission(principal=who, case_reference=case, length=len(data), **about)
        if data:
            intake.append_bytes(principal=who, submission_id=row.pk, offset=0, chunks=[data])
        if work:
            sealing.seal_submission(row.pk)
            while run := Run.objects.filter(state=Run.State.PENDING).first():
                execution.execute_run(run.pk)
            sequencing.sequence_pending()
        row.refresh_from_db()
        return row

    return submit
