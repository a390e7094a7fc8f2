"""Pages for addresses that lead nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive.api.problems import problem
from archive.services.refusals import NotVisible
from archive.web.doors import refused

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """In the words of the door that was knocked at."""
    if request.path.startswith("/api/"):
        return problem(request, 404, "Not found", "there is nothing at this address; /api/schema lists what there is")
    return refused(request, NotVisible("there is nothing at this address that you may see; begin at the front page"))
