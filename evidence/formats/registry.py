"""Readers by name and version."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evidence.errors import ReadingError
from evidence.formats import bind
from evidence.formats.delimited import DelimitedReader
from evidence.table.schema import LOOKUPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

    from evidence.formats.batch import Batch
    from evidence.formats.lines import LineSource

WORKERS = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """A source being read: its table's schema, its batches in order, and what was assumed."""

    schema: pa.Schema
    batches: Iterator[Batch]
    notes: tuple[str, ...] = ()


def _bind(source: LineSource, parameters: Mapping[str, Any]) -> Reading:
    if parameters:
        raise ReadingError(f"parse.bind@1 takes no parameters, got {sorted(parameters)}")
    return Reading(LOOKUPS, _in_order(source), bind.NOTES)


def _in_order(source: LineSource) -> Iterator[Batch]:
    """Chunks read by two threads, handed on in order; at most one more than these is held."""
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting = []
        for chunk in source.chunks():
            waiting.append(pool.submit(bind.read_chunk, chunk))
            if len(waiting) > WORKERS:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def _delimited(source: LineSource, parameters: Mapping[str, Any]) -> Reading:
    unknown = set(parameters) - {"kind", "columns"}
    if unknown or not isinstance(parameters.get("columns"), dict):
        raise ReadingError("parse.delimited@1 takes kind (lookups or sightings) and columns (ours to the header's)")
    reader = DelimitedReader(str(parameters.get("kind", "lookups")), parameters["columns"])
    return Reading(reader.schema, reader.read(source.chunks()), ("Times without a zone are taken as UTC.",))


READERS: dict[str, Callable[[LineSource, Mapping[str, Any]], Reading]] = {
    "parse.bind@1": _bind,
    "parse.delimited@1": _delimited,
}
