"""Pages for addresses that lead nowhere, and for what no page's view can catch: faults before it, and ours."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import structlog

from archive.api.problems import Answer, answer_to, problem
from archive.web.doors import said

if TYPE_CHECKING:
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
    answer = (answer_to(fault) if fault else None) or _fault()
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
