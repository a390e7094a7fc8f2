"""Pages while a part of the archive does not answer: they say what, and what to do, and need none of it."""

from __future__ import annotations

import re
import shutil

import pytest
from django.test import Client

from archive.models import User
from archive.web.cases import front
from tests.archive.web.test_pages import pages, row, signed_in  # noqa: F401 -- a fixture is used by its name

pytestmark = pytest.mark.django_db


def says(answer, status: int, *words: str) -> None:
    text = answer.content.decode()
    assert answer.status_code == status, text
    assert answer["Content-Type"].startswith("text/html")
    assert [word for word in words if word not in text] == [], text


def away(answer, *words: str) -> None:
    says(answer, 503, "Reload this page in a moment", "Nothing that was accepted is lost", "/readyz", *words)
    assert int(answer["Retry-After"]) > 0


@pytest.fixture
def ann(db) -> Client:
    client = signed_in("ann")
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("page", ["/", "/upload", "/find", "/sign-in/some-link"])
def test_without_the_database_a_page_says_so(ann, no_database, page: str) -> None:
    answer = ann.get(page)
    away(answer, "The database does not answer")
    assert str(no_database) not in answer.content.decode()


def test_a_database_that_goes_away_under_a_view_is_said_too(no_database, rf) -> None:
    """Who asks was found before; what fails is the view's own question."""
    request = rf.get("/")
    request.user = User(username="ann")
    away(front(request), "The database does not answer")


def test_programs_are_told_in_their_own_form(no_database) -> None:
    client = Client(raise_request_exception=False)
    for address in ("/api/v1/submissions", "/log/checkpoint"):
        answer = client.get(address, headers={"Authorization": "Bearer x"})
        assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json"), address
        assert (answer.json()["title"], answer["Retry-After"]) == ("The database does not answer", "1")


def test_bytes_that_the_store_no_longer_has_are_missed_in_words(file_store, ann, row) -> None:  # noqa: F811
    finding = next(page for page in pages(row) if "findings" in page)
    (raw,) = file_store.rglob(row.blob_id.removeprefix("sha256:"))
    raw.rename(file_store.parent / "elsewhere")
    answer = ann.get(finding)
    away(answer, "The store does not have the bytes", raw.name, "a replica or a backup")
    (file_store.parent / "elsewhere").rename(raw)
    assert ann.get(finding).status_code == 200
    shutil.rmtree(file_store)
    away(ann.get(finding), "The store does not")


def test_a_fault_of_ours_is_owned_and_found_in_the_log_by_its_number(ann, monkeypatch, caplog) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("archive.services.access.cases_visible_to", broken)
    answer = ann.get("/")
    says(answer, 500, "A fault in the archive", "the operator")
    number = re.search(r"\(request ([0-9a-f-]{36})\)", answer.content.decode())
    assert number is not None
    logged = [entry.msg for entry in caplog.records if isinstance(entry.msg, dict)]
    assert "request_failed" in [entry["event"] for entry in logged if entry["request_id"] == number[1]]
    assert b"of ours" not in answer.content
    said = ann.get("/api/v1/cases")
    assert (said.status_code, said["Content-Type"]) == (500, "application/problem+json")
