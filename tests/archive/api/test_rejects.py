"""What a reading made no row of, by the API."""

from __future__ import annotations

import pytest
from django.test import Client

from archive.models import CustodyEvent, Run
from archive.services import access, execution, intake, sealing
from evidence.reading.batch import HEAD

pytestmark = pytest.mark.django_db
NOISE = [b"noise %d" % n + b"\xff" * HEAD + b"\n" for n in range(7)]


@pytest.fixture
def address(ann) -> str:
    who = access.principal_of(access.ensure_user(user_name="ann"))
    good = b"04-May-2016 00:00:12.345 client 192.0.2.17#53 (a.example): query: a.example IN A + (198.51.100.53)\n"
    data = b"# begins\n" + good * 2 + b"".join(NOISE)
    row = intake.begin_submission(principal=who, case_reference="case-a", length=len(data), names=["a.example"])
    intake.append_bytes(principal=who, submission_id=row.pk, offset=0, chunks=[data])
    sealing.seal_submission(row.pk)
    while run := Run.objects.filter(state="pending").first():
        execution.execute_run(run.pk)
    return f"/api/v1/runs/{Run.objects.get(procedure='parse.bind@2').pk}/rejects"


def test_rejects_come_page_by_page_with_their_whole_bytes(address: str, ann) -> None:
    got, offset = [], 0
    while offset is not None:
        answer = ann.get(f"{address}?kind=reject&offset={offset}&limit=3").json()
        got += answer["rejects"]
        offset = answer["next"]
    assert [item["line"] for item in got] == list(range(4, 11))
    assert {(item["kind"], item["reason"]) for item in got} == {("reject", "not-a-query-line")}
    assert got[2]["text"] == "noise 2" + "\\xff" * HEAD
    assert got[0]["stop"] - got[0]["start"] == len(NOISE[0])
    everything = ann.get(address).json()["rejects"]
    assert [item["kind"] for item in everything] == ["skip"] + ["reject"] * 7
    assert ann.get(f"{address}?reason=comment").json()["rejects"] == everything[:1]
    assert ann.get(f"{address}?offset=99").json() == {"rejects": [], "next": None}
    assert ann.get(f"{address}?limit=0").json() == {"rejects": [], "next": None}


def test_that_they_were_read_is_in_the_custody_of_the_file(address: str, ann) -> None:
    before = CustodyEvent.objects.filter(type="access").count()
    ann.get(address)
    assert CustodyEvent.objects.filter(type="access").count() == before + 1


def test_what_cannot_be_asked_is_said_and_others_learn_nothing(address: str, ann, caller) -> None:
    assert ann.get(f"{address}?offset=x").status_code == 400
    assert caller("bob", "read").get(address).status_code == 404
    assert Client().get(address).status_code == 401
    result = Run.objects.get(procedure="querier_concentration@1")
    assert ann.get(f"/api/v1/runs/{result.pk}/rejects").status_code == 404
