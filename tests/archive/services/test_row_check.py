"""Rows of submissions, hand-overs and deaccessions that were changed: each named, by check_ledger and by the chain."""

from __future__ import annotations

import pytest
from django.utils import timezone

from archive.models import Deaccession, Handover, Submission
from archive.services import access, chain, custody, deaccessions, handovers, row_check
from evidence.custody import SealedMembers, seal_members
from evidence.opening import disclosure_digest, parse_event
from tests.deaccessing import deaccess

pytestmark = pytest.mark.django_db
SAID = {"file_name": "a.log", "note": "from <them>", "stated_custody": "captured by X"}


def problems() -> list[str]:
    return [said for look in row_check.LOOKS.values() for said in look()]


@pytest.fixture
def scene(hand_in, ann):
    """A file that was handed in with words, handed over with a note, and deaccessioned; and another in two cases."""
    row = hand_in(b"abc", **SAID)
    access.ensure_user(user_name="bob")
    access.add_member(principal=ann, case=row.case, user_name="bob")
    handovers.offer_handover(principal=ann, case=row.case, blob=row.blob, receiver="bob", note="in person")
    bob = access.principal_of(access.known_user("bob"))
    handovers.acknowledge_handover(principal=bob, handover_id=Handover.objects.get().pk)
    handovers.offer_handover(principal=bob, case=row.case, blob=row.blob, receiver="ann")
    deaccess(row)
    ann.user.refresh_from_db()  # an administrator now
    other = hand_in(b"def")
    deaccessions.ask_deaccession(principal=ann, case=other.case, blob=other.blob, reason="order 2")
    hand_in(b"def", case="case-b")
    return row


def test_rows_that_nobody_changed_fit_their_events(scene, ann) -> None:
    assert problems() == []
    assert chain.chain_of(ann, scene.blob_id).gaps == []
    assert row_check.sealed_members(scene) == SAID


def other_user() -> str:
    return access.known_user("eve").pk


def other_case() -> str:
    return Submission.objects.get(case__slug="case-b").case_id


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("stated_custody", lambda: "forged"), ("stated_custody", lambda: ""), ("note", lambda: "forged"),
        ("file_name", lambda: "forged"), ("disclosures", list), ("disclosures", lambda: ["x", 7, None]),
        ("disclosures", lambda: 7), ("disclosures", lambda: {"x": 1}),
        ("user_id", other_user), ("case_id", other_case), ("event_id", lambda: None),
        ("blob_id", lambda: Submission.objects.get(case__slug="case-b").blob_id),
    ],
)  # fmt: skip
def test_a_submission_that_says_otherwise_is_named(column: str, value, scene) -> None:
    Submission.objects.filter(pk=scene.pk).update(**{column: value()})
    found = [said for said in problems() if said.startswith(f"submission {scene.pk}: ")]
    assert len(found) == 1
    assert column.removesuffix("_id") in found[0]


@pytest.fixture
def sealed_before(monkeypatch) -> None:
    """Events as they were before the digests of all were as many: two decoys, and no empty statement."""

    def seal(values, random):
        said = {name: value for name, value in values.items() if value or name != "stated_custody"}
        found = seal_members(said, random)
        decoys = [disclosure_digest(str(n)) for n in range(2)]
        return SealedMembers(tuple(sorted([*map(disclosure_digest, found.disclosures), *decoys])), found.disclosures)

    monkeypatch.setattr(custody, "seal_members", seal)


@pytest.mark.parametrize(("said", "digests"), [(SAID, 5), ({"note": "x"}, 4)])
def test_rows_of_older_events_are_held_against_all_that_was_sealed(sealed_before, hand_in, said, digests) -> None:
    row = hand_in(b"abc", **said)
    assert len(parse_event(row.event.text).sealed) == digests
    assert problems() == []
    for item in row.disclosures:
        name, _ = row_check.open_disclosure(item)
        left = [other for other in row.disclosures if other != item]
        rest = {other: getattr(row, other) for other in SAID if other != name}
        Submission.objects.filter(pk=row.pk).update(**rest, **{name: ""}, disclosures=left)
        (found,) = problems()
        assert "another disclosures than" in found


@pytest.mark.parametrize("said", [SAID, {}])
def test_events_of_few_and_of_many_sealed_members_look_alike(hand_in, said) -> None:
    row = hand_in(b"abc", **said)
    assert len(parse_event(row.event.text).sealed) == 8
    assert row_check.sealed_members(row) == {"file_name": "", "note": "", "stated_custody": ""} | said
    assert problems() == []


def test_a_statement_taken_away_with_what_opens_it_is_missed(scene) -> None:
    kept = [item for item in scene.disclosures if "captured" not in str(row_check.open_disclosure(item))]
    Submission.objects.filter(pk=scene.pk).update(stated_custody="", disclosures=kept)
    (said,) = problems()
    assert "another disclosures than" in said


@pytest.mark.parametrize(
    ("column", "value"),
    [("giver_id", other_user), ("receiver_id", other_user), ("note", lambda: "forged"), ("acknowledged", lambda: None),
     ("offered", lambda: timezone.now() - timezone.timedelta(days=1)), ("case_id", other_case)],
)  # fmt: skip
def test_a_handover_that_says_otherwise_is_named(column: str, value, scene, ann) -> None:
    row = Handover.objects.exclude(note="").get()
    Handover.objects.filter(pk=row.pk).update(**{column: value()})
    (said,) = problems()
    assert said.startswith(f"hand-over {row.pk}: its row says another {column.removesuffix('_id')} than")
    if column == "giver_id":
        assert said in chain.chain_of(ann, scene.blob_id).gaps


def test_a_handover_that_only_a_row_tells_is_named_and_so_is_an_event_without_one(scene) -> None:
    row = Handover.objects.get(note="")
    made = Handover.objects.create(case=row.case, blob=row.blob, giver=row.giver, receiver=row.receiver)
    Handover.objects.filter(pk=row.pk).delete()
    assert set(problems()) == {
        f"hand-over {made.pk}: no event offers it", f"hand-over {row.pk}: its events stand and its row is gone",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value"),
    [("reason", lambda: "forged"), ("asked_by_id", other_user), ("approved_by_id", lambda: None),
     ("case_id", other_case)],
)  # fmt: skip
def test_a_deaccession_that_says_otherwise_is_named(column: str, value, scene) -> None:
    row = Deaccession.objects.exclude(event=None).get()
    Deaccession.objects.filter(pk=row.pk).update(**{column: value()})
    (said,) = problems()
    assert said.startswith(f"deaccession {row.pk}: its row says another {column.removesuffix('_id')} than")


def test_a_deaccession_that_a_row_undoes_is_named(scene) -> None:
    row = Deaccession.objects.exclude(event=None).get()
    Deaccession.objects.filter(pk=row.pk).update(event=None)
    assert set(problems()) == {
        f"deaccession {row.pk}: it is approved, and its row names no event",
        f"event {row.event_id}: a deaccession of which no row knows",
    }


def test_a_submission_that_was_taken_away_is_missed(scene) -> None:
    Submission.objects.filter(pk=scene.pk).delete()
    assert problems() == [f"event {scene.event_id}: an ingestion of which no submission knows"]
