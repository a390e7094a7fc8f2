"""The front page and the pages of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from archive.api.results import result_value
from archive.services import access, finding, runs
from archive.services import demonstration as demonstrations
from archive.web.doors import page, person

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@require_safe
@page
def front(request: HttpRequest) -> HttpResponse:
    cases = access.cases_visible_to(person(request))
    return render(request, "front.html", {"cases": cases, "empty": not cases.exists()})


@require_POST
@page
def demonstration(request: HttpRequest) -> HttpResponse:
    case = demonstrations.file_reconstruction(principal=person(request))
    return redirect("case", case.pk)


@require_safe
@page
def case(request: HttpRequest, reference: str) -> HttpResponse:
    who = person(request)
    found = access.visible_case(who, reference)
    results = [result_value(run) for run in finding.results(who).filter(case=found)]
    working = found.runs.filter(state__in=("pending", "running")).exists()
    waiting = found.submissions.filter(state="received").exists()
    unread = found.submissions.filter(state="sealed", read_as="").exists()
    return render(
        request,
        "case.html",
        {
            "case": found,
            "names": found.names.order_by("name"),
            "submissions": finding.submissions(who).filter(case=found),
            "results": results,
            "working": working or waiting or unread,
            "is_member": found.members.filter(pk=who.user.pk).exists(),
        },
    )


@require_POST
@page
def watch(request: HttpRequest, reference: str) -> HttpResponse:
    """Watch a name: what can be asked about it is then planned."""
    who = person(request)
    found = access.visible_case(who, reference)
    access.watch_names(principal=who, case=found, names=[request.POST.get("name", "")])
    runs.plan_follow_ups(case=found)
    return redirect("case", found.pk)


@require_POST
@page
def members(request: HttpRequest, reference: str) -> HttpResponse:
    who = person(request)
    found = access.visible_case(who, reference)
    access.add_member(principal=who, case=found, user_name=request.POST.get("user", "").strip())
    return redirect("case", found.pk)
