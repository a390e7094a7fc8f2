"""`sighting_match@1` made a second time: which of a third party's sightings have a lookup of ours at that time.

Sightings take lookups in the order of time, each the earliest that it may; then, from the last backwards, each is given
the nearest of those that its neighbours leave it (docs/results.md).
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evidence.errors import AnalysisError
from evidence.verify.claims import TooManyError
from evidence.verify.concentration import refuse_other_files
from evidence.verify.fields import written
from evidence.verify.sources import refuse_no_partition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evidence.verify.claims import Claim, Gather
    from evidence.verify.fields import Row

ID = "sighting_match@1"
GATHER: Final[dict[str, Gather]] = {
    "sightings": "sightings", "matched-lookups": "times", "unsighted-lookups": "times",
}  # fmt: skip
NAMES = ("sightings", "matched", "unmatched", "matched-lookups", "unsighted-lookups")
DAY = 86_400
SECOND = 1_000_000
ROWS = 100
MOST_STEPS = 50_000_000
COLUMNS = ["time", "place", "observer", "lookups seen", "our records", "nearest, seconds"]


class Lookup(NamedTuple):
    time: int
    start: int


class Sighting(NamedTuple):
    time: int
    start: int
    row: Row


def expected(parameters: dict[str, Any], claims: Mapping[str, Mapping[str, Claim]]) -> dict[str, Any]:
    """Title, answer, findings and table. Raises `AnalysisError` if the findings are none of this procedure."""
    name, tolerance = parameters.get("name"), parameters.get("tolerance_seconds")
    if set(parameters) != {"name", "tolerance_seconds"} or type(tolerance) is not int or not 0 <= tolerance <= DAY:
        raise AnalysisError(f"parameters {parameters}; a name and a tolerance of 0 to {DAY} seconds are wanted")
    if not isinstance(name, str) or tuple(claims) != NAMES:
        raise AnalysisError(f"findings {list(claims)}, wanted {list(NAMES)}")
    refuse_other_files(claims, NAMES[:3])
    refuse_other_files(claims, NAMES[3:])
    one = {finding: next(iter(of.values()), None) for finding, of in claims.items()}
    theirs, ours = _sightings(one["sightings"]), _lookups(one["matched-lookups"], one["unsighted-lookups"])
    matched, used = matches(ours, theirs, tolerance * SECOND)
    _refuse_others(one, {theirs[n].start for n in matched}, {ours[n].start for n in used})
    count = {
        "sightings": len(theirs), "matched": len(matched), "unmatched": len(theirs) - len(matched),
        "matched-lookups": len(used), "unsighted-lookups": len(ours) - len(used),
    }  # fmt: skip
    return {
        "title": f"Does the third party's view of {name} agree?", "answer": _answer(name, tolerance, count),
        "findings": _findings(name, count),
        "table": {"columns": COLUMNS, "rows": _rows(theirs, matched, [ours[n].time for n in sorted(used)])},
    }  # fmt: skip


def _sightings(claim: Claim | None) -> list[Sighting]:
    rows = zip(claim.ranges.starts, claim.rows.sightings, strict=True) if claim else ()
    return sorted(Sighting(row.time, start, row) for start, row in rows if row.time is not None)


def _lookups(*claims: Claim | None) -> list[Lookup]:
    given = [claim for claim in claims if claim is not None]
    starts = [start for claim in given for start in claim.ranges.starts]
    if len(set(starts)) != len(starts):
        raise AnalysisError("a lookup that is both matched and unsighted")
    return sorted(Lookup(*pair) for claim in given for pair in zip(claim.rows.times, claim.ranges.starts, strict=True))


def matches(lookups: Sequence[Lookup], sightings: Sequence[Sighting], tolerance: int) -> tuple[set[int], set[int]]:
    """Numbers of the matched sightings and of the lookups they take; times in microseconds, ascending.

    Raises `TooManyError` where that would take longer than a check may.
    """
    times = [lookup.time for lookup in lookups]
    taken: list[tuple[int, int, int]] = []
    free = 0
    for number, sighting in enumerate(sightings):
        first = max(bisect_left(times, sighting.time - tolerance), free)
        stop = bisect_right(times, sighting.time + tolerance)
        if stop - first >= sighting.row.seen:
            taken.append((number, first, stop))
            free = first + sighting.row.seen
    if sum(stop - first for _number, first, stop in taken) > MOST_STEPS:
        raise TooManyError("more lookups near sightings than a check goes through")
    return {number for number, _first, _stop in taken}, _nearest(times, sightings, taken)


def _nearest(times: Sequence[int], sightings: Sequence[Sighting], taken: list[tuple[int, int, int]]) -> set[int]:
    used: set[int] = set()
    limit = len(times)
    for number, first, stop in reversed(taken):
        sighting = sightings[number]

        def distance(place: int, time: int = sighting.time) -> tuple[int, int]:
            return abs(times[place] - time), place

        nearest = heapq.nsmallest(sighting.row.seen, range(first, min(stop, limit)), key=distance)
        used.update(nearest)
        limit = min(nearest)
    return used


def _refuse_others(one: Mapping[str, Claim | None], matched: set[int], used: set[int]) -> None:
    """The lines said to match have to be those that do."""
    for finding, wanted in (("matched", matched), ("matched-lookups", used)):
        claim = one[finding]
        if set(claim.ranges.starts if claim else ()) != wanted:
            raise AnalysisError(f"{finding}: other lines than those that match by time")
    ranges = {finding: [claim.ranges] if claim else [] for finding, claim in one.items()}
    refuse_no_partition(ranges["sightings"], ranges["matched"] + ranges["unmatched"], "matched and unmatched sightings")


def _answer(name: str, tolerance: int, count: Mapping[str, int]) -> str:
    if not count["sightings"]:
        return f"The third party's file has no sighting of {name}."
    return (
        f"Of {count['sightings']:,} sightings of {name}, {count['matched']:,} have a lookup within {tolerance} seconds "
        f"in our records and {count['unmatched']:,} have none; {count['unsighted-lookups']:,} lookups of ours were not "
        "seen by the third party, which by itself says nothing."
    )


def _findings(name: str, count: Mapping[str, int]) -> list[dict[str, Any]]:
    titles = (
        f"Sightings of {name} by the third party", "Sightings that lookups match", "Sightings that no lookup matches",
        "Lookups that match a sighting", "Lookups that match no sighting",
    )  # fmt: skip
    units = {finding: "lookups" if finding.endswith("lookups") else "sightings" for finding in NAMES}
    return [
        {"name": finding, "title": title, "value": count[finding], "unit": units[finding]}
        for finding, title in zip(NAMES, titles, strict=True)
    ]


def _rows(sightings: Sequence[Sighting], matched: set[int], near: Sequence[int]) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for number, sighting in enumerate(sightings[:ROWS]):
        gap, verdict = "", "no lookup"
        if number in matched:
            gap, verdict = f"{_gap(near, sighting.time) / SECOND:.3f}", "agrees"
        row = sighting.row
        rows.append([written(row.time), row.place, row.observer, row.seen, verdict, gap])
    return rows


def _gap(times: Sequence[int], time: int) -> int:
    """To the nearest of ascending times."""
    at = bisect_left(times, time)
    return min(abs(near - time) for near in times[max(at - 1, 0) : at + 1])
