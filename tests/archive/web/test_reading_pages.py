"""What was read of a file, shown: every byte of it, the rows beside their bytes, and what became none."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from archive.models import CustodyEvent, Run
from archive.services import access, execution, intake, sealing, sequencing
from archive.web.readings import conservation
from tests.archive.web.test_pages import signed_in

pytestmark = pytest.mark.django_db
LINE = b"04-May-2016 00:00:12.345 client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"
NOISE = b"<script>\xff %d\n"


@pytest.fixture
def run(db) -> Run:
    """A log of three lookups, one comment and sixty lines that nobody understands."""
    who = access.principal_of(access.ensure_user(user_name="ann"))
    data = b"# begins\n" + LINE * 3 + b"".join(NOISE % n for n in range(60))
    said = {"procedure": "parse.bind@2"}
    row = intake.begin_submission(principal=who, case_reference="case-a", length=len(data), reading=said)
    intake.append_bytes(principal=who, submission_id=row.pk, offset=0, chunks=[data])
    sealing.seal_submission(row.pk)
    while waiting := Run.objects.filter(state="pending").first():
        execution.execute_run(waiting.pk)
    sequencing.sequence_pending()
    return Run.objects.get(procedure="parse.bind@2")


def reads() -> int:
    return CustodyEvent.objects.filter(type="access").count()


def test_a_reading_accounts_for_every_byte_and_its_rows_are_read_from_the_source(run) -> None:
    page = signed_in("ann").get(f"/readings/{run.pk}").content.decode()
    size = 9 + 3 * len(LINE) + sum(len(NOISE % n) for n in range(60))
    assert f"{size:,} bytes" in page
    assert "Assumed UTC: the source states no time zone for 3 rows" in page
    bar = page.partition("<svg")[2].partition("</svg>")[0]
    assert re.findall(r'class="(\w+)" x="(\d+)"', bar)[0] == ("rows", "0")
    assert "% of the bytes not understood" in bar
    assert '?reason=not-a-query-line">60<' in page
    assert f"/readings/{run.pk}/rows/3" in page
    assert f"/readings/{run.pk}/rows/4" not in page
    assert reads() == 1


def test_rejects_are_paged_shown_as_text_and_their_reading_is_in_the_custody(run) -> None:
    ann = signed_in("ann")
    first = ann.get(f"/readings/{run.pk}/rejects?reason=not-a-query-line").content.decode()
    assert first.count("<li>") == 50
    start = 9 + 3 * len(LINE)
    assert f"line 5, bytes {start}\u2013{start + len(NOISE % 0)}: not-a-query-line" in first
    assert "&lt;script&gt;\\xff 0" in first and "<script>\\xff" not in first
    (more,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = ann.get(f"/readings/{run.pk}/rejects{more.replace('&amp;', '&')}").content.decode()
    assert (second.count("<li>"), 'rel="next"' in second, 'rel="prev"' in second) == (10, False, True)
    assert reads() == 1
    everything = ann.get(f"/readings/{run.pk}/rejects").content.decode()
    assert "line 1, bytes 0\u20139: comment (skipped by rule)" in everything
    assert "Nothing more" in ann.get(f"/readings/{run.pk}/rejects?from=900").content.decode()


def test_a_row_stands_beside_its_bytes(run) -> None:
    ann = signed_in("ann")
    page = ann.get(f"/readings/{run.pk}/rows/2").content.decode()
    assert f"line 3, bytes {9 + len(LINE)}\u2013{9 + 2 * len(LINE)}" in page
    assert f"<pre>{LINE.decode().strip()}</pre>" in page
    assert "<dt>client</dt><dd>192.0.2.17</dd>" in page
    assert "2016-05-04T00:00:12.345000Z" in page
    assert reads() == 1
    for absent in (0, 4, 10**20):
        assert ann.get(f"/readings/{run.pk}/rows/{absent}").status_code == 404


def test_others_see_nothing_and_auditors_all(run) -> None:
    ann, eve, bob = signed_in("ann"), signed_in("eve", auditor=True), signed_in("bob")
    for address in ("", "/rejects", "/rows/1"):
        asked = [who.get(f"/readings/{run.pk}{address}").status_code for who in (ann, eve, bob, Client())]
        assert asked == [200, 200, 404, 302], address


def test_a_run_that_is_no_reading_or_has_not_ended_says_so(run) -> None:
    ann = signed_in("ann")
    Run.objects.filter(pk=run.pk).update(state="failed", problem="the reader was stopped")
    answer = ann.get(f"/readings/{run.pk}")
    assert (answer.status_code, b"the reader was stopped" in answer.content) == (409, True)
    Run.objects.filter(pk=run.pk).update(procedure="querier_concentration@1")
    assert ann.get(f"/readings/{run.pk}").status_code == 404


def test_a_part_that_is_there_is_wide_enough_to_be_seen() -> None:
    counts = {"bytes": 10**9, "rows": 9, "row_bytes": 10**9 - 1, "rejects": 1, "reject_bytes": 1}
    rows, rejects, skipped = conservation({**counts, "skipped": 0, "skipped_bytes": 0})
    assert (rows["width"], rejects["at"], rejects["width"], skipped["width"]) == (1000, 1000, 6, 0)
    assert (rejects["percent"], skipped["bytes"]) == ("0.00", 0)
