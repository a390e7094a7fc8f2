"""From a row back to its bytes, and from these bytes to the same row.

What a reader needs for a row is its own record, the records that `earlier` names, and the headers before it (rejects of
kind `context`). Fed with nothing but these, the same reader has to make the same row: so a few records of a source can
be shown without the others. Times without a year or zone are those of the reader, before a clock moved them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    type Span = tuple[int, int]

WAY_BACK = ("line", "start", "stop", "earlier")


def spans(row: Mapping[str, Any], context: Iterable[Span]) -> list[Span]:
    """The byte ranges of the source that make the row, in its order; the row's own is the last."""
    before = {span for span in context if span[1] <= row["start"]}
    before |= {(span["start"], span["stop"]) for span in row.get("earlier") or ()}
    return [*sorted(before), (row["start"], row["stop"])]


def read_back(
    row: Mapping[str, Any], context: Iterable[Span], look: Callable[[int, int], bytes],
    read: Callable[[bytes], Iterable[Mapping[str, Any]]],
) -> list[dict[str, Any]]:  # fmt: skip
    """What `read` makes of the row's own record when it gets no other bytes than it needs.

    `look(start, stop)` gives bytes of the source, `read(data)` the rows of a file that holds `data`. A record may hold
    several rows.
    """
    parts = [look(start, stop) for start, stop in spans(row, context)]
    begin = sum(map(len, parts[:-1]))
    return [values(found) for found in read(b"".join(parts)) if found["start"] == begin]


def values(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without its way back: what has to be the same in both readings."""
    return {name: value for name, value in row.items() if name not in WAY_BACK}
