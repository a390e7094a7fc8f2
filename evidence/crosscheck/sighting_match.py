"""Which of a third party's sightings of a name have a lookup in our records at that time, and which have none.

No lookup serves two sightings. Sightings of one lookup each are matched as many as can be: none goes without because
another took its only lookup. Among the lookups left to it by its neighbours a sighting has the nearest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.analyses import engine
from evidence.analyses.querier_concentration import Words, lookups_of, name_parameter
from evidence.analyses.result import ResultWriter
from evidence.errors import AnalysisError
from evidence.output import Output, written
from evidence.table.parquet import metadata

if TYPE_CHECKING:
    from pathlib import Path

    from evidence.digest import Digest

ID = "sighting_match@1"
DAY = 86_400
ASSUMPTIONS = (
    "Both clocks are right to within the tolerance; a time without a zone is taken as the reading of its file says.",
    "A sighting is matched by lookups of the same name near in time; the third party does not say by which client.",
)
LIMITS = (
    "A match shows that two records agree at that moment; it does not show that either is complete.",
    "A sighting without a lookup means that our records lack it, or that a clock or the third party errs.",
    "A lookup without a sighting says nothing by itself: a third party sees only the resolvers that feed it.",
)


def matches(lookups: Any, sightings: Any, counts: Any, tolerance: int) -> tuple[Any, Any]:
    """Which sightings are matched, and which lookups by them; times in microseconds, ascending.

    Forwards, each sighting takes the earliest lookups that it may, which leaves the most to those after it. Backwards,
    each is given the nearest between what its neighbours have. A sighting of n lookups needs n.
    """
    used, matched = np.zeros(len(lookups), dtype=bool), np.zeros(len(sightings), dtype=bool)
    taken: list[tuple[int, int, int]] = []
    free = 0
    for n, (time, count) in enumerate(zip(sightings.tolist(), counts.tolist(), strict=True)):
        low, high = (int(place) for place in np.searchsorted(lookups, [time - tolerance, time + tolerance + 1]))
        first = max(low, free)
        if high - first >= count:
            taken.append((n, first, high))
            matched[n], free = True, first + count
    limit = len(lookups)
    for n, first, high in reversed(taken):
        candidates = np.arange(first, min(high, limit))
        nearest = candidates[np.argsort(np.abs(lookups[candidates] - sightings[n]), kind="stable")[: counts[n]]]
        used[nearest], limit = True, int(nearest.min())
    return matched, used


def run(paths: dict[str, Path], digests: dict[str, Digest], parameters: dict[str, Any], folder: Path) -> list[Output]:
    """Raises `AnalysisError` for parameters that cannot be used."""
    name, tolerance = _parameters(parameters)
    writer = ResultWriter(ID, parameters, list(digests.items()), folder)
    about = {role: metadata(path) for role, path in paths.items()}
    with engine.tables(lookups=paths["lookups"], sightings=paths["sightings"]) as opened:
        lookups = _timed(lookups_of(opened["lookups"], name).select("time", "line", "start", "stop"))
        words = {role: Words(about[role], opened[role], name).of() for role in paths}
        sightings = _timed(opened["sightings"].filter(opened["sightings"]["name"] == name))
    times = [_times(table) for table in (lookups, sightings)]
    counts = sightings["count"].to_numpy()
    matched, used = matches(times[0], times[1], counts, tolerance * 1_000_000)
    number = {}
    for key, title, role, mask in (
        ("sightings", f"Sightings of {name} by the third party", "sightings", np.ones(len(sightings), dtype=bool)),
        ("matched", "Sightings that lookups match", "sightings", matched),
        ("unmatched", "Sightings that no lookup matches", "sightings", ~matched),
        ("matched-lookups", "Lookups that match a sighting", "lookups", used),
        ("unsighted-lookups", "Lookups that match no sighting", "lookups", ~used),
    ):
        table = {"lookups": lookups, "sightings": sightings}[role].filter(pa.array(mask)).sort_by("start")
        number[key] = writer.finding(
            key, title, about[role]["custos.source"], table.to_batches(engine.BATCH), unit=role, contains=words[role]
        )
    return writer.close(
        title=f"Does the third party's view of {name} agree?", answer=_answer(name, tolerance, number),
        table=_rows(sightings, times, matched, used), assumptions=ASSUMPTIONS, limits=LIMITS,
    )  # fmt: skip


def _parameters(parameters: dict[str, Any]) -> tuple[str, int]:
    name, tolerance = name_parameter(parameters, {"name", "tolerance_seconds"}), parameters.get("tolerance_seconds")
    if type(tolerance) is not int or not 0 <= tolerance <= DAY:
        raise AnalysisError(f"tolerance_seconds {tolerance!r}: write a number of seconds from 0 to {DAY}")
    return name, tolerance


def _timed(table: Any) -> pa.Table:
    """In order of time; what has none matches nothing."""
    found: pa.Table = table.filter(table["time"].notnull()).order_by("time", "start").to_pyarrow()
    return found


def _times(table: pa.Table) -> Any:
    return table["time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()


def _answer(name: str, tolerance: int, number: dict[str, int]) -> str:
    if not number["sightings"]:
        return f"The third party's file has no sighting of {name}."
    return (
        f"Of {number['sightings']:,} sightings of {name}, {number['matched']:,} have a lookup within {tolerance} "
        f"seconds in our records and {number['unmatched']:,} have none; {number['unsighted-lookups']:,} lookups of "
        "ours were not seen by the third party, which by itself says nothing."
    )


def _rows(sightings: pa.Table, times: list[Any], matched: Any, used: Any) -> dict[str, Any]:
    rows = []
    near = times[0][used]
    for n, row in enumerate(sightings.slice(0, 100).to_pylist()):
        gap = ""
        if matched[n]:
            gap = f"{np.min(np.abs(near - times[1][n])) / 1_000_000:.3f}"
        verdict = "agrees" if matched[n] else "no lookup"
        rows.append([written(row["time"]), row["place"] or "", row["observer"] or "", row["count"], verdict, gap])
    return {"columns": ["time", "place", "observer", "lookups seen", "our records", "nearest, seconds"], "rows": rows}
