"""JSON lines as one batch: usual ones as columns, those that a rule skips at once, all others line by line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.reading import gather
from evidence.reading.batch import HEAD, REJECTS, SKIP, Batch, Reject, rejects_table
from evidence.reading.byte_order_mark import MARK
from evidence.reading.format import HEAD as FIRST
from evidence.reading.format import in_order, plain_line, too_long
from evidence.reading.json_lines import NOTHING, Lines
from evidence.reading.lines import chunks
from evidence.table.schema import LOOKUPS, complete, in_order_of_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from evidence.reading.format import ReadLine, Row
    from evidence.reading.gather import Ints
    from evidence.reading.json_members import Members
    from evidence.reading.lines import Chunk
    from evidence.reading.source import Source

    type Columns = dict[str, pa.Array]


_NO_ROWS, _NO_REJECTS = LOOKUPS.empty_table(), REJECTS.empty_table()


@dataclass(frozen=True, slots=True)
class Found:
    """The numbers of usual lines, their columns, and the numbers of lines that are skipped by the rule `reason`."""

    taken: Ints
    columns: Columns
    skipped: Ints
    reason: str


def read_all(source: Source, read: Callable[[Lines], Found], read_line: ReadLine) -> Iterator[Batch]:
    """All lines of a source in their order.

    What members they have is learned from the first of them, so that it does not depend on which run is read first.
    """
    first = source.look(0, FIRST).removeprefix(MARK)
    head = Lines(first[: first.rfind(b"\n") + 1])
    read(head)
    return in_order(chunks(source), partial(read_run, read=read, read_line=read_line, known=head.learned))


def read_run(
    run: Chunk, read: Callable[[Lines], Found], read_line: ReadLine, known: Mapping[pa.Schema, Members] = NOTHING
) -> Batch:
    """Whole lines: what `read` finds in them, the rest by `read_line`; both make the same rows of a line."""
    if run.too_long:
        return too_long(run, LOOKUPS)
    lines = Lines(run.data, run.ends, known)
    found = read(lines)
    is_left = np.ones(len(lines.starts), dtype=bool)
    is_left[found.taken] = is_left[found.skipped] = False
    rows, rejects = _by_line(run, lines, np.flatnonzero(is_left).tolist(), read_line)
    table = complete(_spans(run, lines, found.taken) | found.columns, len(found.taken), LOOKUPS)
    return Batch(in_order_of_source(table, rows), in_order_of_source(_skips(run, lines, found), rejects), run.size)


def holds(condition: Any) -> Any:
    """Where a condition on a column holds; where it is null it does not."""
    return pc.fill_null(condition, fill_value=False).to_numpy(zero_copy_only=False)


def of_other_kind(numbers: Ints, stated: pa.ChunkedArray, kind: str) -> Ints:
    """Of these lines those that state another kind of record."""
    found: Ints = numbers[holds(pc.not_equal(stated, kind))]
    return found


def with_names(columns: Columns, written: pa.Array, keep: Any) -> tuple[Ints, Columns]:
    """The rows to keep that have a name of usual form too, which ends in no dot, and their columns with it."""
    named, names = gather.name_texts(written)
    is_kept = (keep & ~gather.is_dotted(written))[named]
    chosen = named[is_kept]
    if len(chosen) == len(keep):
        return chosen, names | columns
    return chosen, _taken(names, np.flatnonzero(is_kept)) | _taken(columns, chosen)


def _taken(columns: Columns, chosen: Ints) -> Columns:
    places = pa.array(chosen)
    return {name: column.take(places) for name, column in columns.items()}


def _by_line(run: Chunk, lines: Lines, numbers: Sequence[int], read_line: ReadLine) -> tuple[pa.Table, pa.Table]:
    if not numbers:
        return _NO_ROWS, _NO_REJECTS
    rows: list[Row] = []
    rejects: list[Reject] = []
    for number in numbers:
        begin, end = lines.span(number)
        text = run.data[begin:end]
        found = plain_line(text) or read_line(text)
        line, start, stop = run.line + number, run.start + begin, run.start + end
        if isinstance(found, dict):
            rows.append({"line": line, "start": start, "stop": stop, **found})
        else:
            rejects.append(Reject(line, start, stop, *found, head=text))
    return pa.Table.from_pylist(rows, schema=LOOKUPS), rejects_table(rejects)


def _spans(run: Chunk, lines: Lines, numbers: Ints) -> Columns:
    starts, stops = lines.starts[numbers] + run.start, lines.stops[numbers] + run.start
    return {
        name: pa.array(values, pa.int64())
        for name, values in (("line", numbers + run.line), ("start", starts), ("stop", stops))
    }


def _skips(run: Chunk, lines: Lines, found: Found) -> pa.Table:
    """What became no row by rule, with its first bytes."""
    if not len(found.skipped):
        return _NO_REJECTS
    numbers = np.sort(found.skipped)
    starts, stops = lines.starts[numbers], lines.stops[numbers]
    heads = gather.strings(lines.body, starts, np.minimum(stops, starts + HEAD)).view(pa.binary())
    kinds = {"kind": SKIP, "reason": found.reason}
    words = {name: gather.constant(word, len(numbers), pa.string()) for name, word in kinds.items()}
    return complete(_spans(run, lines, numbers) | words | {"head": heads}, len(numbers), REJECTS)
