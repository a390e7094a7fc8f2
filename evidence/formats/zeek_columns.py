"""Records of Zeek's usual layout as columns: what `zeek.read_record` makes of them, without a loop over lines.

A line is taken only where every value that is read has its usual form; all others are left to the reference, one by
one. A property test holds the two together. Only `NEEDED` has to be among the fields: a log may have been cut down to
some of its columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.reading import digits, gather
from evidence.reading.addresses import lowered
from evidence.reading.fields import chosen as of
from evidence.reading.fields import field_ends
from evidence.reading.lines import LONGEST_LINE, line_ends
from evidence.reading.mnemonics import class_name, rcode_name, type_name
from evidence.table.schema import EXCHANGE, LOOKUPS, QUERY, complete

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.gather import Bytes, Ints
    from evidence.reading.lines import Chunk

    type Token = tuple[Ints, Ints]
    type Columns = dict[str, pa.Array]

NEEDED = frozenset({"ts", "id.orig_h", "id.orig_p", "query"})
USED = NEEDED | {
    "id.resp_h", "id.resp_p", "proto", "qclass", "qtype", "rcode", "AA", "TC", "RD", "RA", "answers", "TTLs", "opcode",
}  # fmt: skip
_AT_ONCE = 1 << 18  # bytes, which a core's own cache holds
_NONE = np.array([], dtype=np.int64)
_SECONDS, _TIME_WORDS = 10, 3  # bytes of seconds since 1970, and words of a time
_MOST = 63 / 64
"""If so many times are usual, the others are read one by one."""
MOST_DIGITS, GREATEST = 5, 65535
_TAB, _NEWLINE, _DOT, _UNSET, _BRACKET, _DELETE = 9, 10, 46, 45, 40, 127
_FRACTION = 7  # `.000000` of a TTL
_POINT = digits.template("?.000000")
_TRUE, _FALSE = ord("T"), ord("F")
_TRANSPORTS = gather.literals(b"udp", b"tcp")
FLAGS = ("AA", "TC", "RD", "RA")
FLAG_WORDS = [" ".join(name for bit, name in enumerate(FLAGS) if bits >> bit & 1) or None for bits in range(16)]
WORDS = {"qtype": ("type", type_name), "qclass": ("class", class_name), "rcode": ("rcode", rcode_name)}
_ANSWERS = LOOKUPS.field("answers").type


def usual(fields: tuple[str, ...]) -> bool:
    """Whether a layout of these fields can be read as columns."""
    return len(set(fields)) == len(fields) and set(fields) >= NEEDED


def read(fields: tuple[str, ...], run: Chunk) -> tuple[pa.Table, Any, Any, Any]:
    """Rows of the lines that are usual; numbers of the others; where lines start and stop in the run."""
    buffer = gather.padded(run.data)
    body = buffer[: run.size]
    separators, is_plain = _separators(body)
    edges = np.concatenate(([0], line_ends(run.data) if run.ends is None else run.ends))
    whole = len(edges) - 1
    if edges[-1] != run.size:
        edges = np.append(edges, run.size)
    good = np.diff(edges) <= LONGEST_LINE
    good[whole:] = False
    if not is_plain:
        good &= ~_odd(body, edges)
    lines, ends = field_ends(len(fields), body, separators, edges, good)
    tokens = {
        name: (ends[place - 1] + 1 if place else edges[lines], ends[place])
        for place, name in enumerate(fields) if name in USED
    }  # fmt: skip
    chosen, columns = _Rows(buffer, tokens).read()
    taken = lines[chosen]
    spans = {
        "line": pa.array(taken + run.line, pa.int64()), "start": pa.array(edges[taken] + run.start, pa.int64()),
        "stop": pa.array(edges[taken + 1] + run.start, pa.int64()),
    }  # fmt: skip
    rest = np.ones(len(good), dtype=bool)
    rest[taken] = False
    return complete(spans | columns, len(taken), LOOKUPS), np.flatnonzero(rest), edges[:-1], edges[1:]


def _separators(body: Bytes) -> tuple[Ints, bool]:
    """Where tabs and newlines stand, and whether all else is printable ASCII."""
    found, mark, place, others = [_NONE], np.empty(_AT_ONCE, dtype=bool), np.empty(_AT_ONCE, dtype=np.uint8), 0
    for at in range(0, len(body), _AT_ONCE):
        part = body[at : at + _AT_ONCE]
        size = len(part)
        # unsigned, so that what is below a tab is far above
        is_separator = np.less(np.subtract(part, _TAB, out=place[:size]), _NEWLINE - _TAB + 1, out=mark[:size])
        found.append(np.flatnonzero(is_separator) + at)
        is_other = np.greater_equal(np.subtract(part, 32, out=place[:size]), _DELETE - 32, out=mark[:size])
        others += int(np.count_nonzero(is_other)) - len(found[-1])
    return np.concatenate(found), not others


def _odd(body: Bytes, edges: Ints) -> Any:
    """Lines with bytes that are no plain text."""
    odd = np.zeros(len(edges) - 1, dtype=bool)
    places = np.flatnonzero(((body < 32) & (body != _TAB) & (body != _NEWLINE)) | (body >= _DELETE))
    odd[np.searchsorted(edges, places, side="right") - 1] = True
    return odd


class _Rows:
    """The tokens of lines that have as many as there are fields; `keep` says which lines are usual so far."""

    def __init__(self, buffer: Bytes, tokens: dict[str, Token]) -> None:
        self._buffer, self._tokens = buffer, tokens
        self.keep = np.ones(len(tokens["ts"][0]), dtype=bool)

    def read(self) -> tuple[Any, Columns]:
        """The lines that are usual throughout, and their columns."""
        time, sides = self._time(), {name: self._number(name) for name in ("id.orig_p", "id.resp_p")}
        codes = {name: self._number(name) for name in WORDS}
        self.keep &= self._number("opcode") <= 0
        flags = self._flags()
        transports, answers = self._transports(), self._answers()
        chosen, columns = self._texts(np.flatnonzero(self.keep))
        if transports is not None:
            columns["transport"] = gather.word_texts(transports[chosen])
        if answers is not None:
            columns["answers"] = answers.column(chosen, len(self.keep))
        for name, (column, word) in WORDS.items():
            columns[column] = words_of(codes[name][chosen], word)
        return chosen, columns | {
            "time": pa.array(time.micros[chosen], pa.int64()).view(LOOKUPS.field("time").type),
            "time_digits": pa.array(np.broadcast_to(time.digits, len(self.keep))[chosen], pa.int8()),
            "time_zone": gather.one_text("UTC", len(chosen)),
            "port": ports(sides["id.orig_p"][chosen]), "server_port": ports(sides["id.resp_p"][chosen]),
            "flags": gather.chosen_words(FLAG_WORDS, flags[chosen]),
            "event": event_words(codes["rcode"][chosen]),
        }  # fmt: skip

    def _strings(self, name: str, chosen: Ints) -> pa.Array:
        begin, end = self._tokens[name]
        return gather.strings(self._buffer, of(begin, chosen), of(end, chosen))

    def _is_unset(self, name: str) -> Any:
        begin, end = self._tokens[name]
        return (end - begin == 1) & (self._buffer[begin] == _UNSET)

    def _time(self) -> digits.Times:
        """Seconds since 1970: where a point stands behind ten bytes, `times` reads no date."""
        begin, end = self._tokens["ts"]
        found, _ = digits.seconds_of(*gather.word_columns(self._buffer, begin, _TIME_WORDS))
        good = found.good & (end == begin + _SECONDS + 1 + found.digits)
        if np.count_nonzero(good) > _MOST * len(good):
            self.keep &= good
            return found
        found = digits.times(self._buffer, begin, end)
        self.keep &= found.good & (self._buffer[begin + 10] == _DOT)
        return found

    def _number(self, name: str) -> Ints:
        """A number of at most five digits; -1 where it is unset or no field."""
        if name not in self._tokens:
            return np.full(len(self.keep), -1)
        begin, end = self._tokens[name]
        good, value = digits.numbers(self._buffer, begin, end)
        good &= (end - begin <= MOST_DIGITS) & (value <= GREATEST)
        if good.all():
            return value
        unset = self._is_unset(name)
        self.keep &= good | unset
        return np.where(unset, -1, value)

    def _transports(self) -> Any:
        """Transports as words; None if they are no field."""
        if "proto" not in self._tokens:
            return None
        words = gather.short_words(self._buffer, *self._tokens["proto"])
        self.keep &= (words == _TRANSPORTS[0]) | (words == _TRANSPORTS[1])
        return words

    def _texts(self, candidates: Ints) -> tuple[Ints, Columns]:
        """Which of these lines have addresses and a name of usual forms, and the columns of these."""
        good, sides = self._sides(candidates)
        chosen, names = self._names(candidates[good])
        if len(chosen) < len(candidates):
            places = pa.array(np.searchsorted(candidates, chosen))
            sides = {name: column.take(places) for name, column in sides.items()}
        return chosen, sides | names

    def _sides(self, chosen: Ints) -> tuple[Any, Columns]:
        """Where the addresses are usual, and their columns."""
        good, columns = np.ones(len(chosen), dtype=bool), {}
        for name, column in (("id.orig_h", "client"), ("id.resp_h", "server")):
            if name in self._tokens:
                is_address, columns[column] = lowered(self._strings(name, chosen))
                good &= is_address
        return good, columns

    def _names(self, chosen: Ints) -> tuple[Ints, Columns]:
        """Which of the chosen lines have a name of usual form, and its columns."""
        begin, end = (of(edge, chosen) for edge in self._tokens["query"])
        first, last = self._buffer[begin], self._buffer[end - 1]
        is_mark = (first == _BRACKET) | ((first == _UNSET) & (end - begin == 1))  # `(empty)`, `-`
        usual = np.flatnonzero((last != _DOT) & ~is_mark)
        keep, columns = gather.names(self._buffer, of(begin, usual), of(end, usual))
        return of(of(chosen, usual), keep), columns

    def _flags(self) -> Any:
        """The flags of each line as bits; one that is unset is not set."""
        value = np.zeros(len(self.keep), dtype=np.uint8)
        for bit, name in enumerate(FLAGS):
            if name not in self._tokens:
                continue
            begin, end = self._tokens[name]
            letter = self._buffer[begin]
            is_true = letter == _TRUE
            self.keep &= (end - begin == 1) & (is_true | (letter == _FALSE) | (letter == _UNSET))
            value |= is_true.view(np.uint8) << np.uint8(bit)
        return value

    def _answers(self) -> Answers | None:
        """The answers of lines that have some; a line whose TTLs are not as many, or none, is not usual."""
        if "answers" not in self._tokens:
            return None
        begin, end = self._tokens["answers"]
        self.keep &= (end > begin) & (self._buffer[begin] != _BRACKET)
        lines = np.flatnonzero(self.keep & ~self._is_unset("answers"))
        data = gather.members(self._buffer, begin[lines], end[lines])
        if "TTLs" not in self._tokens:
            return Answers(lines, data, None)
        begin, end = self._tokens["TTLs"]
        written = gather.members(self._buffer, begin[lines], end[lines])
        value, is_ttl = _seconds(written)
        good = data.counts == written.counts
        good[np.repeat(np.arange(len(lines)), written.counts)[~is_ttl]] = False
        self.keep[lines[~good]] = False
        usual = np.repeat(good, data.counts)
        data = gather.Members(data.text, data.counts[good], data.begins[usual], data.ends[usual])
        return Answers(lines[good], data, value[np.repeat(good, written.counts)])


@dataclass(frozen=True, slots=True)
class Answers:
    """The members of the lines that have answers, and the TTL of each member, -1 where there is none."""

    lines: Ints
    data: gather.Members
    ttls: Ints | None

    def column(self, chosen: Ints, size: int) -> pa.Array:
        """The answers of the chosen ones of `size` lines; null where there are none."""
        is_chosen = np.zeros(size, dtype=bool)
        is_chosen[chosen] = True
        counts = np.zeros(size, dtype=np.int32)
        counts[self.lines] = self.data.counts
        is_taken = np.repeat(is_chosen[self.lines], self.data.counts)
        texts = gather.strings(self.data.text, self.data.begins[is_taken], self.data.ends[is_taken])
        return answer_lists(counts[chosen], texts, None if self.ttls is None else self.ttls[is_taken])


def answer_lists(counts: Any, data: pa.Array, ttls: Ints | None) -> pa.Array:
    """Lists of so many answers each, null where there are none, of their data and TTLs (-1: none)."""
    nothing = pa.nulls(len(data), pa.string())
    numbers = pa.nulls(len(data), pa.int64()) if ttls is None else _numbers(ttls, pa.int64())
    records = pa.StructArray.from_arrays([nothing, nothing, numbers, data], fields=list(_ANSWERS.value_type))
    offsets = pa.array(np.concatenate(([0], np.cumsum(counts))), pa.int32())
    return pa.ListArray.from_arrays(offsets, records, type=_ANSWERS, mask=pa.array(counts == 0))


def _seconds(written: gather.Members) -> tuple[Ints, Any]:
    """Whole seconds of `300.000000`, and which of the members are such a TTL."""
    sizes = written.ends - written.begins
    point = np.maximum(written.ends - _FRACTION, written.begins)
    good, value = digits.numbers(written.text, written.begins, point)
    usual, _ = _POINT.read(gather.words(written.text, np.maximum(written.ends - _FRACTION - 1, 0)))
    return value, good & usual & (sizes > _FRACTION)


def ports(values: Ints) -> pa.Array:
    """Numbers of ports; null where one is unset (-1)."""
    return _numbers(values, pa.int32())


def _numbers(values: Ints, kind: pa.DataType) -> pa.Array:
    is_none = values < 0
    return pa.array(values, kind, mask=is_none if is_none.any() else None)


def words_of(values: Ints, word: Callable[[int], str]) -> pa.Array:
    """Numbers as their words, each made once; null where one is unset (-1)."""
    known = np.flatnonzero(np.bincount(values + 1)) - 1
    words = [None if number < 0 else word(int(number)) for number in known]
    places = np.zeros(known[-1] + 2 if len(known) else 1, dtype=np.int64)
    places[known + 1] = np.arange(len(known))
    return gather.chosen_words(words, places[values + 1])


def event_words(rcodes: Ints) -> pa.Array:
    """A record with a response code tells of a response too."""
    return gather.chosen_words((QUERY, EXCHANGE), (rcodes >= 0).view(np.int8))
