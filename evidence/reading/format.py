"""What a format is to the rest of the house: how it is told, how it is read, and what its records leave unsaid.

A format is one file with a `FORMAT`. Text whose records are lines needs little more than a function that reads one line
(`line_format`); others yield batches of their own. Either way every byte of the source stands in a row's record or in a
reject, and batches come in the order of the source.
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from evidence.errors import ReadingError
from evidence.reading.amounts import found_in
from evidence.reading.batch import REJECT, SKIP, Batch, Reject, rejects_table
from evidence.reading.byte_order_mark import MARK, with_mark
from evidence.reading.lines import LONGEST_LINE, chunks
from evidence.table.schema import LOOKUPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from evidence.reading.lines import Chunk
    from evidence.reading.source import Source

    type Row = dict[str, Any]
    type NoRow = tuple[str, str]
    type ReadLine = Callable[[bytes], Row | NoRow]

WORKERS = 2
HEAD = 1 << 16
"""A format is told from so many first bytes of a file."""
_LOOKED_AT = 200
LINE = "line"


@dataclass(frozen=True, slots=True)
class Head:
    """The first bytes of a file, at most `HEAD`; `whole` if there are no more."""

    data: bytes
    whole: bool = True

    @property
    def text(self) -> bytes:
        """The bytes behind a byte order mark, as text is read."""
        return self.data.removeprefix(MARK)

    def lines(self) -> list[bytes]:
        """Up to 200 lines that are not blank; one that is cut off by the head's end is left out."""
        found = self.text.split(b"\n")
        last = found.pop()
        if self.whole and last:
            found.append(last)
        return [line + b"\n" for line in found if line.strip()][:_LOOKED_AT]


@dataclass(frozen=True, slots=True)
class Guess:
    """How surely a head is of a format, from 0 to 1, in words for people, and the parameters to read it with."""

    confidence: float
    reason: str
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Header:
    """What a file calls its columns, and what else was told from them to read it with (the delimiter)."""

    names: tuple[str, ...]
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """A source being read: its table's schema, its batches in order, and what has to be said with the result.

    `notes` may grow until the last batch was taken.
    """

    schema: pa.Schema
    batches: Iterator[Batch]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """A format by name and version, `parse.NAME@VERSION`.

    `begin(source, parameters)` takes its own `parameters` only; raises `ReadingError` for those that it does not know.
    `has_zone` false: a row whose `time_zone` is null stands in local time, which takes the `zone` that the uploader
    states. `has_year` false: times stand in the leap year 2000, and take the `year` that the uploader states.
    `unit` is what its records are called; `is_text` false: names do not stand in them as they are written in tables.
    `header` is of formats that take a column mapping: the names that it may lead to, cut by a delimiter if one is said.
    `choices` are parameters of its own that a person may state, with their words: `{"dates": ("mdy", "dmy")}`.
    """

    procedure: str
    title: str
    guess: Callable[[Head], Guess | None]
    begin: Callable[[Source, Mapping[str, Any]], Reading]
    has_zone: bool = True
    has_year: bool = True
    unit: str = LINE
    is_text: bool = True
    header: Callable[[Head, str], Header | None] | None = None
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def read(self, source: Source, parameters: Mapping[str, Any]) -> Reading:
        """The source being read, each of its bytes in one record. Raises `ReadingError` as `begin` does."""
        reading = self.begin(source, parameters)
        return replace(reading, batches=with_mark(reading.batches, source))


def line_format(
    procedure: str, title: str, read_line: ReadLine, *, schema: pa.Schema = LOOKUPS, notes: tuple[str, ...] = (),
    least: float = 0.2, **more: Any,
) -> Format:  # fmt: skip
    """A format whose records are lines, each read by itself; told if at least that share of the first lines is read."""

    def read(source: Source, parameters: Mapping[str, Any]) -> Reading:
        refuse_parameters(procedure, parameters, set())
        read_part = functools.partial(read_chunk, read_line, schema=schema)
        return Reading(schema, in_order(chunks(source), read_part), notes)

    return Format(procedure, title, functools.partial(guess_lines, read_line, title, least), read, **more)


def guess_lines(read_line: ReadLine, title: str, least: float, head: Head) -> Guess | None:
    """Other lines are normal where several kinds of messages share a log, so a part of them is enough."""
    read = [plain_line(line) or read_line(line) for line in head.lines()]
    counted = [item for item in read if isinstance(item, dict) or item[0] == REJECT]
    rows = sum(isinstance(item, dict) for item in counted)
    if not rows or rows < least * len(counted):
        return None
    return Guess(rows / len(counted), f"{title}: {found_in(rows, 'lookup', len(counted), 'line')}")


def read_chunk(read_line: ReadLine, chunk: Chunk, schema: pa.Schema = LOOKUPS) -> Batch:
    """Line by line, whatever the format."""
    if chunk.too_long:
        return too_long(chunk, schema)
    rows: list[Row] = []
    rejects: list[Reject] = []
    for number, start, stop, text in chunk.lines():
        found = plain_line(text) or read_line(text)
        if isinstance(found, dict):
            rows.append({"line": number, "start": start, "stop": stop, **found})
        else:
            rejects.append(Reject(number, start, stop, *found, head=text))
    return Batch(pa.Table.from_pylist(rows, schema=schema), rejects_table(rejects), chunk.size)


def plain_line(text: bytes) -> NoRow | None:
    """What is the same in all line formats: lines that are too long, blank or comments."""
    if len(text) > LONGEST_LINE:
        return REJECT, "too-long"
    if not text.strip(b" \t\r\n"):
        return SKIP, "blank"
    return (SKIP, "comment") if text.startswith(b"#") else None


def too_long(chunk: Chunk, schema: pa.Schema) -> Batch:
    """A single line beyond what is held."""
    reject = Reject(chunk.line, chunk.start, chunk.start + chunk.size, REJECT, "too-long")
    return Batch(schema.empty_table(), rejects_table([reject]), chunk.size)


def in_order[Piece, Result](
    pieces: Iterable[Piece], read: Callable[[Piece], Result], workers: int = WORKERS
) -> Iterator[Result]:
    """Pieces read side by side by threads, handed on in order.

    One more waits than there are threads, so that none has nothing to do while the caller is at a result; results that
    are there long before it asks for them would only take memory. The pieces themselves are made by one thread more,
    so that hashing and cutting a file waits for no reader or writer.
    """
    with ThreadPoolExecutor(workers) as pool, ThreadPoolExecutor(1) as maker:
        waiting: list[Future[Result]] = []
        for piece in _ahead(pieces, maker):
            waiting.append(pool.submit(read, piece))
            if len(waiting) > workers:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def _ahead[Piece](pieces: Iterable[Piece], maker: ThreadPoolExecutor) -> Iterator[Piece]:
    """The pieces; while one is taken, the next is made."""
    iterator = iter(pieces)
    coming = maker.submit(lambda: [*islice(iterator, 1)])
    while piece := coming.result():
        coming = maker.submit(lambda: [*islice(iterator, 1)])
        yield piece[0]


def refuse_parameters(procedure: str, parameters: Mapping[str, Any], known: set[str]) -> None:
    """Raises `ReadingError` for a parameter that the format does not know."""
    unknown = sorted(set(parameters) - known)
    if unknown:
        raise ReadingError(f"{procedure} takes {sorted(known) or 'no parameters'}, got {unknown}")
