"""Every procedure by name and version: parse, analyse, cross-check. All are run in the same way."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evidence.analyses import engine, querier_concentration
from evidence.analyses.result import Output, written
from evidence.canonical import canonical
from evidence.crosscheck import sighting_match
from evidence.errors import ReadingError
from evidence.formats.batch import REJECTS, Conservation
from evidence.formats.lines import LineSource
from evidence.formats.registry import READERS
from evidence.table.parquet import TableWriter
from evidence.table.schema import LOOKUPS, NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from evidence.digest import Digest

    Run = Callable[[dict[str, Path], dict[str, Digest], dict[str, Any], Path], list[Output]]

REPORT_FORMAT = "custos/parse-report@1"
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
    source = LineSource(descriptor)
    reading = READERS[identifier](source, parameters)
    holds = "lookups" if reading.schema is LOOKUPS else "sightings"
    about = {"custos.schema": NAMES[holds], "custos.source": str(digest), "custos.procedure": identifier}
    counted = Conservation()
    table, rejects = folder / "table.parquet", folder / "rejects.parquet"
    with TableWriter(table, reading.schema, about) as rows, TableWriter(rejects, REJECTS, about) as others:
        for batch in reading.batches:
            counted.add(batch)
            rows.write(batch.rows)
            others.write(batch.rejects)
    if source.digest != digest.hex:
        raise ReadingError(f"the source has the digest sha256:{source.digest}, wanted {digest}: the store is damaged")
    report = {
        "format": REPORT_FORMAT, "procedure": identifier, "schema": NAMES[holds],
        "source": {"digest": str(digest), "size": counted.bytes}, "conservation": counted.counts(),
        "reasons": counted.reasons, "notes": list(reading.notes),
        "first_time": written(counted.first) if counted.first else None,
        "last_time": written(counted.last) if counted.last else None,
    }  # fmt: skip
    (folder / "report.json").write_bytes(canonical(report))
    return [Output(name, folder / name) for name in ("table.parquet", "rejects.parquet", "report.json")]


PROCEDURES: dict[str, Procedure] = {
    **{name: Procedure(name, "parse", ("source",), _parse(name)) for name in READERS},
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
