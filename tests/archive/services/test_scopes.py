"""A token that may only look, audit excepted, adds nothing to a custody, whatever rights its person has."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from archive.models import CustodyEvent, Run
from archive.services import (
    access,
    deaccessions,
    disclosing,
    handovers,
    identification,
    intake,
    keeping,
    recognised,
    runs,
)
from archive.services.refusals import NotAllowed
from tests.archive.services.conftest import LINE

pytestmark = pytest.mark.django_db

ACTS = {
    "begin an upload": lambda it: intake.begin_submission(principal=it.who, case_reference="case-a", length=0),
    "go on with one": lambda it: intake.append_bytes(
        principal=it.who, submission_id=it.begun.pk, offset=0, chunks=[b"a"]
    ),
    "found a case": lambda it: access.ensure_case(principal=it.who, reference="case-b"),
    "add a member": lambda it: access.add_member(principal=it.who, case=it.case, user_name="ann"),
    "watch a name": lambda it: access.watch_names(principal=it.who, case=it.case, names=["a.example"]),
    "say how to read": lambda it: identification.state_reading(principal=it.who, submission=it.row, reading={}),
    "look at the first bytes": lambda it: recognised.look_into(
        principal=it.who, submission=it.row, source=recognised.source_of(it.row, "")
    ),
    "try a run again": lambda it: runs.retry_run(principal=it.who, run=it.run),
    "disclose lines": lambda it: disclosing.disclose_units(
        principal=it.who, case=it.case, blob=it.row.blob, numbers=[1]
    ),
    "change the keeping": lambda it: keeping.change_keeping(
        principal=it.who, case=it.case, copies=1, retain_until=None, hold=True
    ),
    "hand over": lambda it: handovers.offer_handover(
        principal=it.who, case=it.case, blob=it.row.blob, receiver="ann"
    ),
    "acknowledge": lambda it: handovers.acknowledge_handover(principal=it.who, handover_id=it.offered.pk),
    "ask for a deaccession": lambda it: deaccessions.ask_deaccession(
        principal=it.who, case=it.case, blob=it.row.blob, reason="order 1"
    ),
    "approve one": lambda it: deaccessions.approve_deaccession(principal=it.who, deaccession=it.asked),
}  # fmt: skip


@pytest.fixture
def scene(hand_in, ann) -> SimpleNamespace:
    """A case in which the administrator chief may do everything, and has things to do."""
    row = hand_in(LINE)
    chief = access.principal_of(access.ensure_user(user_name="chief", administrator=True))
    access.add_member(principal=ann, case=row.case, user_name="chief")
    begun = intake.begin_submission(principal=chief, case_reference=str(row.case_id), length=3)
    offered = handovers.offer_handover(principal=ann, case=row.case, blob=row.blob, receiver="chief")
    ann.user.is_staff = True
    ann.user.save()
    asked = deaccessions.ask_deaccession(principal=ann, case=row.case, blob=row.blob, reason="order 1")
    run = Run.objects.filter(case=row.case)[0]
    return SimpleNamespace(row=row, case=row.case, begun=begun, offered=offered, asked=asked, run=run)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("scopes", [["metrics"], ["metrics", "read"]], ids=str)
def test_a_token_that_only_looks_adds_nothing(act: str, scopes: list[str], scene) -> None:
    _, token = access.create_token(user_name="chief", scopes=scopes)
    scene.who = access.principal_of(token.user, token)
    before = CustodyEvent.objects.count()
    with pytest.raises(NotAllowed, match="lacks the scope upload"):
        ACTS[act](scene)
    assert CustodyEvent.objects.count() == before


@pytest.mark.parametrize(("user", "scope"), [("chief", "upload"), ("eve", "audit")])
def test_with_their_scope_an_administrator_or_an_auditor_approves(user: str, scope: str, scene) -> None:
    _, token = access.create_token(user_name=user, scopes=[scope])
    who = access.principal_of(token.user, token)
    assert deaccessions.approve_deaccession(principal=who, deaccession=scene.asked).event is not None


def test_with_the_scope_upload_a_handover_is_acknowledged(scene) -> None:
    _, token = access.create_token(user_name="chief", scopes=["upload"])
    who = access.principal_of(token.user, token)
    assert handovers.acknowledge_handover(principal=who, handover_id=scene.offered.pk).acknowledged is not None
