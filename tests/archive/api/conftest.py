"""Callers with tokens, and a case that has everything."""

from __future__ import annotations

import pytest
from django.test import Client

from archive.models import Run
from archive.services import access, execution, intake, sealing, sequencing

LINE = b"04-May-2016 00:00:12.345 queries: info: client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"


@pytest.fixture
def caller(db):
    """A test client with a token of these scopes."""

    def make(user: str, *scopes: str) -> Client:
        text, _ = access.create_token(user_name=user, scopes=list(scopes))
        return Client(headers={"Authorization": f"Bearer {text}"})

    return make


@pytest.fixture
def ann(caller) -> Client:
    return caller("ann", "upload", "read")


@pytest.fixture
def filled(ann):
    """Ann's case with a log, its reading and a result."""
    who = access.principal_of(access.ensure_user(user_name="ann"))
    data = LINE * 3
    row = intake.begin_submission(
        principal=who, case_reference="case-a", length=len(data), names=["a.example"], file_name='a"\r\n../ü.log'
    )
    intake.append_bytes(principal=who, submission_id=row.pk, offset=0, chunks=[data])
    sealing.seal_submission(row.pk)
    while run := Run.objects.filter(state="pending").first():
        execution.execute_run(run.pk)
    sequencing.sequence_pending()
    row.refresh_from_db()
    return row
