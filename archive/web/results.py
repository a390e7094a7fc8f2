"""A result's page, and the lines behind each of its numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.shortcuts import redirect, render
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_POST, require_safe

from archive.services import finding, following
from archive.services.access import as_uuid
from archive.services.reading import note_access, read_lines
from archive.services.refusals import NotReady, NotVisible
from archive.services.runs import retry_run
from archive.services.tables import report_of
from archive.web.doors import page, person
from archive.web.interpretation import said_of

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping, Sequence

    from django.http import HttpRequest, HttpResponse

    from archive.models import Run

PAGE = 50
WIDTH = 1000
_SHARE = re.compile(r"[0-9]+\.[0-9]+")
"""A share of a hundred as analyses write it."""


def _answered(request: HttpRequest, run_id: uuid.UUID) -> Run:
    run = finding.run(person(request), run_id)
    if not run.answers:
        raise NotVisible("this run unpacks or reads a source and answers no question; see its submission")
    if run.state != "succeeded":
        raise NotReady(f"this result is {run.state}. {run.problem}")
    return run


@require_safe
@page
def result(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    run = _answered(request, run_id)
    note_access(principal=person(request), blob=following.output(run, "result.json"))
    said = following.result_of(run)
    reports = [
        {**report_of(parse), "reading": parse.pk, "said": said_of(parse.parameters)}
        for parse in finding.parses_behind(run)
    ]
    context = {"run": run, "said": said, "bars": bars(said["findings"]), "reports": reports, "table": table(said)}
    return render(request, "result.html", context)


def bars(findings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A bar for each finding that has a share; the longest is as wide as the figure."""
    shared = [item for item in findings if "share" in item]
    longest = max((item["value"] for item in shared), default=1) or 1
    return [
        {
            "finding": item,
            "label": item.get("client", item["title"]),
            "width": round(WIDTH * item["value"] / longest, 1),
        }
        for item in shared
    ]


def table(said: dict[str, Any]) -> dict[str, Any]:
    """The result's table; the count in a row that a finding stands behind leads to its lines."""
    ranked = {item["client"]: item for item in said["findings"] if "client" in item}
    rows = [
        {"cells": _cells(row, next((ranked[str(cell)] for cell in row if str(cell) in ranked), {}))}
        for row in said["table"]["rows"]
    ]
    return {"columns": said["table"]["columns"], "rows": rows}


def _cells(row: Sequence[Any], finding: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Counts are numbers, grouped in thousands, and shares; the count that equals the finding's is its link."""
    counts = [n for n, cell in enumerate(row) if type(cell) is int and cell == finding.get("value")]
    return [
        {
            "text": f"{cell:,}" if type(cell) is int else cell,
            "is_number": type(cell) is int or _SHARE.fullmatch(str(cell)) is not None,
            "finding": finding["name"] if counts[-1:] == [n] else "",
        }
        for n, cell in enumerate(row)
    ]  # fmt: skip


@require_safe
@page
def finding_lines(request: HttpRequest, run_id: uuid.UUID, name: str) -> HttpResponse:
    run = _answered(request, run_id)
    number = following.finding_of(run, name)
    text = request.GET.get("from", "0")
    start = min(int(text), max(0, number["value"] - 1)) if text.isdecimal() and len(text) < 16 else 0
    found = read_lines(principal=person(request), run=run, name=name, offset=start, limit=PAGE)
    lines = [{"line": line, "text": marked(line.text, number["each_line_contains"])} for line in found]
    context = {
        "run": run, "number": number, "lines": lines, "files": sorted({line.blob for line in found}),
        "first": start + 1, "last": start + len(lines), "before": max(0, start - PAGE) if start else None,
        "after": start + PAGE if start + PAGE < number["value"] else None,
    }  # fmt: skip
    return render(request, "finding.html", context)


def marked(text: str, wanted: Sequence[str]) -> SafeString:
    """The line with what was searched for marked; everything in it is escaped."""
    if not wanted:
        return SafeString(escape(text))
    pattern = re.compile("(" + "|".join(re.escape(item) for item in wanted) + ")", re.IGNORECASE)
    pieces = pattern.split(text)
    html = "".join(f"<mark>{escape(piece)}</mark>" if n % 2 else escape(piece) for n, piece in enumerate(pieces))
    return mark_safe(html)  # noqa: S308 -- every piece was escaped one line above


@require_POST
@page
def retry(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """A failed run once more; back to where it was seen."""
    who = person(request)
    retry_run(principal=who, run=finding.run(who, run_id))
    submission = as_uuid(request.POST.get("submission", ""))
    return redirect("submission", submission) if submission else redirect("front")
