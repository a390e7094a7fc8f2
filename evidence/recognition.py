"""What a file is, from its first bytes: the procedure that reads it, or in words why none does.

Every format is asked; the surest answer is taken, and what else it might have been is said. By content alone: a file's
name is never looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evidence.extraction import container_of
from evidence.formats.registry import FORMATS
from evidence.reading.format import Head

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evidence.reading.format import Guess, Header

MAGIC = {
    b"\xff\xfe": "UTF-16 text: kept as it is; no reader takes UTF-16 yet",
    b"\xfe\xff": "UTF-16 text: kept as it is; no reader takes UTF-16 yet",
}
SURE = 0.5
"""Below, people are asked to look at what was recognised."""
NEAR = 0.1
"""Answers so near to each other are a tie, which is said."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """`procedure` is None if no reader takes the bytes; `reason` is a sentence for people either way.

    `confidence` is from 0 to 1; `others` are procedures that read some of it too, the surest first, with theirs.
    `is_binary` of bytes that no reader knows and that are no text, and so have no lines.
    """

    procedure: str | None
    reason: str
    parameters: dict[str, Any] = field(default_factory=dict)
    confidence: float = 0.0
    others: tuple[tuple[str, float], ...] = ()
    is_binary: bool = False


def recognise(head: bytes, said: Mapping[str, Any] | None = None, *, whole: bool = True) -> Recognition:
    """What the first bytes are; what a person `said` (procedure, kind, columns, dates, zone, …) goes first.

    `whole` says that the head is all there is.
    """
    said = said or {}
    if not head:
        return Recognition(None, "an empty file: there is nothing to read")
    container = container_of(head)
    if container:
        kind = container.removeprefix("extract.").partition("@")[0]
        return Recognition(container, f"a {kind} file: its members are taken out and read", {"depth": 1}, 1.0)
    if said.get("columns"):
        return _mapped(Head(head, whole), said)
    for magic, reason in MAGIC.items():
        if head.startswith(magic):
            return Recognition(None, reason)
    guesses = _guesses(Head(head, whole), said.get("procedure"))
    return _chosen(guesses, said) if guesses else _unknown(head, said)


def _mapped(head: Head, said: Mapping[str, Any]) -> Recognition:
    """Read by the columns that a person named; the file's own form says whether they are of JSON or of a header."""
    wanted = said.get("procedure")
    takers = {name: form.header for name, form in FORMATS.items() if form.header and wanted in (None, "", name)}
    headers = {name: header for name, read in takers.items() if (header := read(head, said.get("delimiter", "")))}
    # JSON goes first: a line of it may well be cut by commas, too.
    procedure = next((name for name in reversed(headers)), next(iter(takers), None))
    if procedure is None:
        return Recognition(None, f"columns were named, and {wanted} takes none: leave them out")
    kind = said.get("kind") or ("lookups" if "client" in said["columns"] else "sightings")
    told = headers[procedure].parameters if procedure in headers else {}
    if said.get("delimiter"):
        told = {} if said["delimiter"] == "comma" else {"delimiter": said["delimiter"]}
    parameters = {"kind": kind, "columns": dict(said["columns"]), **told, **_stated(said, procedure)}
    reason = f"read with the columns that a person named{_not_used(said, procedure)}"
    return Recognition(procedure, reason, parameters, 1.0)


def read_header(head: bytes, procedure: str | None, *, delimiter: str = "", whole: bool = True) -> Header | None:
    """The names that a column mapping may lead to, if the procedure takes one and the first bytes show them."""
    form = FORMATS.get(procedure or "")
    return form.header(Head(head, whole), delimiter) if form and form.header else None


def _stated(said: Mapping[str, Any], procedure: str) -> dict[str, Any]:
    """Of zone, year and the order of dates those that the format leaves out."""
    form = FORMATS[procedure]
    wanted = {"zone": not form.has_zone, "year": not form.has_year, "dates": "dates" in form.choices}
    return {name: said[name] for name, is_wanted in wanted.items() if is_wanted and said.get(name)}


def _not_used(said: Mapping[str, Any], procedure: str) -> str:
    """What was stated and has no use, in words, since nothing that a person states is passed over silently."""
    taken = _stated(said, procedure)
    passed = [f"{name} {said[name]}" for name in ("zone", "year", "dates") if said.get(name) and name not in taken]
    return f". Not used, since it states its own or has none: {', '.join(passed)}" if passed else ""


def _guesses(head: Head, wanted: str | None) -> list[tuple[str, Guess]]:
    """The surest first; formats in the registry's order where they are as sure."""
    asked = [form for form in FORMATS.values() if wanted in (None, form.procedure)]
    found = [(form.procedure, guess) for form in asked if (guess := form.guess(head))]
    return sorted(found, key=lambda item: -item[1].confidence)


def _chosen(guesses: list[tuple[str, Guess]], said: Mapping[str, Any]) -> Recognition:
    (procedure, guess), *rest = guesses
    others = tuple((name, round(other.confidence, 2)) for name, other in rest)
    reason = guess.reason
    if said.get("procedure"):
        reason = f"{reason}, as a person said"
    elif guess.confidence < SURE:
        reason = f"{reason}. That is few: look whether it is right"
    near = [name for name, confidence in others if confidence > guess.confidence - NEAR]
    if near:
        reason = f"{reason}. It might as well be {', '.join(near)}: say which it is"
    parameters = guess.parameters | _stated(said, procedure)
    reason += _not_used(said, procedure)
    return Recognition(procedure, reason, parameters, round(guess.confidence, 2), others)


def _unknown(head: bytes, said: Mapping[str, Any]) -> Recognition:
    wanted = said.get("procedure")
    if wanted in FORMATS and FORMATS[wanted].header:
        return Recognition(None, f"{FORMATS[wanted].title}, as a person said: say also which column is which")
    if wanted in FORMATS:
        reason = f"read as {FORMATS[wanted].title}, as a person said, though it does not look so"
        reason += _not_used(said, wanted)
        return Recognition(wanted, reason, _stated(said, wanted))
    if b"\0" in head:
        return Recognition(None, "binary data that no reader knows: kept as it is", is_binary=True)
    return Recognition(
        None,
        "no known log format at its beginning: kept as it is. Say which it is, and of CSV, TSV and JSON lines the "
        "columns (time=…,client=…,name=…)",
    )
