"""A blob whose row was taken away, one that lies nowhere, and files that no row names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from archive import wiring
from archive.models import Blob, BlobMove, Submission
from archive.services import store_check
from archive.storage.store import Keeping, StoreError, place_of
from evidence.digest import Digest
from tests.archive.services.conftest import LINE
from tests.deaccessing import deaccess
from tests.tampering import tamper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(file_store: Path, hand_in) -> Submission:
    return hand_in(LINE * 3, names=["a.example"])


@pytest.fixture
def other(file_store: Path, hand_in) -> Submission:
    return hand_in(b"other file\n")


def looked() -> tuple[list[str], list[str]]:
    """What does not fit, and what is only noticed."""
    notices: list[str] = []
    problems = [said for look in store_check.LOOKS.values() for said in look()]
    return problems + list(store_check.lost_files(notices)), notices


def test_what_is_as_it_was_left_fits(first: Submission, other: Submission) -> None:
    assert Blob.objects.count() > 4
    assert looked() == ([], [])


def take_row_away(digest: str) -> None:
    tamper("DELETE FROM archive_fixity WHERE blob_id = %s", digest)
    tamper("DELETE FROM archive_blobmove WHERE blob_id = %s", digest)
    tamper("DELETE FROM archive_blob WHERE digest = %s", digest)


def test_a_file_that_is_gone_with_its_rows_is_missed(file_store: Path, first: Submission, other: Submission) -> None:
    place = first.blob.place
    (file_store / place).unlink()
    take_row_away(first.blob_id)
    assert looked() == ([
        f"the row of {first.blob_id} is gone: the event {first.event_id} brought it in",
        f"the row of {first.blob_id} is gone: the submission {first.pk} is of it",
    ], [])  # fmt: skip


def test_a_derived_file_that_is_gone_with_its_rows_is_missed(file_store: Path, first: Submission) -> None:
    table = Blob.objects.get(made_by__name="table.parquet")
    (file_store / table.place).unlink()
    take_row_away(table.digest)
    ((said,), notices) = looked()
    assert said.startswith(f"the row of {table.digest} is gone: the event ")
    assert notices == []


def test_a_row_that_is_gone_while_its_file_is_there_is_missed_and_the_file_noticed(first: Submission) -> None:
    place = first.blob.place
    take_row_away(first.blob_id)
    problems, notices = looked()
    assert (len(problems), notices) == (2, [f"{place} lies in the store, and no row names it"])


def test_a_file_that_is_gone_while_its_row_is_there_is_missed(
    file_store: Path, first: Submission, other: Submission
) -> None:
    (file_store / first.blob.place).unlink()
    ((said,), notices) = looked()
    assert said.startswith(f"{first.blob_id} lies in no store: ")
    assert notices == []


def test_what_the_law_had_taken_away_is_not_missed(file_store: Path, other: Submission) -> None:
    deaccess(other)
    (file_store / other.blob.place).unlink()
    assert looked() == ([], [])


def test_what_was_put_and_never_recorded_is_a_notice(other: Submission, tmp_path: Path) -> None:
    (tmp_path / "left").write_bytes(b"left by a put")
    place = wiring.store().put(tmp_path / "left", Digest.of(b"left by a put"), Keeping())
    assert looked() == ([], [f"{place} lies in the store, and no row names it"])


def test_a_file_of_a_strange_name_is_a_notice_and_hides_nothing(
    file_store: Path, first: Submission, other: Submission
) -> None:
    aside = file_store / "sha256" / "00" / "notes.txt"
    aside.parent.mkdir(exist_ok=True)
    aside.write_text("x")
    (file_store / "sha256" / first.blob_id.removeprefix("sha256:")).write_text("in another place")
    (file_store / first.blob.place).unlink()
    problems, notices = looked()
    assert [said.partition(" lies")[0] for said in problems] == [first.blob_id]
    assert sorted(notice.partition(" lies")[0] for notice in notices) == [
        "sha256/00/notes.txt", f"sha256/{first.blob_id.removeprefix('sha256:')}",
    ]  # fmt: skip


@pytest.mark.parametrize("locator", ["", "x", "1:x 7", "nine:sha256/a", "sha256/00/00/" + "0" * 64])
def test_a_row_that_leads_nowhere_is_missed(first: Submission, locator: str) -> None:
    BlobMove.objects.create(blob=first.blob, locator=locator)
    tamper("UPDATE archive_blob SET locator = %s WHERE digest = %s", locator, first.blob_id)
    ((said,), notices) = looked()
    assert said.startswith(f"{first.blob_id} lies in no store: ")
    assert notices == [f"{place_of(Digest.parse(first.blob_id))} lies in the store, and no row names it"]


def test_of_several_stores_one_copy_is_enough_here(settings, tmp_path: Path, hand_in) -> None:
    settings.CUSTOS_STORE = f"file:{tmp_path / 'one'} file:{tmp_path / 'two'}"
    wiring.store.cache_clear()
    place = place_of(Digest.of(b"abc"))
    hand_in(b"abc")
    (tmp_path / "one" / place).unlink()
    assert looked() == ([], [])
    (tmp_path / "two" / place).unlink()
    ((said,), notices) = looked()
    assert (said.startswith(str(Digest.of(b"abc"))), notices) == (True, [])


def test_a_store_that_does_not_list_what_it_has_is_a_notice(first: Submission, monkeypatch) -> None:
    def away() -> None:
        raise StoreError("the store is away")

    monkeypatch.setattr(wiring.store(), "listing", away)
    assert looked() == ([], ["the stores were not held against the rows to the end: the store is away"])


def test_a_put_that_commits_while_the_stores_are_listed_is_no_notice(
    file_store: Path, first, hand_in, monkeypatch
) -> None:
    """Its rows are made after those around it were read, and before its file is listed."""
    last = Blob.objects.latest("digest").digest
    late = next(text for n in range(1000) if str(Digest.of(text := b"late %d" % n)) < last)
    listing = wiring.store().listing

    def listed() -> Iterator[str]:
        hand_in(late)
        yield from listing()

    monkeypatch.setattr(wiring.store(), "listing", listed)
    assert looked() == ([], [])
    assert Blob.objects.filter(pk=str(Digest.of(late))).exists()


def test_a_put_whose_file_was_not_listed_yet_is_no_loss(file_store: Path, first, hand_in, monkeypatch) -> None:
    """Its row is read after the stores were listed without it."""
    monkeypatch.setattr(store_check, "_AT_ONCE", 1)
    listed, least = list(wiring.store().listing()), Blob.objects.earliest("digest").digest
    late = next(text for n in range(1000) if str(Digest.of(text := b"late %d" % n)) > least)

    def listing() -> Iterator[str]:
        hand_in(late)
        yield from listed

    monkeypatch.setattr(wiring.store(), "listing", listing)
    assert looked() == ([], [])


def queries(count: int) -> int:
    with CaptureQueriesContext(connection) as seen:
        problems = list(store_check.lost_files([]))
    assert len(problems) == count
    return len(seen)


def test_many_lost_files_take_no_more_queries_than_few(file_store: Path, hand_in) -> None:
    rows = [hand_in(b"file %d" % n) for n in range(6)]
    (file_store / rows[0].blob.place).unlink()
    one = queries(1)
    for row in rows[1:]:
        (file_store / row.blob.place).unlink()
    assert queries(6) == one


def test_many_unnamed_files_take_no_more_queries_than_few(file_store: Path, first: Submission) -> None:
    taken = []
    for count in (1, 8):
        for n in range(count):
            place = file_store / place_of(Digest.of(b"left %d" % n))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"left")
        taken.append(queries(0))
    assert taken[0] == taken[1]


@pytest.mark.parametrize("most", [1, 2])
def test_many_are_named_up_to_a_number_and_then_counted(file_store: Path, hand_in, monkeypatch, most: int) -> None:
    monkeypatch.setattr(store_check, "_MOST", most)
    monkeypatch.setattr(store_check, "_AT_ONCE", 2)
    rows = [hand_in(b"file %d" % n) for n in range(5)]
    for row in rows:
        (file_store / row.blob.place).unlink()
    looked_for, stat = [], wiring.store().stat
    monkeypatch.setattr(wiring.store(), "stat", lambda locator: looked_for.append(locator) or stat(locator))
    problems, _ = looked()
    assert len(looked_for) == most
    assert (len(problems), problems[-1]) == (most + 1, f"{5 - most} more blobs are not in what the stores list")


def test_on_whatever_store_the_run_is_all_fits_and_what_was_put_unrecorded_is_noticed(hand_in, tmp_path: Path) -> None:
    hand_in(LINE * 3, names=["a.example"])
    hand_in(b"other file\n")
    assert looked() == ([], [])
    (tmp_path / "left").write_bytes(b"left by a put")
    wiring.store().put(tmp_path / "left", Digest.of(b"left by a put"), Keeping())
    problems, notices = looked()
    assert (problems, len(notices)) == ([], len(wiring.stores()))
    assert all(notice.startswith(place_of(Digest.of(b"left by a put"))) for notice in notices)
