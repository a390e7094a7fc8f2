"""A file's custody page and API route: each link with its proof, what was tampered with, what is only a statement."""

from __future__ import annotations

import base64

import pytest
from django.test import Client

from archive import wiring
from archive.models import CustodyEvent, Submission
from archive.services import access, deaccessions, sealing
from archive.services.reading import note_access
from archive.services.sequencing import sequence_pending
from tests.archive.web.test_pages import row, signed_in
from tests.tampering import tamper

__all__ = ["row"]
pytestmark = pytest.mark.django_db
STATEMENT = "captured by X at the resolver, handed over on 3 May by Y <b>in person</b>"


def api(user: str, *scopes: str) -> Client:
    text, _ = access.create_token(user_name=user, scopes=list(scopes or ("upload", "read")))
    return Client(headers={"Authorization": f"Bearer {text}"})


def test_a_changed_event_is_shown_as_unknown_to_the_ledger(row: Submission) -> None:
    page, address = signed_in("ann"), f"/blobs/{row.blob_id}"
    before = states(row)
    assert set(before) >= {"ingestion", "message digest calculation", "format identification"}
    assert set(before.values()) == {"proved"}
    assert "unknown to the ledger" not in page.get(address).content.decode()
    tamper(
        "UPDATE archive_custodyevent SET text = replace(text, '\"success\"', '\"warning\"') WHERE id = %s",
        row.event_id,
    )
    text = page.get(address).content.decode()
    assert text.count("unknown to the ledger: its text is not the one that was committed") == 1
    assert states(row) == before | {"ingestion": "unknown to the ledger"}


def states(row: Submission) -> dict[str, str]:
    custody = api("ann").get(f"/api/v1/blobs/{row.blob_id}").json()["custody"]
    return {link["type"]: link["state"] for link in custody}


DEEP = '{"a":' + "[" * 3000 + "]" * 3000 + "}"


@pytest.mark.parametrize(
    "text", ["x", "", "[]", "{}", '{"detail":7}', DEEP], ids=["x", "empty", "list", "none", "odd", "deep"]
)
def test_events_whose_text_is_none_are_shown_as_unknown_to_the_ledger(row: Submission, text: str) -> None:
    links = len(states(row))
    tamper("UPDATE archive_custodyevent SET text = %s", text)
    page, client = signed_in("ann"), api("ann")
    custody = client.get(f"/api/v1/blobs/{row.blob_id}").json()["custody"]
    said = "its text is not the one that was committed"
    assert [(link["said"], link["agent"], link["detail"], link["role"]) for link in custody] == [
        (said, None, None, "")
    ] * links
    shown = page.get(f"/blobs/{row.blob_id}")
    assert (shown.status_code, shown.content.decode().count(f"unknown to the ledger: {said}")) == (200, links)
    for address in (f"/api/v1/submissions/{row.pk}", "/api/v1/submissions", f"/api/v1/events/{row.event_id}/receipt"):
        assert client.get(address).status_code == 200
    assert page.get(f"/submissions/{row.pk}").status_code == 200
    assert client.get(f"/api/v1/submissions/{row.pk}").json()["duplicate"] is None


def test_a_text_that_is_committed_to_and_no_event_is_not_proved(row: Submission) -> None:
    tamper("UPDATE archive_custodyevent SET text = 'x', commitment = sha256('custos-event-v1'::bytea || '\\x0a'::bytea"
           " || salt || 'x'::bytea) WHERE id = %s", row.event_id)  # fmt: skip
    (link,) = [
        each for each in api("ann").get(f"/api/v1/blobs/{row.blob_id}").json()["custody"] if each["detail"] is None
    ]
    assert (link["state"], link["said"]) == ("unknown to the ledger", "its text is no event")


def who_acted(user: str, row: Submission) -> list[tuple[str, str | None]]:
    custody = api(user).get(f"/api/v1/blobs/{row.blob_id}").json()["custody"]
    return [(link["agent"]["kind"], link["agent"]["name"]) for link in custody]


def test_who_acted_is_named_to_those_who_know_them_and_software_by_its_version(row: Submission) -> None:
    eve = access.principal_of(access.ensure_user(user_name="eve", auditor=True))
    by_software = len(states(row)) - 1
    note_access(principal=eve, blob=row.blob)
    others = [("person", "ann"), *by_software * [("software", None)]]
    assert sorted(who_acted("ann", row), key=str) == sorted([*others, ("person", None)], key=str)
    audits = api("eve", "audit").get(f"/api/v1/blobs/{row.blob_id}").json()["custody"]
    assert {link["agent"]["name"] for link in audits} == {"ann", "eve", None}
    assert {link["software"] for link in audits} == {wiring.software()}
    shown = signed_in("ann").get(f"/blobs/{row.blob_id}").content.decode()
    for kind, who, times in (
        ("person", "ann", 1),
        ("person", eve.user.pk, 1),
        ("software", wiring.software(), by_software),
    ):
        assert shown.count(f'{kind}<br><span class="quiet">{who}</span>') == times


def test_an_event_that_was_taken_out_leaves_a_gap(row: Submission) -> None:
    hashed = CustodyEvent.objects.get(type="message digest calculation")
    tamper("DELETE FROM archive_custodyobject WHERE event_id = %s", str(hashed.pk))
    text = signed_in("ann").get(f"/blobs/{row.blob_id}").content.decode()
    assert "no event says when they were hashed" in text
    assert "no event says when they were hashed" in str(api("ann").get(f"/api/v1/blobs/{row.blob_id}").json()["gaps"])


def test_custody_before_us_comes_by_tus_and_is_shown_as_a_statement(row: Submission) -> None:
    client = api("ann")
    said = {"case": "case-a", "stated_custody": STATEMENT}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
    tus = {"HTTP_TUS_RESUMABLE": "1.0.0"}
    location = client.post("/api/v1/uploads", **tus, HTTP_UPLOAD_LENGTH="3", HTTP_UPLOAD_METADATA=metadata)["Location"]
    kind = "application/offset+octet-stream"
    client.patch(location, b"abc", content_type=kind, HTTP_UPLOAD_OFFSET="0", **tus)
    handed_in = Submission.objects.get(pk=location.rsplit("/", 1)[1])
    sealing.seal_submission(handed_in.pk)
    handed_in.refresh_from_db()
    assert handed_in.event is not None
    assert "captured by X" not in handed_in.event.text
    text = signed_in("ann").get(f"/blobs/{handed_in.blob_id}").content.decode()
    heading, statement = text.index("Custody before us, as stated"), text.index("captured by X")
    assert heading < text.index("A statement of who handed it in, not a fact that was checked.") < statement
    assert "<b>in person</b>" not in text
    assert "as stated" not in signed_in("ann").get(f"/blobs/{row.blob_id}").content.decode()
    Submission.objects.filter(pk=handed_in.pk).update(stated_custody="forged", file_name="forged")
    text = signed_in("ann").get(f"/blobs/{handed_in.blob_id}").content.decode()
    assert text.index("Custody before us, as stated") < text.index("captured by X")
    assert f"submission {handed_in.pk}: its row says another file_name, stated_custody than the event" in text
    assert text.count("forged") == 0


def test_a_deaccessioned_file_says_so_on_its_page_in_the_api_and_in_the_place_of_its_bytes(row: Submission) -> None:
    ann = access.principal_of(access.ensure_user(user_name="ann"))
    ann.user.is_staff = True
    ann.user.save()
    asked = deaccessions.ask_deaccession(principal=ann, case=row.case, blob=row.blob, reason="order 12 of <court> X")
    before = api("ann").get(f"/api/v1/blobs/{row.blob_id}").json()
    assert before["deaccessioned"] is None
    eve = access.principal_of(access.ensure_user(user_name="eve", auditor=True))
    deaccessions.approve_deaccession(principal=eve, deaccession=asked)
    sequence_pending()
    text = signed_in("ann").get(f"/blobs/{row.blob_id}").content.decode()
    assert "were taken away by law" in text
    assert "order 12 of &lt;court&gt; X" in text
    client = api("ann")
    value = client.get(f"/api/v1/blobs/{row.blob_id}").json()["deaccessioned"]
    assert value["reason"] == "order 12 of <court> X"
    assert client.get(value["receipt"]).status_code == 200
    for address in (f"/api/v1/blobs/{row.blob_id}/content", f"/api/v1/submissions/{row.pk}/content"):
        answer = client.get(address)
        assert (answer.status_code, answer.json()["title"]) == (410, "Taken away by law")
        assert value["time"] in answer.json()["detail"]
    tamper("UPDATE archive_custodyevent SET text = 'x' WHERE type = %s", "deaccession")
    assert client.get(f"/api/v1/blobs/{row.blob_id}").json()["deaccessioned"]["reason"] is None
    assert "the event that says it cannot be read" in signed_in("ann").get(f"/blobs/{row.blob_id}").content.decode()
