"""The page of a file's deletion under law: one person asks, another approves, and nobody else has to do with it."""

from __future__ import annotations

import pytest

from archive.models import CustodyEvent, Deaccession, Submission
from archive.services import access
from archive.services.sequencing import sequence_pending
from tests.archive.web.test_pages import row, signed_in
from tests.tampering import tamper

__all__ = ["row"]
pytestmark = pytest.mark.django_db
REASON = "order 12 of <court> X"


def address(row: Submission) -> str:
    return f"/blobs/{row.blob_id}/deaccession"


def text_of(client, page: str) -> str:
    answer = client.get(page)
    assert answer.status_code == 200
    return answer.content.decode()


def asked(row: Submission, client, reason: str = REASON):
    return client.post(address(row), {"case": str(row.case_id), "reason": reason})


@pytest.fixture
def waiting(row: Submission) -> Deaccession:
    """One that ann asked for and that nobody has approved."""
    assert asked(row, signed_in("ann", administrator=True)).url == address(row)
    return Deaccession.objects.get()


def test_one_person_asks_and_another_approves(row: Submission, waiting: Deaccession) -> None:
    ann, eve = signed_in("ann"), signed_in("eve", auditor=True)
    seen = text_of(ann, address(row))
    assert "order 12 of &lt;court&gt; X" in seen
    assert "nobody else has approved it yet" in seen
    assert "Approve it" not in seen
    assert "Asked for by ann" in text_of(eve, address(row))
    approval = f"/deaccessions/{waiting.pk}/approve"
    assert approval in text_of(eve, address(row))
    assert ann.get(f"/api/v1/blobs/{row.blob_id}/content").status_code == 200
    assert eve.post(approval).url == address(row)
    sequence_pending()
    waiting.refresh_from_db()
    for client in (ann, eve):
        seen = text_of(client, address(row))
        assert f"/api/v1/events/{waiting.event_id}/receipt" in seen
        assert "Approve it" not in seen
    assert "approved by eve" in text_of(eve, address(row))
    assert ann.get(f"/api/v1/blobs/{row.blob_id}/content").status_code == 410


def test_who_asked_cannot_approve_and_a_reason_is_wanted(row: Submission, waiting: Deaccession) -> None:
    ann = signed_in("ann")
    refused = ann.post(f"/deaccessions/{waiting.pk}/approve")
    assert (refused.status_code, "by somebody else than who asked" in refused.content.decode()) == (403, True)
    refused = asked(row, ann, " ")
    assert (refused.status_code, "which court or law" in refused.content.decode()) == (400, True)
    assert not CustodyEvent.objects.filter(type="deaccession").exists()
    assert Deaccession.objects.count() == 1


def test_a_member_without_the_right_has_nothing_to_do_with_it(row: Submission, waiting: Deaccession) -> None:
    access.add_member(
        principal=access.principal_of(row.user), case=row.case, user_name=access.ensure_user(user_name="bob").username
    )
    bob, ann = signed_in("bob"), signed_in("ann")
    assert address(row) in text_of(ann, f"/blobs/{row.blob_id}")
    assert address(row) not in text_of(bob, f"/blobs/{row.blob_id}")
    answers = bob.get(address(row)), asked(row, bob), bob.post(f"/deaccessions/{waiting.pk}/approve")
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert "order 12" not in answers[0].content.decode()


def test_an_administrator_of_another_case_sees_nothing_and_an_auditor_asks_for_nothing(
    row: Submission, waiting: Deaccession
) -> None:
    other, eve = signed_in("otto", administrator=True), signed_in("eve", auditor=True)
    assert [other.get(address(row)).status_code, other.post(f"/deaccessions/{waiting.pk}/approve").status_code] == [
        404, 404,
    ]  # fmt: skip
    assert "<textarea" not in text_of(eve, address(row))
    assert asked(row, eve).status_code == 403
    assert Deaccession.objects.count() == 1


def test_what_was_approved_is_told_as_the_event_says_it(row: Submission, waiting: Deaccession) -> None:
    eve = signed_in("eve", auditor=True)
    eve.post(f"/deaccessions/{waiting.pk}/approve")
    Deaccession.objects.update(reason="another reason")
    seen = text_of(eve, address(row))
    assert ("another reason" in seen, "order 12 of &lt;court&gt; X" in seen) == (False, True)
    tamper("UPDATE archive_custodyevent SET text = 'x' WHERE type = %s", "deaccession")
    assert "The event that says the reason cannot be read." in text_of(eve, address(row))
