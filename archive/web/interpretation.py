"""How a file is read: what it was taken for, and the page on which a member of the case says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from archive.services import finding, recognised
from archive.services.following import visible
from archive.services.identification import state_reading
from archive.web.doors import page, person
from archive.web.readings import title_of
from evidence.formats.registry import FORMATS
from evidence.reading.mapping import LONGEST_NAME, MAPPED, NEEDED, mapping_of, meant
from evidence.recognition import SURE, read_header

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping, Sequence

    from django.http import HttpRequest, HttpResponse, QueryDict

    from archive.models import Submission
    from archive.services.recognised import Recognised, Source
    from evidence.reading.format import Header

ORDERS = {"mdy": "the month", "dmy": "the day"}
SHOWN, SAMPLE, WIDE = 50, 5, 300
COLUMN = "column-"
STATED = ("procedure", "kind", "delimiter", "dates", "zone", "year")


def source_value(found: Recognised) -> dict[str, Any]:
    """A recognised source for its page."""
    columns = found.parameters.get("columns", {})
    return {
        "digest": found.source.digest, "way": "/".join(found.source.way), "size": found.source.size,
        "procedure": found.procedure, "title": title_of(found.procedure), "is_read": found.procedure != "none",
        "percent": round(100 * found.confidence), "unsure": found.confidence < SURE and found.procedure != "none",
        "reason": found.reason, "others": [title_of(name) for name in found.others], "notes": found.notes,
        "columns": columns.items(), "stated": found.stated, "said": said_of(found.stated), "readings": found.readings,
        "guessed": bool(columns) and not found.stated,
    }  # fmt: skip


def said_of(stated: Mapping[str, Any]) -> list[str]:
    """What a person stated, in words; columns stand by themselves."""
    words = {
        "procedure": "format",
        "kind": "it holds",
        "delimiter": "fields are cut by",
        "dates": "dates are written",
        "zone": "zone",
        "year": "year",
    }
    values = {**stated, "procedure": title_of(stated["procedure"])} if stated.get("procedure") else stated
    return [f"{word} {values[name]}" for name, word in words.items() if values.get(name)]


@require_http_methods(["GET", "HEAD", "POST"])
@page
def interpretation(request: HttpRequest, submission_id: uuid.UUID) -> HttpResponse:
    """A form that needs no script: choosing the format shows its columns; the last button states it all."""
    who = person(request)
    row = finding.submission(who, submission_id)
    if request.method == "POST":
        state_reading(
            principal=who, submission=row, reading=reading_of(request.POST), member=request.POST.get("member", "")
        )
        return redirect("submission", row.pk)
    source = recognised.source_of(row, request.GET.get("member", ""))
    head = recognised.look_into(principal=who, submission=row, source=source)
    return render(request, "interpretation.html", form_of(row, source, head, request.GET))


def reading_of(posted: QueryDict) -> dict[str, Any]:
    """What the form says; empty fields say nothing."""
    texts = {name: str(posted.get(name, "")).strip() for name in STATED}
    reading: dict[str, Any] = {name: text for name, text in texts.items() if text}
    columns = {key.removeprefix(COLUMN): posted[key] for key in posted if key.startswith(COLUMN) and posted[key]}
    year = reading.get("year", "")
    if columns:
        reading["columns"] = columns
    if year.isascii() and year.isdecimal() and len(year) < 6:
        reading["year"] = int(year)
    return reading


def form_of(row: Submission, source: Source, head: bytes, asked: QueryDict) -> dict[str, Any]:
    """What the page shows, with what is known or guessed so far filled in."""
    known = recognised.recognised(row.case, source)
    procedure = asked.get("procedure", known.procedure if known else "")
    parameters = known.parameters if known and known.procedure == procedure else {}
    form = FORMATS.get(procedure)
    choices = form.choices if form else {}
    cut, columns = _cut(asked, parameters, choices.get("delimiter", ()))
    header = read_header(head, procedure, delimiter=cut, whole=source.size <= len(head))
    kind = _kind(asked, parameters, header)
    return {
        "row": row, "way": "/".join(source.way), "digest": source.digest, "procedure": procedure, "form": form,
        "formats": sorted((each.title, name) for name, each in FORMATS.items()),
        "kind": kind, "kinds": [*MAPPED], "header": header, "parameters": parameters,
        "fields": fields_of(kind, header, columns) if header else [],
        "delimiters": choices.get("delimiter", ()),
        "delimiter": cut or (header.parameters.get("delimiter", "comma") if header else ""),
        "orders": [(word, ORDERS[word]) for word in choices.get("dates", ())],
        "wants_zone": form is None or not form.has_zone, "wants_year": form is None or not form.has_year,
        "sample": [visible(line[:WIDE]) for line in head.split(b"\n")[:SAMPLE] if line],
    }  # fmt: skip


def _cut(asked: QueryDict, parameters: Mapping[str, Any], words: Sequence[str]) -> tuple[str, Mapping[str, str] | None]:
    """The delimiter that is asked for, or was stated; empty where the header itself is to show it. And its columns."""
    columns = parameters.get("columns")
    known = parameters.get("delimiter", "comma") if words and columns else ""
    wanted = asked.get("delimiter", known)
    cut = wanted if wanted in words else ""
    return cut, columns if cut == known else None


def _kind(asked: QueryDict, parameters: Mapping[str, Any], header: Header | None) -> str:
    guess = mapping_of(header.names) if header else None
    wanted = asked.get("kind") or parameters.get("kind") or (guess[0] if guess else "lookups")
    return wanted if wanted in MAPPED else "lookups"


def fields_of(kind: str, header: Header, columns: Mapping[str, str] | None) -> list[dict[str, Any]]:
    """A choice for each of our columns among the file's own; what was stated or is guessed is chosen."""
    names: Sequence[str] = [name for name in header.names if 0 < len(name) <= LONGEST_NAME and name.isprintable()]
    chosen = columns if columns is not None else meant(names)
    return [
        {"name": ours, "field": f"{COLUMN}{ours}", "needed": ours in NEEDED[kind], "options": names,
         "chosen": chosen.get(ours, "")}
        for ours in MAPPED[kind]
    ]  # fmt: skip
