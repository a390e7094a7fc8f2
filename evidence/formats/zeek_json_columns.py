"""Records of Zeek's JSON of usual shapes as columns: what `zeek_json.read_line` makes of them, without a loop.

Lines of a shape are taken only if every member that is read has its type, and a line only where each value has its
usual form; all others are left to the reference, one by one. A property test holds the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.formats.zeek_columns import (
    FLAG_WORDS,
    FLAGS,
    GREATEST,
    MOST_DIGITS,
    NEEDED,
    WORDS,
    Answers,
    ports,
    words_of,
)
from evidence.formats.zeek_record import TRANSPORTS
from evidence.reading import digits, gather
from evidence.reading.addresses import addresses
from evidence.reading.fields import time_columns
from evidence.reading.json_batches import Found
from evidence.reading.json_shapes import DECIMAL, FLAG, NUMBER, NUMBERS, TEXT
from evidence.reading.json_tokens import Collected
from evidence.reading.spellings import spellings
from evidence.table.schema import EXCHANGE, QUERY

if TYPE_CHECKING:
    from evidence.reading.gather import Bytes, Ints
    from evidence.reading.json_batches import Columns
    from evidence.reading.json_lines import Lines
    from evidence.reading.json_shapes import Path, Shape
    from evidence.reading.json_tokens import Tokens

_KINDS = (
    dict.fromkeys(("id.orig_h", "id.resp_h", "query", "proto", "_system_name", "_path"), (TEXT,))
    | dict.fromkeys(("id.orig_p", "id.resp_p", *WORDS), (NUMBER,)) | dict.fromkeys(FLAGS, (FLAG,))
    | {"ts": (DECIMAL, TEXT), "TTLs": (NUMBERS,)}
)  # fmt: skip
_ANSWERS = "answers"
_TIME_MEMBER = b'"ts":'
_SECONDS, _YEAR = 10, 4  # bytes before the point of seconds since 1970, and before the first hyphen of ISO 8601
_QUOTE, _DOT, _HYPHEN, _TRUE = 34, 46, 45, 116
_EXACT = 16
"""A TTL of so many bytes is, as a float, no whole number unless it is written as one."""


def read(lines: Lines) -> Found:
    """What is usual in the lines, and which of them are of another log."""
    others = [np.empty(0, dtype=np.int64)]
    collected = Collected(lines, list(_KINDS), ["data"])
    for group in lines.groups():
        kinds = group.shape.kinds()
        if kinds.get(("_path",)) == TEXT:
            others.append(group.lines[~gather.equals(lines.buffer, *group.tokens[("_path",)], b"dns")])
        if _is_usual(group.shape):
            members: dict[str, Path] = {name: (name,) for name in _KINDS if (name,) in kinds}
            number = sum(path[0] == _ANSWERS for path in kinds)
            collected.add(group, members, [{"data": (_ANSWERS, at)} for at in range(number)])
    taken, columns = _Rows(collected.tokens()).read()
    return Found(taken, columns, np.concatenate(others), "other-log")


def _is_usual(shape: Shape) -> bool:
    """Whether all members that are read are of their type, and those that a record needs are there."""
    kinds = shape.kinds()
    if any((name,) not in kinds for name in NEEDED) or b"".join(shape.literals).count(_TIME_MEMBER) != 1:
        return False
    if any(path[0] in _KINDS or path[0] == _ANSWERS for path in shape.fixed):
        return False
    return all(_fits(path, kind) for path, kind in kinds.items())


def _fits(path: Path, kind: str) -> bool:
    """Whether what stands there is of the kind that the member has, or is not read."""
    if path[0] == _ANSWERS:
        return kind == TEXT and len(path) == 2
    name = str(path[0])
    return name not in _KINDS or (kind in _KINDS[name] and len(path) == 1)


class _Rows:
    """The values of lines of usual shapes; `keep` says which lines are usual so far."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens, self._buffer = tokens, tokens.buffer
        self.keep = np.ones(len(tokens.lines), dtype=bool)

    def read(self) -> tuple[Ints, Columns]:
        """Numbers of the lines that are usual throughout, and their columns."""
        members = self._tokens.members
        begin, end = members["_path"]
        self.keep &= (begin == end) | gather.equals(self._buffer, begin, end, b"dns")
        times = self._times()
        numbers = {name: self._number(name) for name in ("id.orig_p", "id.resp_p", *WORDS)}
        transport = spellings(self._buffer, *members["proto"], TRANSPORTS.get)
        answers = self._answers()
        chosen, columns = self._names()
        for name, (column, word) in WORDS.items():
            columns[column] = words_of(numbers[name][chosen], word)
        return self._tokens.lines[chosen], columns | time_columns(times, chosen) | {
            "event": pc.if_else(pa.array(numbers["rcode"][chosen] >= 0), EXCHANGE, QUERY),
            "client": gather.stated(self._buffer, *self._at("id.orig_h", chosen), small=True),
            "server": gather.stated(self._buffer, *self._at("id.resp_h", chosen), small=True),
            "port": ports(numbers["id.orig_p"][chosen]), "server_port": ports(numbers["id.resp_p"][chosen]),
            "flags": FLAG_WORDS.take(pa.array(self._flags()[chosen])), "transport": transport.column(chosen),
            "vantage": gather.stated(self._buffer, *self._at("_system_name", chosen)),
            "answers": answers.column(chosen, len(self.keep)),
        }  # fmt: skip

    def _at(self, name: str, chosen: Ints) -> tuple[Ints, Ints]:
        begin, end = self._tokens.members[name]
        return begin[chosen], end[chosen]

    def _times(self) -> digits.Times:
        """Seconds since 1970 with a fraction, or ISO 8601 with a zone where it is a text."""
        begin, end = self._tokens.members["ts"]
        found = digits.times(self._buffer, begin, end)
        is_text = self._buffer[begin - 1] == _QUOTE
        is_dated = (self._buffer[begin + _YEAR] == _HYPHEN) & found.has_zone
        self.keep &= found.good & np.where(is_text, is_dated, self._buffer[begin + _SECONDS] == _DOT)
        return found

    def _number(self, name: str) -> Ints:
        """A number of at most five digits; -1 where there is none."""
        begin, end = self._tokens.members[name]
        good, value = digits.numbers(self._buffer, begin, end)
        is_none = begin == end
        self.keep &= is_none | (good & (end - begin <= MOST_DIGITS) & (value <= GREATEST))
        return np.where(is_none, -1, value)

    def _flags(self) -> Ints:
        """The flags of each line as bits; one that is not there is not set."""
        value = np.zeros(len(self.keep), dtype=np.int64)
        for bit, name in enumerate(FLAGS):
            begin, end = self._tokens.members[name]
            value |= ((self._buffer[begin] == _TRUE) & (end > begin)).astype(np.int64) << bit
        return value

    def _names(self) -> tuple[Ints, Columns]:
        """Which lines have addresses and a name of usual form too, and the columns of the name."""
        begin, end = self._tokens.members["id.resp_h"]
        there = np.flatnonzero(end > begin)
        self.keep[there] &= addresses(self._buffer, begin[there], end[there])
        self.keep &= addresses(self._buffer, *self._tokens.members["id.orig_h"])
        self.keep &= self._buffer[self._tokens.members["query"][1] - 1] != _DOT
        chosen = np.flatnonzero(self.keep)
        keep, columns = gather.names(self._buffer, *self._at("query", chosen))
        return chosen[keep], columns

    def _answers(self) -> Answers:
        """The answers of each line; one whose TTLs are not as many is not usual unless it has none."""
        counts, (begin, end) = self._tokens.counts, self._tokens.members["TTLs"]
        lines = np.flatnonzero(counts)
        there = np.flatnonzero(end > begin)
        written = gather.members(self._buffer, begin[there], end[there])
        value, is_ttl = _whole_seconds(written.text, written.begins, written.ends)
        good = counts[there] == written.counts
        good[np.repeat(np.arange(len(there)), written.counts)[~is_ttl]] = False
        self.keep[there[~good]] = False
        ttls = np.full(int(counts.sum()), -1)
        has_ttls = np.zeros(len(counts), dtype=bool)
        has_ttls[there[good]] = True
        ttls[np.repeat(has_ttls, counts)] = value[np.repeat(good, written.counts)]
        data = gather.Members(self._buffer, counts[lines], *self._tokens.items["data"])
        return Answers(lines, data, ttls)


def _whole_seconds(text: Bytes, begins: Ints, ends: Ints) -> tuple[Ints, Any]:
    """Whole seconds of `300.0` or `300`, and which of the numbers are short enough to be told so."""
    points = np.flatnonzero(text[: ends[-1] if len(ends) else 0] == _DOT)
    stops = ends.copy()
    stops[np.searchsorted(ends, points)] = points
    good, value = digits.numbers(text, begins, stops)
    return value, good & (ends - begins <= _EXACT)
