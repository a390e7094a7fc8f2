"""What is refused before any page's view: in words, as a page to people and as a problem to programs."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.archive.web.test_away import says
from tests.archive.web.test_pages import signed_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["/find", "/fixity", "/sign-in/"])
def test_a_method_that_a_page_does_not_take_is_refused_with_words(address: str) -> None:
    answer = signed_in("ann").delete(address)
    says(answer, 405, "DELETE does nothing here; this takes GET, HEAD")
    assert answer["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("address", ["/log/checkpoint", "/.well-known/custos-keys.json", "/healthz"])
def test_a_program_is_told_so_as_a_problem(address: str) -> None:
    answer = Client(enforce_csrf_checks=True).post(address)
    assert (answer.status_code, answer["Content-Type"], answer["Allow"]) == (
        405,
        "application/problem+json",
        "GET, HEAD",
    )
    assert answer.json()["detail"] == "POST does nothing here; this takes GET, HEAD"


def test_a_form_that_is_of_no_page_is_refused_and_says_what_to_do() -> None:
    client = Client(enforce_csrf_checks=True)
    says(client.post("/sign-in/some-link"), 403, "so nothing was done", "reload the page and do it again")


@pytest.mark.parametrize(("address", "kind"), [("/", "text/html"), ("/log/checkpoint", "application/problem+json")])
def test_a_name_that_the_archive_does_not_go_by_is_told_so(address: str, kind: str) -> None:
    answer = Client(raise_request_exception=False).get(address, headers={"Host": "elsewhere.example"})
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (400, kind)
    assert "CUSTOS_ALLOWED_HOSTS" in answer.content.decode()
