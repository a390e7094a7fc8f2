"""What a file is, from its first bytes: the procedure that reads it, or in words why none does.

Every format is asked; the surest answer is taken, and what else it might have been is said. By content alone: a file's
name is never looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evidence.extraction import container_of
from evidence.formats.reading import Head
from evidence.formats.registry import FORMATS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evidence.formats.reading import Guess

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
    """

    procedure: str | None
    reason: str
    parameters: dict[str, Any] = field(default_factory=dict)
    confidence: float = 0.0
    others: tuple[tuple[str, float], ...] = ()


def recognise(head: bytes, said: Mapping[str, Any] | None = None, *, whole: bool = True) -> Recognition:
    """What the first bytes are; what a person `said` (procedure, kind, columns, zone, year) goes first.

    `whole` says that the head is all there is.
    """
    said = said or {}
    if not head:
        return Recognition(None, "an empty file: there is nothing to read")
    stated = {name: said[name] for name in ("zone", "year") if said.get(name)}
    if said.get("columns"):
        kind = said.get("kind") or ("lookups" if "client" in said["columns"] else "sightings")
        parameters = {"kind": kind, "columns": dict(said["columns"]), **stated}
        return Recognition("parse.delimited@2", "read with the columns that a person named", parameters, 1.0)
    container = container_of(head)
    if container:
        kind = container.removeprefix("extract.").partition("@")[0]
        return Recognition(container, f"a {kind} file: its members are taken out and read", {"depth": 1}, 1.0)
    for magic, reason in MAGIC.items():
        if head.startswith(magic):
            return Recognition(None, reason)
    guesses = _guesses(Head(head, whole), said.get("procedure"))
    return _chosen(guesses, stated, said.get("procedure")) if guesses else _unknown(head, said.get("procedure"))


def _guesses(head: Head, wanted: str | None) -> list[tuple[str, Guess]]:
    """The surest first; formats in the registry's order where they are as sure."""
    asked = [form for form in FORMATS.values() if wanted in (None, form.procedure)]
    found = [(form.procedure, guess) for form in asked if (guess := form.guess(head))]
    return sorted(found, key=lambda item: -item[1].confidence)


def _chosen(guesses: list[tuple[str, Guess]], stated: dict[str, Any], wanted: str | None) -> Recognition:
    (procedure, guess), *rest = guesses
    others = tuple((name, round(other.confidence, 2)) for name, other in rest)
    reason = guess.reason
    if wanted:
        reason = f"{reason}, as a person said"
    elif guess.confidence < SURE:
        reason = f"{reason}. That is few: look whether it is right"
    near = [name for name, confidence in others if confidence > guess.confidence - NEAR]
    if near:
        reason = f"{reason}. It might as well be {', '.join(near)}: say which it is"
    form = FORMATS[procedure]
    used = {"zone": form.has_zone, "year": form.has_year}
    parameters = guess.parameters | {name: value for name, value in stated.items() if not used[name]}
    return Recognition(procedure, reason, parameters, round(guess.confidence, 2), others)


def _unknown(head: bytes, wanted: str | None) -> Recognition:
    if wanted in FORMATS:
        return Recognition(wanted, f"read as {FORMATS[wanted].title}, as a person said, though it does not look so")
    if b"\0" in head:
        return Recognition(None, "binary data that no reader knows: kept as it is")
    return Recognition(
        None, "no known log format: kept as it is. For CSV, name its columns (--columns time=…,client=…,name=…)"
    )
