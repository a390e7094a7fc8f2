"""Pages about bytes: uploading, a submission's way, finding by hash, a file's custody and proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from archive.api.blobs import deaccession_value, event_value, fixity_value
from archive.services import access, alarms, deaccessions, finding, intake
from archive.services.chain import chain_of
from archive.services.handovers import (
    acknowledge_handover,
    handovers_of,
    offer_handover,
    receivers_for,
)
from archive.services.recognised import recognised_of
from archive.services.refusals import NotVisible
from archive.services.row_check import sealed_members
from archive.services.sequencing import latest_checkpoint
from archive.services.witnessing import has_quorum
from archive.web.doors import page, person
from archive.web.interpretation import SHOWN, source_value
from archive.web.readings import start_of

if TYPE_CHECKING:
    import uuid

    from django.http import HttpRequest, HttpResponse

    from archive.models import Submission


@require_safe
@page
def upload(request: HttpRequest) -> HttpResponse:
    cases = access.own_cases(person(request))
    return render(request, "upload.html", {"cases": cases, "case": request.GET.get("case", "")})


@require_safe
@page
def submission(request: HttpRequest, submission_id: uuid.UUID) -> HttpResponse:
    who = person(request)
    row = finding.submission(who, submission_id)
    done = finding.is_done(row)
    leaf = getattr(row.event, "leaf", None)
    runs = finding.runs_of(row) if row.blob_id else []
    start = start_of(request)
    sources = recognised_of(row, start, SHOWN + 1)
    context = {
        "row": row, "done": done, "leaf": leaf, "runs": runs, "steps": steps(row, leaf is not None, done=done),
        "abandoned": intake.is_abandoned(row), "mine": row.user_id == request.user.pk,
        "is_member": row.case.members.filter(pk=who.user.pk).exists(),
        "sources": list(map(source_value, sources[:SHOWN])),
        "more": start + SHOWN if len(sources) > SHOWN else None,
    }  # fmt: skip
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
    chain, shown = chain_of(who, found.digest), latest_checkpoint()
    events = [{**event_value(link, found.digest, chain.names), "case_id": link.event.case_id} for link in chain.links]
    context = {
        "blob": found,
        "events": events,
        "submissions": [(row, sealed_members(row)) for row in finding.submissions(who).filter(blob=found)],
        "runs": finding.runs(who).filter(inputs__blob=found).distinct(),
        "made_by": finding.runs(who).filter(outputs__blob=found).distinct(),
        "checkpoint": shown,
        "below_quorum": shown is not None and not has_quorum(shown),
        "witnesses": [line.witness for line in shown.cosignatures.all()] if shown else [],
        "reconstruction": any(link.event.case and link.event.case.reconstruction for link in chain.links),
        "gaps": chain.gaps,
        "tree": {"size": chain.size, "root": chain.root.hex()},
        "fixity": fixity_value(found),
        "deaccessioned": deaccession_value(who, found),
        "handovers": handovers_of(who, found),
        "receivers": receivers_for(who, found),
        "deaccessions_shown": deaccessions.is_shown(who),
    }
    return render(request, "blob.html", context)


@require_POST
@page
def offer(request: HttpRequest, digest: str) -> HttpResponse:
    """Hand a file's care over to another member."""
    who = person(request)
    found = access.visible_case(who, request.POST.get("case", ""))
    offer_handover(
        principal=who, case=found, blob=finding.blob(who, digest), receiver=request.POST.get("receiver", "").strip(),
        note=request.POST.get("note", ""),
    )  # fmt: skip
    return redirect("blob", digest)


@require_POST
@page
def acknowledge(request: HttpRequest, handover_id: uuid.UUID) -> HttpResponse:
    """The receiver's word."""
    return redirect("blob", acknowledge_handover(principal=person(request), handover_id=handover_id).blob_id)


@require_safe
@page
def fixity(request: HttpRequest) -> HttpResponse:
    """When each blob was last seen whole, the one longest unseen first; and the open alarms."""
    who = person(request)
    rows = finding.blobs(who).select_related("fixity").order_by(F("fixity__whole").asc(nulls_first=True))[:500]
    seen = alarms.open_alarms() if who.audits or who.user.is_staff else []
    return render(request, "fixity.html", {"blobs": rows, "alarms": seen})
