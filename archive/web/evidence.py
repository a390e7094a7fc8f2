"""Pages about bytes: uploading, a submission's way, finding by hash, a file's custody and proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from archive.api.blobs import event_value
from archive.services import access, finding
from archive.services.refusals import NotVisible
from archive.services.sequencing import latest_checkpoint
from archive.web.doors import page, person

if TYPE_CHECKING:
    import uuid

    from django.http import HttpRequest, HttpResponse

    from archive.models import Submission


@require_safe
@page
def upload(request: HttpRequest) -> HttpResponse:
    cases = access.cases_visible_to(person(request))
    return render(request, "upload.html", {"cases": cases, "case": request.GET.get("case", "")})


@require_safe
@page
def submission(request: HttpRequest, submission_id: uuid.UUID) -> HttpResponse:
    row = finding.submission(person(request), submission_id)
    done = finding.is_done(row)
    leaf = getattr(row.event, "leaf", None)
    runs = finding.runs_of(row) if row.blob_id else []
    context = {"row": row, "done": done, "leaf": leaf, "runs": runs, "steps": steps(row, leaf is not None, done=done)}
    # A partial is a part of the page: the same template, without its frame.
    return render(request, "parts/submission.html" if request.htmx else "submission.html", context)  # type: ignore[attr-defined] # set by the middleware


def steps(row: Submission, in_ledger: bool, *, done: bool) -> list[tuple[str, bool]]:  # noqa: FBT001 -- a state, not a switch
    """The way of a submission, and how far it has come."""
    return [
        (f"receiving {100 * row.offset // row.length if row.length else 100} %", row.received is not None),
        ("received", row.received is not None),
        ("sealed", row.blob_id is not None),
        ("in the ledger", in_ledger),
        ("recognised", bool(row.read_as)),
        ("read and analysed", done and row.state == "sealed"),
    ]


@require_safe
@page
def find(request: HttpRequest) -> HttpResponse:
    """By hash: to the file's page if there is one that may be seen, else a plain no."""
    text = request.GET.get("digest", "").strip()
    if not text:
        return render(request, "find.html")
    try:
        return redirect("blob", finding.blob(person(request), text).digest)
    except NotVisible as refusal:
        return render(request, "find.html", {"said": str(refusal), "text": text}, status=404)


@require_safe
@page
def blob(request: HttpRequest, digest: str) -> HttpResponse:
    who = person(request)
    found = finding.blob(who, digest)
    of_blob = list(finding.events_of(who, found.digest))
    events = [{**event_value(event, found.digest), "case_id": event.case_id} for event in of_blob]
    context = {
        "blob": found,
        "events": events,
        "submissions": finding.submissions(who).filter(blob=found),
        "runs": finding.runs(who).filter(inputs__blob=found).distinct(),
        "made_by": finding.runs(who).filter(outputs__blob=found).distinct(),
        "checkpoint": latest_checkpoint(),
        "reconstruction": any(event.case and event.case.reconstruction for event in of_blob),
    }
    return render(request, "blob.html", context)
