"""JSON lines as Arrow tables: a table has a row of each line that Arrow's parser and our strict one read alike.

Arrow refuses what RFC 8259 does not allow and, as long as all members become columns, one that stands twice in its
object. What it lets pass is looked for here: several objects or a part of one in a line, `NaN`, bytes that are no
UTF-8, and lines so long that a number or a nesting in them may be too much for the strict parser. Lines that are
refused or doubtful are left to the reader of lines.
"""

from __future__ import annotations

import re
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json

from evidence.reading import gather
from evidence.reading.json_marks import marks_of, objects_in
from evidence.reading.json_members import Members, with_those_of
from evidence.reading.lines import line_ends

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from evidence.reading.gather import Ints

_NEWLINE, _RETURN = 10, 13
_JOINT = b"}\n{"
_LONGEST = 8192  # bytes; of 12,000 arrays in one another the strict parser gives up, and of 20,000 Arrow fails
_CELLS = 1 << 21  # values of a block
_ITEMS, _SHORTEST = 3 << 21, 3  # values of a block in lists, where an object takes so many bytes at least
_DENSEST = 4  # such values for each byte; as many take as long as a line of so many bytes to read by itself
_KINDS = 64  # groups of lines; Suricata has some 40 types of events
_WIDEST = 1024  # columns; so many take as long for a line as to read it by itself
_SOME, _PLACES = 64, 8  # lines whose members are looked at first, places at which a mark is looked for
_LEAST, _MOST = 32, 1024  # lines that are learned from at once
_SPLIT, _FEWEST = 4, 16  # a block that is refused is cut into so many, and one of so few lines is given up
_WORD = 4  # bytes
_NONE = np.array([], dtype=np.int64)
NOTHING: Mapping[pa.Schema, Members] = MappingProxyType({})
_WHOLE = json.ReadOptions(use_threads=False, block_size=1 << 30)


class Lines:
    """The lines of a run; `fit` are those that may be parsed.

    `is_odd` marks lines whose texts may not be as they are written: with an escape, a byte beyond ASCII, or `null`,
    which a table does not tell from a member that is not there. `known` are members for the schemas that are wanted,
    as `learned` of other lines has them.
    """

    def __init__(self, data: bytes, ends: Ints | None = None, known: Mapping[pa.Schema, Members] = NOTHING) -> None:
        self.data, self.body = data, np.frombuffer(data, dtype=np.uint8)
        self._known, self.learned = known, dict[pa.Schema, Members]()
        ends = line_ends(data) if ends is None else ends
        is_cut = len(data) > 0 and not data.endswith(b"\n")
        self.stops = np.append(ends, len(data)) if is_cut else ends
        self.starts = np.concatenate((_NONE, [0], self.stops))[: len(self.stops)]
        is_fit = self._is_fit()
        self.is_odd = np.zeros(len(self.stops), dtype=bool)
        marks = marks_of(data)
        for places in (marks.beyond, marks.escapes, marks.nulls):
            self.is_odd[self.of(places)] = True
        if len(marks.beyond):
            is_fit[self.of(marks.beyond)] &= _is_unicode(data)
        self.fit = np.flatnonzero(is_fit)

    def span(self, line: int) -> tuple[int, int]:
        """Where a line begins and ends in the run."""
        return int(self.starts[line]), int(self.stops[line])

    def places(self, word: bytes) -> Ints:
        """Where these bytes begin."""
        return np.array([found.start() for found in re.finditer(re.escape(word), self.data)], dtype=np.int64)

    def of_kind(self, member: bytes, kind: bytes) -> tuple[Ints, list[Ints]]:
        """The fit lines in which no other text seems to stand as this member, and the others, alike ones together.

        Of more kinds than any log has the rarest are in no group, as each takes as long to parse as hundreds of lines.
        It says only what to parse together: columns of many kinds side by side are many, and mostly empty. The text has
        three bytes.
        """
        mark, last = b'"%b":"' % member, len(self.data) - _WORD
        others = self._without(self.fit, mark + kind + b'"') if last >= 0 else _NONE
        if not len(others):
            return self.fit, []
        places = self._marked(mark, others)
        words = np.ndarray((last + 1,), dtype="<u4", buffer=self.body, strides=(1,))
        found = words[np.minimum(self.starts[others] + places + len(mark), last)]
        is_other = (places >= 0) & (found != int.from_bytes(kind + b'"', "little"))
        others, found = others[is_other], found[is_other]
        rest = np.ones(len(self.stops), dtype=bool)
        rest[others] = False
        words, counts = np.unique(found, return_counts=True)
        most = words[np.argsort(-counts, kind="stable")[:_KINDS]]
        return self.fit[rest[self.fit]], [others[found == word] for word in most]

    def _without(self, numbers: Ints, text: bytes) -> Ints:
        """Of these lines those in which the text does not stand where it stands in the first of them that has it."""
        if not len(numbers) or (at := self.data.find(text, self.starts[numbers[0]])) < 0:
            return numbers
        place = at - int(self.starts[self.of(np.array([at]))[0]])
        starts = self.starts if len(numbers) == len(self.starts) else self.starts[numbers]
        at = np.minimum(starts + place, len(self.data) - len(text))
        left: Ints = numbers[gather.windows(self.body, len(text))[at] != np.void(text)]
        return left

    def _marked(self, mark: bytes, numbers: Ints) -> Ints:
        """How far from its start the mark stands in each of these lines, -1 where it does not.

        Most lines of a log have it at one of a few places, which are looked at first.
        """
        starts, last = self.starts[numbers], len(self.data) - len(mark)
        found, left = np.full(len(starts), -1), np.arange(len(starts) if last >= 0 else 0)
        for _ in range(_PLACES):
            if not len(left):
                return found
            first = starts[left[0]]
            place = self.data.find(mark, first, self.stops[numbers[left[0]]]) - first
            at = np.clip(starts[left] + place, 0, last)
            is_there = (gather.windows(self.body, len(mark))[at] == np.void(mark)) & (place >= 0)
            found[left[is_there]] = place
            is_there[0] = True
            left = left[~is_there]
        found[left] = pc.find_substring(self._texts().take(pa.array(numbers[left])), mark).to_numpy()
        return found

    def _texts(self) -> pa.Array:
        """All lines, not copied."""
        offsets = np.concatenate((self.starts, self.stops[-1:])).astype(np.int32)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.binary(), len(self.starts), buffers)

    def parse(self, numbers: Ints, schema: pa.Schema) -> tuple[Ints, pa.Table]:
        """Of these lines those that are parsed, and a row of each, with the columns of `schema`.

        Arrow makes columns of members that are known only. If those known before are not all, they are learned from a
        few lines at a time; once they are too many, the lines that follow are left.
        """
        known = self._known.get(schema)
        table = self._table(numbers, known) if known and len(numbers) and not self._is_dense(known.inside) else None
        if table is not None:
            return numbers, _with_all(table, schema)
        blocks = list(self._blocks(numbers, schema)) if len(numbers) else []
        if len(blocks) == 1:
            return blocks[0]
        taken = [_NONE, *(part for part, _ in blocks)]
        tables = [schema.empty_table(), *(table for _, table in blocks)]
        return np.concatenate(taken), pa.concat_tables(tables).combine_chunks()

    def _blocks(self, numbers: Ints, schema: pa.Schema) -> Iterator[tuple[Ints, pa.Table]]:
        """The lines that Arrow takes; a block that it refuses teaches members, is cut, or is given up."""
        known, waiting = self._learned(Members(schema), numbers[:_SOME]), [numbers]
        self.learned.setdefault(schema, known)
        while waiting and known.width <= _WIDEST and not self._is_dense(known.inside):
            part = waiting.pop()
            table = self._table(part, known)
            if table is not None:
                yield part, _with_all(table, schema)
                continue
            is_lesson = (len(part) > _LEAST or not known.width) and self._are_few(part)
            learned = self._learned(known, part) if is_lesson else known
            if learned != known:
                known = learned
                waiting.append(part)
            elif len(part) > _FEWEST:
                waiting += np.array_split(part, _SPLIT)[::-1]

    def _table(self, numbers: Ints, known: Members) -> pa.Table | None:
        """A row of each line; None if it is not certain that all are what the strict parser makes of them.

        None too if values may be too many.
        """
        if len(numbers) * known.width > _CELLS:
            return None
        stated = json.ParseOptions(explicit_schema=known.schema, unexpected_field_behavior="error")
        try:
            table = json.read_json(pa.BufferReader(self._text(numbers)), _WHOLE, stated)
        except pa.ArrowException:
            return None
        return table if len(table) == len(numbers) and _is_finite(table.columns) else None

    def _is_dense(self, inside: int) -> bool:
        """Whether the lists of all lines may hold too many values, so that they are sooner read one by one.

        An object in one brings `inside` of them, any other item takes two bytes.
        """
        size = len(self.data)
        if size // _SHORTEST * inside <= min(_ITEMS, _DENSEST * size):
            return False
        return self._objects * inside > min(_DENSEST * size, _ITEMS - size // 2)

    @cached_property
    def _objects(self) -> int:
        return objects_in(self.data)

    def _learned(self, known: Members, numbers: Ints) -> Members:
        """What is known with the members of these lines, or the first of them; itself, if there are no new ones."""
        while len(numbers) > 1 and not self._are_few(numbers):
            numbers = numbers[: len(numbers) // 2]
        try:
            return with_those_of(known, json.read_json(pa.BufferReader(self._text(numbers)), _WHOLE).schema)
        except pa.ArrowException:
            return known

    def _are_few(self, numbers: Ints) -> bool:
        """Whether columns of whatever members hold few values: each member has a colon, each of its values a brace."""
        if len(numbers) > _MOST:
            return False
        text: bytes = self._text(numbers).to_pybytes()
        return text.count(b":") * text.count(b"{") <= _ITEMS

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
        is_object = np.zeros(len(self.stops), dtype=bool)
        if len(self.data) >= len(_JOINT):
            edges = np.maximum(self.stops[:-1] - (len(_JOINT) - 1), 0)
            is_joint = gather.windows(self.body, len(_JOINT))[edges] == np.void(_JOINT)
            is_object[1:-1] = is_joint[1:] & is_joint[:-1]
        left = np.flatnonzero(~is_object)
        stops = self.stops[left]
        ends = stops - (self.body[stops - 1] == _NEWLINE)
        ends -= self.body[ends - 1] == _RETURN
        is_object[left] = (self.body[self.starts[left]] == ord("{")) & (self.body[ends - 1] == ord("}"))
        return is_object & (self.stops - self.starts <= _LONGEST)


def _with_all(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of the schema; one that no line has is null."""
    given = [
        table[field.name] if field.name in table.schema.names else pa.nulls(len(table), field.type) for field in schema
    ]
    return pa.table(given, names=schema.names).cast(schema)


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
