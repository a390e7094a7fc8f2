"""Every procedure by name and version: parse, analyse, cross-check. All are run in the same way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from evidence.analyses import engine, querier_concentration
from evidence.crosscheck import reading_comparison, sighting_match
from evidence.extraction import EXTRACTIONS, extract
from evidence.formats.registry import FORMATS
from evidence.parsing import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from evidence.digest import Digest
    from evidence.output import Output

    Run = Callable[[dict[str, Path], dict[str, Digest], dict[str, Any], Path], list[Output]]

TOLERANCE = 60


@dataclass(frozen=True, slots=True)
class Procedure:
    """`run(inputs, digests, parameters, folder)` leaves its outputs in the folder; `roles` name its inputs."""

    id: str
    kind: str
    roles: tuple[str, ...]
    run: Run


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a case has: `holds` is lookups or sightings; `source` is what it was read from."""

    digest: Digest
    holds: str
    source: Digest | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A derivation that can be made now."""

    procedure: str
    parameters: dict[str, Any]
    inputs: tuple[tuple[str, Digest], ...]


PROCEDURES: dict[str, Procedure] = {
    **{name: Procedure(name, "parse", ("source",), partial(parse, name)) for name in FORMATS},
    **{name: Procedure(name, "extraction", ("source",), partial(extract, name)) for name in EXTRACTIONS},
    querier_concentration.ID: Procedure(querier_concentration.ID, "analysis", ("table",), querier_concentration.run),
    sighting_match.ID: Procedure(sighting_match.ID, "cross-check", ("lookups", "sightings"), sighting_match.run),
    reading_comparison.ID: Procedure(
        reading_comparison.ID, "cross-check", (reading_comparison.FIRST, reading_comparison.SECOND),
        reading_comparison.run,
    ),
}  # fmt: skip


def follow_ups(tables: Sequence[Table], names: Sequence[str]) -> list[Plan]:
    """All that can be asked of a case's tables about the names that it watches."""
    lookups = [table.digest for table in tables if table.holds == "lookups"]
    sightings = [table.digest for table in tables if table.holds == "sightings"]
    plans = [
        Plan(querier_concentration.ID, {"name": name}, (("table", digest),)) for name in names for digest in lookups
    ]
    plans += [
        Plan(
            sighting_match.ID,
            {"name": name, "tolerance_seconds": TOLERANCE},
            (("lookups", ours), ("sightings", theirs)),
        )
        for name in names
        for ours in lookups
        for theirs in sightings
    ]
    return plans + _comparisons(tables)


def _comparisons(tables: Sequence[Table]) -> list[Plan]:
    """Each reading of a source beside the one before it, as the tables come; equal tables need none."""
    plans: list[Plan] = []
    before: dict[tuple[Digest, str], Digest] = {}
    for table in tables:
        if table.source is None:
            continue
        last = before.get((table.source, table.holds))
        if last is not None and last != table.digest:
            roles = ((reading_comparison.FIRST, last), (reading_comparison.SECOND, table.digest))
            plans.append(Plan(reading_comparison.ID, {}, roles))
        before[table.source, table.holds] = table.digest
    return plans


def engine_versions() -> dict[str, str]:
    """Engine and versions, for the statement; they are not part of a derivation's identity."""
    return engine.versions()
