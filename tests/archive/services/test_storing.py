"""Bytes that come again: copies that are not whole are made anew from them before anything is thrown away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from archive import wiring
from archive.models import Alarm, Blob, CustodyEvent, Fixity, Submission
from archive.services import fixity, intake, sealing, sequencing
from archive.storage.store import Keeping, StoreError
from evidence.digest import Digest
from tests.deaccessing import deaccess

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db


def damage(path: Path, data: bytes = b"abd") -> None:
    """By another file under its name: no other name of the old one is touched."""
    other = path.with_name("other")
    other.write_bytes(data)
    other.rename(path)


def events(kind: str) -> list[dict]:
    return [json.loads(event.text) for event in CustodyEvent.objects.filter(type=kind).order_by("time", "id")]


def resumed(ann, pieces: list[bytes]) -> Submission:
    """Handed in by several requests, so that its digest is not known from its way in."""
    row = intake.begin_submission(principal=ann, case_reference="case-b", length=sum(map(len, pieces)))
    at = 0
    for piece in pieces:
        at = intake.append_bytes(principal=ann, submission_id=row.pk, offset=at, chunks=[piece])
    sealing.seal_submission(row.pk)
    sequencing.sequence_pending()
    row.refresh_from_db()
    return row


@pytest.mark.parametrize("left", [b"abd", b"a", None])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_good_copy_that_comes_again_takes_the_place_of_a_damaged_one(
    file_store, home, hand_in, ann, left, at_once
) -> None:
    path = file_store / hand_in(b"abc").blob.place
    if left is None:
        path.unlink()
    else:
        damage(path, left)
    blob = Blob.objects.get()
    assert fixity.check_blob(blob, lambda _: None).whole is None
    again = hand_in(b"abc", case="case-b") if at_once else resumed(ann, [b"ab", b"c"])
    assert (again.state, hasattr(again.event, "leaf")) == (Submission.State.SEALED, True)
    assert path.read_bytes() == b"abc"
    assert [kept.read_bytes() for kept in (file_store / "damaged").iterdir()] == ([left] if left else [])
    assert not list((home / "staging").iterdir())
    assert not Alarm.objects.filter(ended=None).exists()
    assert Fixity.objects.get().state == "whole"
    assert [event["detail"] for event in events("replication")] == [{"copies": 1}]


def test_no_receipt_is_given_while_the_store_cannot_take_the_good_copy(
    file_store, home, hand_in, ann, monkeypatch
) -> None:
    damage(file_store / hand_in(b"abc").blob.place)

    def full(*_: object) -> str:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(type(wiring.store()), "replace", full)
        with pytest.raises(StoreError, match="full"):
            hand_in(b"abc", case="case-b")
    row = Submission.objects.get(case__slug="case-b")
    assert (row.state, row.event, "full" in row.problem) == (Submission.State.RECEIVED, None, True)
    assert [path.read_bytes() for path in (home / "staging").iterdir()] == [b"abc"]
    assert Alarm.objects.get(ended=None).kind == fixity.DAMAGE
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert row.state == Submission.State.SEALED
    assert not Alarm.objects.filter(ended=None).exists()


def test_what_an_earlier_attempt_left_damaged_is_not_taken_for_the_bytes(file_store, hand_in, tmp_path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"abc")
    place = file_store / wiring.store().put(source, Digest.of(b"abc"), Keeping())
    damage(place)
    hand_in(b"abc")
    assert place.read_bytes() == b"abc"


def test_what_is_damaged_right_after_it_was_put_is_made_anew_from_what_arrived(
    file_store, home, hand_in, monkeypatch
) -> None:
    honest = sealing.write_manifest

    def damaged(submission: Submission) -> None:
        damage(file_store / submission.blob.place)
        honest(submission)

    monkeypatch.setattr(sealing, "write_manifest", damaged)
    row = hand_in(b"abc")
    assert (file_store / row.blob.place).read_bytes() == b"abc"
    assert not list((home / "staging").iterdir())
    assert not Alarm.objects.filter(ended=None).exists()


def test_every_copy_is_made_whole_and_one_that_is_whole_stays(hand_in, settings, tmp_path) -> None:
    settings.CUSTOS_STORE = f"file:{tmp_path / 'one'} file:{tmp_path / 'two'} file:{tmp_path / 'three'}"
    wiring.store.cache_clear()
    paths = [
        tmp_path / name / place[2:]
        for name, place in zip(("one", "two", "three"), hand_in(b"abc").blob.place.split(" "), strict=True)
    ]
    damage(paths[0])
    paths[1].unlink()
    stays = paths[2].stat().st_ino
    hand_in(b"abc", case="case-b")
    assert [path.read_bytes() for path in paths] == [b"abc"] * 3
    assert paths[2].stat().st_ino == stays


def test_what_the_law_had_taken_away_is_not_taken_in_again(file_store, home, hand_in) -> None:
    row = hand_in(b"abc")
    deaccess(row)
    (file_store / row.blob.place).unlink()
    again = hand_in(b"abc", case="case-b")
    assert (again.state, "taken away by law" in again.problem) == (Submission.State.REFUSED, True)
    assert not (file_store / row.blob.place).exists()
    assert not list((home / "staging").iterdir())


def test_what_the_law_had_taken_away_before_it_was_read_again_is_not_put_back(file_store, home, hand_in, ann) -> None:
    row = intake.begin_submission(principal=ann, case_reference="case-a", length=3, chunks=[b"abc"])
    sealing._seal([row])
    deaccess(row)
    (file_store / row.blob.place).unlink()
    with pytest.raises(StoreError):  # which nobody can recognise any more
        sealing.seal_submission(row.pk)
    assert not (file_store / row.blob.place).exists()
    assert not list((home / "staging").iterdir())
