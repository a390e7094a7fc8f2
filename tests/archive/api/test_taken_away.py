"""After a deaccession nothing shows what was in the file: its table, its rejects, its lines, what was unpacked from it.

Each answers 410 and says by which event, whether or not the operator took the bytes away already; counts stay.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from archive.models import Blob, Run, Submission
from archive.services import access, execution, fixity, intake, runs, sealing, sequencing
from tests.deaccessing import deaccess

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

pytestmark = pytest.mark.django_db
LINE = b"04-May-2016 00:00:12.345 queries: info: client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"
LOG = LINE * 3 + b"noise\n"


@pytest.fixture
def hand_in(ann) -> Callable[..., Submission]:
    def submit(data: bytes, user: str = "ann", case: str = "case-a") -> Submission:
        who = access.principal_of(access.ensure_user(user_name=user))
        row = intake.begin_submission(principal=who, case_reference=case, length=len(data), names=["a.example"])
        intake.append_bytes(principal=who, submission_id=row.pk, offset=0, chunks=[data])
        sealing.seal_submission(row.pk)
        while run := Run.objects.filter(state="pending").first():
            execution.execute_run(run.pk)
        sequencing.sequence_pending()
        row.refresh_from_db()
        return row

    return submit


def take_away(row: Submission) -> None:
    deaccess(row)
    sequencing.sequence_pending()


def doors(row: Submission) -> dict[str, int]:
    """Addresses of the API, with what each has to answer afterwards."""
    reading = Run.objects.get(case=row.case, procedure="parse.bind@2")
    result = Run.objects.get(case=row.case, procedure="querier_concentration@1")
    member = reading.inputs.get(role="source").blob_id
    run, answer, table = (
        f"/api/v1/runs/{reading.pk}",
        f"/api/v1/results/{result.pk}",
        reading.outputs.get(name="table.parquet"),
    )
    return {
        f"/api/v1/submissions/{row.pk}/content": 410, f"/api/v1/blobs/{row.blob_id}/content": 410,
        f"/api/v1/blobs/{member}/content": 410, f"/api/v1/blobs/{table.blob_id}/content": 410,
        f"{run}/outputs/table.parquet": 410, f"{run}/outputs/rejects.parquet": 410, f"{run}/rejects": 410,
        f"{answer}/findings/client-1/lines": 410,
        f"{run}/outputs/report.json": 200, answer: 200, f"{answer}/findings/client-1/sources": 200,
        f"{answer}/bundle?raw=1": 200, f"{answer}/receipt": 200, f"{run}/attestation": 200,
    }  # fmt: skip


def answers(client: Client, addresses: dict[str, int]) -> dict[str, int]:
    return {address: client.get(address).status_code for address in addresses}


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_shows_the_file_is_gone_and_what_counts_it_stays(hand_in, ann, wrapped: bool) -> None:
    row = hand_in(gzip.compress(LOG) if wrapped else LOG)
    wanted = doors(row)
    assert set(answers(ann, wanted).values()) == {200}
    take_away(row)
    assert answers(ann, wanted) == wanted
    for address, status in wanted.items():
        if status == 410:
            said = ann.get(address).json()["detail"]
            assert "were taken away by law on 20" in said and f"the page of {row.blob_id} shows the event" in said


def test_a_page_of_what_was_made_from_it_names_the_event(hand_in, ann) -> None:
    row = hand_in(gzip.compress(LOG))
    take_away(row)
    table = Run.objects.get(procedure="parse.bind@2").outputs.get(name="table.parquet").blob_id
    said = ann.get(f"/api/v1/blobs/{table}").json()["deaccessioned"]
    assert (said["digest"], said["reason"]) == (row.blob_id, "order 1")
    assert ann.get(said["receipt"]).status_code == 200


def test_fixity_does_not_look_for_what_went_with_it(hand_in) -> None:
    row = hand_in(gzip.compress(LOG))
    take_away(row)
    run = Run.objects.get(procedure="parse.bind@2")
    gone = {row.blob, run.inputs.get(role="source").blob, *(o.blob for o in run.outputs.exclude(name="report.json"))}
    states = {blob: fixity.check_blob(blob, fixity.Pace(0)).state for blob in Blob.objects.all()}
    assert {blob for blob, state in states.items() if state == "deaccessioned"} == gone | {
        output.blob for output in Run.objects.get(procedure="extract.gzip@1").outputs.all()
    }


def test_what_came_another_way_too_is_kept(hand_in, ann) -> None:
    """The same log was handed in by itself, so its bytes are the case's by another way; only the archive is gone."""
    row = hand_in(gzip.compress(LOG))
    wanted = doors(row)
    own = hand_in(LOG)
    take_away(row)
    codes = answers(ann, wanted)
    assert [address for address, code in codes.items() if code == 410] == [
        f"/api/v1/submissions/{row.pk}/content", f"/api/v1/blobs/{row.blob_id}/content",
    ]  # fmt: skip
    take_away(own)
    assert answers(ann, wanted) == wanted


def test_the_same_bytes_in_a_case_that_one_does_not_see_keep_nothing_open(hand_in, ann) -> None:
    row = hand_in(gzip.compress(LOG))
    wanted = doors(row)
    hand_in(LOG, "bob", "case-b")
    take_away(row)
    assert answers(ann, wanted) == wanted


def test_an_archive_that_holds_itself_came_from_nowhere_else(hand_in, ann) -> None:
    row = hand_in(gzip.compress(LOG))
    member = Run.objects.get(procedure="extract.gzip@1").outputs.get(name="member-1").blob
    again = Run.objects.create(case=row.case, identity="0" * 64, procedure="extract.gzip@1", state="succeeded")
    again.inputs.create(role="source", blob=member)
    again.outputs.create(name="member-1", blob=member)
    take_away(row)
    assert ann.get(f"/api/v1/blobs/{member.digest}/content").status_code == 410


def test_nothing_more_is_derived(hand_in, ann) -> None:
    row = hand_in(gzip.compress(LOG))
    waiting = Run.objects.create(case=row.case, identity="1" * 64, procedure="parse.bind@2")
    waiting.inputs.create(
        role="source", blob=Run.objects.get(procedure="extract.gzip@1").outputs.get(name="member-1").blob
    )
    take_away(row)
    ann.post("/api/v1/cases/case-a/names", {"names": ["b.example"]}, content_type="application/json")
    assert row.case.names.count() == 2
    assert runs.plan_follow_ups(case=row.case) == []
    execution.execute_run(waiting.pk)
    waiting.refresh_from_db()
    assert (waiting.state, f"the bytes of {row.blob_id} were taken away by law" in waiting.problem) == ("failed", True)


def test_pages_say_it_too(hand_in, client) -> None:
    row = hand_in(gzip.compress(LOG))
    take_away(row)
    reading, result = (Run.objects.get(procedure=name).pk for name in ("parse.bind@2", "querier_concentration@1"))
    client.force_login(access.ensure_user(user_name="ann"))
    table = Run.objects.get(pk=reading).outputs.get(name="table.parquet").blob_id
    for address, status in {
        f"/readings/{reading}": 200, f"/readings/{reading}/rows/1": 410, f"/readings/{reading}/rejects": 410,
        f"/results/{result}": 200, f"/results/{result}/findings/client-1": 410, f"/submissions/{row.pk}": 200,
        f"/blobs/{row.blob_id}": 200, f"/blobs/{table}": 200,
    }.items():  # fmt: skip
        assert (address, client.get(address).status_code) == (address, status)
    said = client.get(f"/readings/{reading}").content.decode()
    assert "no longer shown, and the counts stay" in said and "192.0.2.17" not in said
    assert "show what is in" in client.get(f"/blobs/{table}").content.decode()
