"""A reading's page: its report, in which every byte is accounted for, its first rows, and what became no row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.shortcuts import render
from django.views.decorators.http import require_safe

from archive.services import finding, tables
from archive.services.refusals import TakenAway
from archive.web.doors import page, person
from evidence.extraction import PACKED
from evidence.formats.registry import FORMATS

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping, Sequence

    from django.http import HttpRequest, HttpResponse

PAGE, FIRST = 50, 10
WIDTH, LEAST = 1000, 6
PREVIEW = {
    "lookups": ("time", "event", "client", "name", "type", "rcode"),
    "sightings": ("time", "last", "name", "type", "data", "count", "observer"),
}
KINDS = {"reject": "not understood", "skip": "skipped by rule", "context": "needed to read what follows"}


@require_safe
@page
def reading(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    who = person(request)
    run = finding.run(who, run_id)
    report = tables.report_of(run)
    try:
        rows, gone = tables.rows_of(principal=who, run=run, offset=0, limit=FIRST), ""
    except TakenAway as refusal:
        rows, gone = [], str(refusal)
    counts = report["conservation"]
    holds = report["schema"].partition("@")[0]
    context = {
        "run": run, "report": report, "counts": counts, "title": title_of(run.procedure), "holds": holds,
        "parts": conservation(counts), "columns": PREVIEW[holds],
        "reasons": sorted(report["reasons"].items(), key=lambda item: (-item[1], item[0])),
        "rows": preview(rows, PREVIEW[holds]), "gone": gone,
    }  # fmt: skip
    return render(request, "reading.html", context | {"width": sum(part["width"] for part in context["parts"])})


def title_of(procedure: str) -> str:
    """The format's own words, or for a reader that is no more the procedure's name."""
    return FORMATS[procedure].title if procedure in FORMATS else PACKED.get(procedure, procedure)


def conservation(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """The parts of a bar, each as wide as its share of the bytes; what is there is never too thin to be seen."""
    parts: list[dict[str, Any]] = []
    at = 0
    for name, title, count, size in (
        ("rows", "rows", "rows", "row_bytes"), ("rejects", "not understood", "rejects", "reject_bytes"),
        ("skipped", "skipped by rule", "skipped", "skipped_bytes"),
    ):  # fmt: skip
        share = WIDTH * counts[size] / (counts["bytes"] or 1)
        width = max(LEAST, round(share)) if counts[size] else 0
        parts.append({
            "name": name, "title": title, "count": counts[count], "bytes": counts[size], "at": at, "width": width,
            "percent": f"{share / 10:.2f}",
        })  # fmt: skip
        at += width
    return parts


def preview(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    """The first rows, a few columns of each, in words."""
    return [
        {"number": number, "line": row["line"], "cells": [written(row[name]) for name in columns]}
        for number, row in enumerate(rows, 1)
    ]


def written(value: Any) -> str:
    """A column's value for people: times in ISO 8601, lists with commas."""
    if isinstance(value, list):
        return ", ".join(map(written, value))
    if isinstance(value, dict):
        return " ".join(written(part) for part in value.values() if part is not None)
    if hasattr(value, "isoformat"):
        return str(value.isoformat(timespec="microseconds")).replace("+00:00", "Z")
    return "" if value is None else str(value)


@require_safe
@page
def row(request: HttpRequest, run_id: uuid.UUID, number: int) -> HttpResponse:
    """A row and the bytes that carry it."""
    who = person(request)
    run = finding.run(who, run_id)
    values, line = tables.read_row(principal=who, run=run, number=number)
    said = {name: written(value) for name, value in values.items() if value is not None}
    return render(request, "row.html", {"run": run, "number": number, "values": said, "line": line})


@require_safe
@page
def rejects(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """What became no row, by kind or reason if one is asked for."""
    who = person(request)
    run = finding.run(who, run_id)
    wanted = {name: request.GET.get(name, "")[:80] for name in ("kind", "reason")}
    start = start_of(request)
    found = tables.read_rejects(principal=who, run=run, offset=start, limit=PAGE + 1, **wanted)
    shown = [{"line": item.line, "kind": KINDS.get(item.kind, item.kind), "reason": item.reason} for item in found]
    context = {
        "run": run, "rejects": shown[:PAGE], "wanted": wanted, "first": start + 1, "last": start + len(shown[:PAGE]),
        "before": max(0, start - PAGE) if start else None, "after": start + PAGE if len(found) > PAGE else None,
    }  # fmt: skip
    return render(request, "rejects.html", context)


def start_of(request: HttpRequest) -> int:
    """Where a page begins; the first for what is no number."""
    text = request.GET.get("from", "0")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0
