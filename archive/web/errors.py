"""Pages for addresses that lead nowhere, and for what no page's view can catch: faults before it, and ours."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from django.core.exceptions import DisallowedHost

from archive.api.problems import Answer, answer_to, problem
from archive.web.doors import said

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

_PROGRAMS = ("/api/", "/log/", "/.well-known/", "/metrics", "/readyz", "/healthz")
"""Where programs knock, which read no pages."""


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """In the words of the door that was knocked at."""
    if request.path.startswith("/api/"):
        return problem(request, 404, "Not found", "there is nothing at this address; /api/schema lists what there is")
    return said(request, Answer(404, "Not found", "there is nothing at this address that you may see"))


def failed(request: HttpRequest) -> HttpResponse:
    """The session and who is there are looked up before any view: what fails then, and faults, need no database."""
    fault = sys.exception()
    return _told(request, (answer_to(fault) if fault else None) or _fault())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What is refused before it reaches a view, first of all a name that the archive does not go by."""
    detail = "the request breaks a rule of HTTP or of a form; go back, reload the page and do it again"
    if isinstance(exception, DisallowedHost):
        detail = (
            "the archive does not go by the name in this address; use the one that the operator gave you "
            "(the operator lists those that are answered in CUSTOS_ALLOWED_HOSTS)"
        )
    return _told(request, Answer(400, "The request cannot be used", detail))


def not_from_a_page(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without the token that our pages put in it (Django's CSRF check)."""
    detail = (
        "what was sent does not come from a page of this archive that is still valid, so nothing was done; go back, "
        "reload the page and do it again (cookies have to be allowed)"
    )
    return _told(request, Answer(403, "Not allowed", detail))


def with_words(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: a method that an address does not take is refused by Django without a word."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED or response.content:
            return response
        allowed = response["Allow"]
        told = _told(request, Answer(405, "Not done here", f"{request.method} does nothing here; this takes {allowed}"))
        told["Allow"] = allowed
        return told

    return answer


def _told(request: HttpRequest, answer: Answer) -> HttpResponse:
    """As a problem to a program, as a page to a person."""
    if request.path.startswith(_PROGRAMS):
        return problem(request, answer.status, answer.title, answer.detail, answer.headers)
    return said(request, answer)


def _fault() -> Answer:
    """By which name the operator finds it in the log."""
    number = structlog.contextvars.get_contextvars().get("request_id", "")
    name = f" (request {number})" if number else ""
    return Answer(
        500, "A fault in the archive",
        f"this is a fault of the archive and not of what you asked{name}; nothing that was accepted is lost. "
        "Tell the operator, in whose log it stands",
    )  # fmt: skip
