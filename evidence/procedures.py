"""Every procedure by name and version: parse, analyse, cross-check. All are run in the same way."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evidence.analyses import engine, querier_concentration
from evidence.analyses.result import Output, written
from evidence.canonical import canonical
from evidence.crosscheck import sighting_match
from evidence.errors import ReadingError
from evidence.formats.batch import REJECTS, Conservation
from evidence.formats.clock import split_parameters
from evidence.formats.registry import FORMATS
from evidence.formats.source import Source
from evidence.table.parquet import TableWriter
from evidence.table.schema import LOOKUPS, NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from evidence.digest import Digest

    Run = Callable[[dict[str, Path], dict[str, Digest], dict[str, Any], Path], list[Output]]

REPORT_FORMAT = "custos/parse-report@2"
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
    """A table that a case has: `holds` is lookups or sightings."""

    digest: Digest
    holds: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A derivation that can be made now."""

    procedure: str
    parameters: dict[str, Any]
    inputs: tuple[tuple[str, Digest], ...]


def _parse(identifier: str) -> Run:
    def run(
        paths: dict[str, Path], digests: dict[str, Digest], parameters: dict[str, Any], folder: Path
    ) -> list[Output]:
        descriptor = os.open(paths["source"], os.O_RDONLY)
        try:
            return _read(identifier, descriptor, digests["source"], parameters, folder)
        finally:
            os.close(descriptor)

    return run


def _read(identifier: str, descriptor: int, digest: Digest, parameters: dict[str, Any], folder: Path) -> list[Output]:
    """Table, rejects and report of a source; refused if the bytes read are not those named."""
    source = Source(descriptor)
    form = FORMATS[identifier]
    own, clock = split_parameters(form, parameters)
    reading = form.read(source, own)
    holds = "lookups" if reading.schema is LOOKUPS else "sightings"
    about = {
        "custos.schema": NAMES[holds], "custos.source": str(digest), "custos.procedure": identifier,
        "custos.unit": form.unit, "custos.text": "yes" if form.is_text else "no",
    }  # fmt: skip
    counted = Conservation()
    table, rejects = folder / "table.parquet", folder / "rejects.parquet"
    with TableWriter(table, reading.schema, about) as rows, TableWriter(rejects, REJECTS, about) as others:
        for batch in reading.batches:
            timed = replace(batch, rows=clock.to_utc(batch.rows))
            counted.add(timed)
            rows.write(timed.rows)
            others.write(timed.rejects)
    if source.digest != digest.hex:
        raise ReadingError(f"the source has the digest sha256:{source.digest}, wanted {digest}: the store is damaged")
    report = {
        "format": REPORT_FORMAT, "procedure": identifier, "parameters": parameters, "schema": NAMES[holds],
        "unit": form.unit, "source": {"digest": str(digest), "size": counted.bytes},
        "conservation": counted.counts(), "reasons": counted.reasons, "notes": [*reading.notes, *clock.notes()],
        "first_time": written(counted.first) if counted.first else None,
        "last_time": written(counted.last) if counted.last else None,
    }  # fmt: skip
    (folder / "report.json").write_bytes(canonical(report))
    return [Output(name, folder / name) for name in ("table.parquet", "rejects.parquet", "report.json")]


PROCEDURES: dict[str, Procedure] = {
    **{name: Procedure(name, "parse", ("source",), _parse(name)) for name in FORMATS},
    querier_concentration.ID: Procedure(querier_concentration.ID, "analysis", ("table",), querier_concentration.run),
    sighting_match.ID: Procedure(sighting_match.ID, "cross-check", ("lookups", "sightings"), sighting_match.run),
}


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
    return plans


def engine_versions() -> dict[str, str]:
    """Engine and versions, for the statement; they are not part of a derivation's identity."""
    return engine.versions()
