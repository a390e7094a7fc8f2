"""JSON lines as Arrow tables: a table has a row of each line that Arrow's parser and our strict one read alike.

Arrow refuses what RFC 8259 does not allow and, as long as all members become columns, one that stands twice in its
object. What it lets pass is looked for here: several objects or a part of one in a line, `NaN`, bytes that are no
UTF-8, and lines so long that a number or a nesting in them may be too much for the strict parser. Lines that are
refused or doubtful are left to the reader of lines.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json

from evidence.reading import gather

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evidence.reading.gather import Bytes, Ints

_NEWLINE, _RETURN, _BACKSLASH, _DELETE = 10, 13, 92, 127
_LONGEST = 8192  # bytes; of 12,000 arrays in one another the strict parser gives up, and of 20,000 Arrow fails
_CELLS = 1 << 21  # values of a block
_WIDEST = 1024  # columns; each takes as long as some three lines one by one
_SOME, _PLACES = 64, 8  # lines whose members are looked at first, places at which a mark is looked for
_SPLIT, _FEWEST = 4, 16  # a block that is refused is cut into so many, and one of so few lines is given up
_AT_ONCE = 1 << 18  # bytes, which a core's own cache holds
_NULL, _WORD = b"null", 4
_NONE = np.array([], dtype=np.int64)
_WHOLE = json.ReadOptions(use_threads=False, block_size=1 << 30)


class Lines:
    """The lines of a run; `fit` are those that may be parsed.

    `is_odd` marks lines whose texts may not be as they are written: with an escape, a byte beyond ASCII, or `null`,
    which a table does not tell from a member that is not there.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self.body = data, np.frombuffer(data, dtype=np.uint8)
        newlines = _places(self.body, _NEWLINE)
        is_cut = len(data) > 0 and not data.endswith(b"\n")
        self.stops = np.append(newlines + 1, len(data)) if is_cut else newlines + 1
        self.starts = np.concatenate((_NONE, [0], self.stops))[: len(self.stops)]
        is_fit = self._is_fit()
        self.is_odd = np.zeros(len(self.stops), dtype=bool)
        if not data.isascii():
            beyond = self.of(np.flatnonzero(self.body > _DELETE))
            self.is_odd[beyond] = True
            is_fit[beyond] &= _is_unicode(data)
        if b"\\" in data:
            self.is_odd[self.of(_places(self.body, _BACKSLASH))] = True
        if _holds_null(data):
            self.is_odd[self.of(self.places(_NULL))] = True
        self.fit = np.flatnonzero(is_fit)

    def span(self, line: int) -> tuple[int, int]:
        """Where a line begins and ends in the run."""
        return int(self.starts[line]), int(self.stops[line])

    def places(self, word: bytes) -> Ints:
        """Where these bytes begin."""
        return np.array([found.start() for found in re.finditer(re.escape(word), self.data)], dtype=np.int64)

    def of_kind(self, member: bytes, kind: bytes) -> tuple[Ints, list[Ints]]:
        """The fit lines in which no other text seems to stand as this member, and the others, alike ones together.

        It says only what to parse together: columns of many kinds side by side are many, and mostly empty. The text has
        three bytes.
        """
        mark, last = b'"%b":"' % member, len(self.data) - _WORD
        if last < 0 or not len(self.fit):
            return self.fit, []
        places = self._marked(mark)
        words = np.ndarray((last + 1,), dtype="<u4", buffer=self.body, strides=(1,))
        found = words[np.minimum(self.starts[self.fit] + places + len(mark), last)]
        is_kind = (places < 0) | (found == int.from_bytes(kind + b'"', "little"))
        if is_kind.all():
            return self.fit, []
        others, found = self.fit[~is_kind], found[~is_kind]
        return self.fit[is_kind], [others[found == word] for word in np.unique(found)]

    def _marked(self, mark: bytes) -> Ints:
        """How far from its start the mark stands in each fit line, -1 where it does not.

        Most lines of a log have it at one of a few places, which are looked at first.
        """
        starts, last = self.starts[self.fit], len(self.data) - len(mark)
        found, left = np.full(len(starts), -1), np.arange(len(starts) if last >= 0 else 0)
        for _ in range(_PLACES):
            if not len(left):
                return found
            first = starts[left[0]]
            place = self.data.find(mark, first, self.stops[self.fit[left[0]]]) - first
            at = np.clip(starts[left] + place, 0, last)
            is_there = (gather.windows(self.body, len(mark))[at] == np.void(mark)) & (place >= 0)
            found[left[is_there]] = place
            is_there[0] = True
            left = left[~is_there]
        found[left] = pc.find_substring(self._texts().take(pa.array(self.fit[left])), mark).to_numpy()
        return found

    def _texts(self) -> pa.Array:
        """All lines, not copied."""
        offsets = np.concatenate((self.starts, self.stops[-1:])).astype(np.int32)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.binary(), len(self.starts), buffers)

    def parse(self, numbers: Ints, schema: pa.Schema) -> tuple[Ints, pa.Table]:
        """Of these lines those that are parsed, and a row of each, with the columns of `schema`.

        It goes on in blocks: each row of one has each column that any of its rows has.
        """
        taken, tables, begin = [_NONE], [schema.empty_table()], 0
        usual = _usual(self._text(numbers[:_SOME]), schema) if len(numbers) else schema
        size = _SOME if usual is schema else _next_size(_SOME, usual)
        while begin < len(numbers) and size:
            parts = list(self._parts(numbers[begin : begin + size], usual, schema))
            taken += [part for part, _ in parts]
            tables += [_with_all(table, schema) for _, table in parts]
            begin += size
            size = min((_next_size(len(part), table.schema) for part, table in parts), default=size)
        return np.concatenate(taken), pa.concat_tables(tables).combine_chunks()

    def _parts(self, numbers: Ints, usual: pa.Schema, schema: pa.Schema) -> Iterator[tuple[Ints, pa.Table]]:
        text = self._text(numbers)
        table = _table(text, len(numbers), usual)
        if table is None or not _agrees(table.schema, schema):
            table = _table(text, len(numbers), schema)
        if table is not None:
            yield numbers, table
        elif len(numbers) > _FEWEST:
            for part in np.array_split(numbers, _SPLIT):
                yield from self._parts(part, usual, schema)

    def _text(self, numbers: Ints) -> pa.Buffer:
        """The bytes of these lines, which ascend; those that stand side by side are not copied."""
        begin, end = self.starts[numbers[0]], self.stops[numbers[-1]]
        if numbers[-1] - numbers[0] + 1 == len(numbers):
            return pa.py_buffer(self.data).slice(int(begin), int(end - begin))
        return gather.strings(self.body, self.starts[numbers], self.stops[numbers]).buffers()[2]

    def of(self, places: Ints) -> Ints:
        """The number of the line in which each place lies."""
        return np.searchsorted(self.stops, places, side="right")

    def _is_fit(self) -> Any:
        """Which lines begin and end as an object does.

        If there are as many objects as such lines, each is one: none that is open at a line's end goes on with a brace.
        """
        if not len(self.stops):
            return np.zeros(0, dtype=bool)
        ends = self.stops - (self.body[self.stops - 1] == _NEWLINE)
        ends -= self.body[ends - 1] == _RETURN
        is_object = (self.body[self.starts] == ord("{")) & (self.body[ends - 1] == ord("}"))
        return is_object & (self.stops - self.starts <= _LONGEST)


def _table(text: pa.Buffer, count: int, schema: pa.Schema) -> pa.Table | None:
    """A row of each of so many lines; None if it is not certain that all are what the strict parser makes of them."""
    every = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer")
    try:
        table = json.read_json(pa.BufferReader(text), _WHOLE, every)
    except pa.ArrowException:
        return None
    if len(table) != count or not _is_finite(table.columns):
        return None
    return table


def _usual(text: pa.Buffer, schema: pa.Schema) -> pa.Schema:
    """The members of some lines in their order, those of `schema` with its types; itself, if that is not known.

    With such a schema Arrow finds a member by its place, and fills in no columns of members that no line has.
    """
    try:
        found = json.read_json(pa.BufferReader(text), _WHOLE).schema
    except pa.ArrowException:
        return schema
    return pa.schema(_stated(found, schema))


def _stated(found: Iterable[pa.Field], wanted: Iterable[pa.Field]) -> list[pa.Field]:
    """The fields that were found, of those wanted with the types that these shall have.

    A text that looks like a time stays a text; what is not wanted and nested, or null, is left to Arrow.
    """
    types, stated = {field.name: field.type for field in wanted}, []
    for field in found:
        if field.name in types:
            stated.append(pa.field(field.name, _stated_type(field.type, types[field.name])))
        elif pa.types.is_timestamp(field.type):
            stated.append(pa.field(field.name, pa.string()))
        elif not pa.types.is_nested(field.type) and not pa.types.is_null(field.type):
            stated.append(field)
    return stated


def _stated_type(found: pa.DataType, wanted: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(found) and pa.types.is_struct(wanted):
        return pa.struct(_stated(found, wanted))
    if pa.types.is_list(found) and pa.types.is_list(wanted):
        return pa.list_(_stated_type(found.value_type, wanted.value_type))
    return wanted


def _agrees(found: Iterable[pa.Field], wanted: Iterable[pa.Field]) -> bool:
    """Whether what was found of the wanted fields has their types."""
    types = {field.name: field.type for field in wanted}
    return all(_is_of(field.type, types[field.name]) for field in found if field.name in types)


def _is_of(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_struct(found) and pa.types.is_struct(wanted):
        return _agrees(found, wanted)
    if pa.types.is_list(found) and pa.types.is_list(wanted):
        return _is_of(found.value_type, wanted.value_type)
    return bool(found == wanted)


def _with_all(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of the schema; one that no line has is null."""
    given = [
        table[field.name] if field.name in table.schema.names else pa.nulls(len(table), field.type) for field in schema
    ]
    return pa.table(given, names=schema.names).cast(schema)


def _next_size(rows: int, schema: pa.Schema) -> int:
    """Lines of the next block if so many had these columns and each may bring as many new ones as these did.

    It is 0 where columns are so many that lines are sooner read one by one.
    """
    width = max(1, _width(schema))
    return 0 if width > _WIDEST else math.isqrt(_CELLS * rows // width)


def _width(schema: pa.Schema) -> int:
    """How many columns there are, with those inside of others."""
    waiting, count = list(schema.types), 0
    while waiting:
        kind = waiting.pop()
        waiting += [kind.field(number).type for number in range(kind.num_fields)]
        count += 1
    return count


def _is_finite(columns: Iterable[pa.ChunkedArray]) -> bool:
    """Whether no number is `NaN` or `Infinity`, which Arrow takes and JSON does not have; however deep it stands."""
    waiting = [chunk for column in columns for chunk in column.chunks]
    while waiting:
        values = waiting.pop()
        if pa.types.is_floating(values.type):
            if pc.all(pc.is_finite(values)).as_py() is False:
                return False
        elif pa.types.is_list(values.type):
            waiting.append(values.values)
        elif pa.types.is_struct(values.type):
            waiting += [values.field(number) for number in range(values.type.num_fields)]
    return True


def _is_unicode(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _holds_null(data: bytes) -> bool:
    """Whether `null` stands somewhere; looked for in words of four bytes, which is three times as fast as `in`."""
    word = np.uint32(int.from_bytes(_NULL, "little"))
    for at in range(0, len(data) - _WORD + 1, _AT_ONCE):
        for first in range(at, min(at + _WORD, len(data))):
            count = (min(len(data), at + _AT_ONCE + _WORD - 1) - first) // _WORD
            if (np.frombuffer(data, "<u4", count=count, offset=first) == word).any():
                return True
    return False


def _places(body: Bytes, mark: int) -> Ints:
    """Where a byte stands; quickest where none of eight bytes side by side has two of them."""
    found, is_mark = [_NONE], np.zeros(_AT_ONCE, dtype=bool)
    for at in range(0, len(body), _AT_ONCE):
        part = body[at : at + _AT_ONCE]
        np.equal(part, mark, out=is_mark[: len(part)])
        is_mark[len(part) :] = False
        eights = is_mark.view(np.uint64)
        places = np.flatnonzero(eights != 0)
        below = eights[places] - np.uint64(1)
        if (eights[places] & below).any():
            found.append(np.flatnonzero(is_mark) + at)
        else:
            found.append(places * 8 + (np.bitwise_count(below) >> 3) + at)
    return np.concatenate(found)
