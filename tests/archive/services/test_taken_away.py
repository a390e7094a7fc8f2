"""Of many blobs at once the same is said as of each: gone by law, themselves or with what they were made from."""

from __future__ import annotations

import gzip

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from archive.models import Blob, Deaccession, RunOutput
from archive.services.deaccessions import deaccession_behind
from archive.services.keeping import cases_of
from archive.services.taken_away import taken_away
from tests.archive.services.conftest import LINE
from tests.archive.services.test_archives_in_archives import zipped
from tests.deaccessing import deaccess

pytestmark = pytest.mark.django_db
LOG, OTHER = LINE * 3, LINE * 2


def one_by_one() -> set[str]:
    """The slow way, for every blob that there is."""
    return {blob.digest for blob in Blob.objects.all() if deaccession_behind(blob, cases_of(blob)) is not None}


def at_once() -> set[str]:
    return taken_away(set(Blob.objects.values_list("pk", flat=True)))


def test_nothing_is_gone_that_nobody_ordered(hand_in, ann) -> None:
    row = hand_in(zipped(a=LOG))
    Deaccession.objects.create(blob=row.blob, case=row.case, reason="asked only", asked_by=ann.user)
    assert at_once() == one_by_one() == set()
    assert taken_away(set()) == set()


def test_members_and_tables_go_with_the_archive_that_they_came_in(hand_in) -> None:
    row = hand_in(zipped(a=LOG, b=gzip.compress(OTHER, mtime=0)))
    hand_in(b"kept\n")
    deaccess(row)
    tables = set(RunOutput.objects.filter(name="table.parquet").values_list("blob", flat=True))
    found = at_once()
    assert found == one_by_one()
    assert {row.blob_id} | tables < found
    assert len(tables) == 2


@pytest.mark.parametrize("case", ["case-a", "case-b"])
@pytest.mark.parametrize("ordered", [0, 1, 2])
def test_a_file_that_came_from_elsewhere_too_is_as_one_by_one(hand_in, case: str, ordered: int) -> None:
    rows = [hand_in(zipped(a=LOG, b=OTHER)), hand_in(LOG, case=case), hand_in(zipped(c=zipped(b=OTHER)), case=case)]
    deaccess(rows[ordered])
    found = at_once()
    assert found == one_by_one()
    assert rows[ordered].blob_id in found


def test_all_that_members_came_from_is_to_be_gone(hand_in) -> None:
    rows = [hand_in(zipped(a=LOG)), hand_in(zipped(b=LOG))]
    deaccess(rows[0])
    first = at_once()
    assert first == one_by_one()
    deaccess(rows[1])
    both = at_once()
    assert both == one_by_one()
    assert len(both) > len(first | {rows[1].blob_id})


def test_many_take_no_more_queries_than_few(hand_in) -> None:
    taken = []
    for count in (1, 5):
        deaccess(hand_in(zipped(**{f"m{count}-{n}": LINE * (count + n) for n in range(count)})))
        with CaptureQueriesContext(connection) as seen:
            assert len(at_once()) > count
        taken.append(len(seen))
    assert taken[0] == taken[1]
