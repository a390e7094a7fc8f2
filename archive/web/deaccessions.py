"""The page on which two persons say that the law has a file taken away (docs/deaccession.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from archive.services import access, deaccessions, finding
from archive.services.custody import told
from archive.web.doors import page, person

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from archive.models import Deaccession
    from archive.services.access import Principal


@require_http_methods(["GET", "HEAD", "POST"])
@page
def deaccession(request: HttpRequest, digest: str) -> HttpResponse:
    """What was asked for and what became of it, and the form by which the first person asks."""
    who = person(request)
    found = finding.blob(who, digest)
    if request.method == "POST":
        case = access.visible_case(who, request.POST.get("case", ""))
        deaccessions.ask_deaccession(principal=who, case=case, blob=found, reason=request.POST.get("reason", ""))
        return redirect("deaccession", found.digest)
    rows = deaccessions.deaccessions_of(who, found)
    context = {
        "blob": found, "rows": [_value(who, row) for row in rows], "cases": deaccessions.cases_to_ask_in(who, found),
        "reconstruction": finding.events_of(who, found.digest).filter(case__reconstruction=True).exists(),
    }  # fmt: skip
    return render(request, "deaccession.html", context)


@require_POST
@page
def approve(request: HttpRequest, deaccession_id: int) -> HttpResponse:
    """The second person's word."""
    who = person(request)
    row = deaccessions.visible_deaccession(who, deaccession_id)
    deaccessions.approve_deaccession(principal=who, deaccession=row)
    return redirect("deaccession", row.blob_id)


def _value(who: Principal, row: Deaccession) -> dict[str, Any]:
    """What was approved is told as its event says it, whatever the row says now."""
    said: dict[str, Any] = {"reason": row.reason, "asked_by": str(row.asked_by_id)}
    if row.event is not None:
        event = told(row.event)
        said = event.detail if event else {}
    ids = [str(said.get(name, "")) for name in ("asked_by", "approved_by")]
    names = access.names_known_to(who, ids)
    asked_by, approved_by = (names.get(each, each) for each in ids)
    return {
        "row": row, "reason": said.get("reason", ""), "asked_by": asked_by, "approved_by": approved_by,
        "may_approve": deaccessions.may_approve(who, row),
    }  # fmt: skip
