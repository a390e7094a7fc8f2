"""Records of Zeek's usual layout as columns: what `zeek.read_record` makes of them, without a loop over lines.

A line is taken only where every value that is read has its usual form; all others are left to the reference, one by
one. A property test holds the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.reading import gather
from evidence.reading.lines import LONGEST_LINE
from evidence.reading.mnemonics import class_name, rcode_name, type_name
from evidence.table.schema import EXCHANGE, LOOKUPS, QUERY, complete

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.lines import Chunk

USED = (
    "ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "query", "qclass", "qtype", "rcode", "AA", "TC",
    "RD", "RA", "answers", "TTLs",
)  # fmt: skip
"""All of these have to be among the fields, each once."""
_LONGEST_NAME = 63  # a name so short has no label that is too long
_TIME = 17  # `1795558147.621051`
_TAB, _NEWLINE, _COMMA, _DOT, _UNSET = 9, 10, 44, 46, 45
_ADDRESS = gather.allowed(b"0123456789abcdefABCDEF:.")
_HEX = gather.allowed(b"0123456789abcdefABCDEF")
_TRANSPORTS = gather.literals(b"udp", b"tcp")
_FLAG_WORDS = [
    " ".join(name for bit, name in enumerate(("AA", "TC", "RD", "RA")) if bits >> bit & 1) or None for bits in range(16)
]  # fmt: skip

type Token = tuple[Any, Any]


def usual(fields: tuple[str, ...]) -> bool:
    """Whether a layout of these fields can be read as columns."""
    return len(set(fields)) == len(fields) and set(USED) <= set(fields)


def read(fields: tuple[str, ...], run: Chunk) -> tuple[pa.Table, Any, Any, Any]:
    """Rows of the lines that are usual; numbers of the others; where lines start and stop in the run."""
    buffer = gather.padded(run.data)
    body = buffer[: run.size]
    separators = np.flatnonzero((body == _TAB) | (body == _NEWLINE))
    stops = separators[body[separators] == _NEWLINE] + 1
    if not len(stops) or stops[-1] != run.size:
        stops = np.append(stops, run.size)
    starts = np.concatenate(([0], stops[:-1]))
    first = np.searchsorted(separators, starts)
    good = np.searchsorted(separators, stops) - first == len(fields)
    good &= ~_odd(buffer, body, stops) & (stops - starts <= LONGEST_LINE)
    if run.size and body[-1] != _NEWLINE:
        good[-1] = False  # the last line of a file without its newline has one separator less
    lines = np.flatnonzero(good)
    rows = _Rows(buffer, separators, fields, starts[lines], first[lines])
    chosen, columns = rows.read()
    taken = lines[chosen]
    spans = {
        "line": pa.array(taken + run.line, pa.int64()), "start": pa.array(starts[taken] + run.start, pa.int64()),
        "stop": pa.array(stops[taken] + run.start, pa.int64()),
    }  # fmt: skip
    rest = np.ones(len(starts), dtype=bool)
    rest[taken] = False
    return complete(spans | columns, len(taken), LOOKUPS), np.flatnonzero(rest), starts, stops


def _odd(buffer: gather.Bytes, body: gather.Bytes, stops: Any) -> Any:
    """Lines with bytes that are no plain text, with an escape, a bracket (`(empty)`) or two dots side by side."""
    odd = np.zeros(len(stops), dtype=bool)
    places = np.flatnonzero(
        ((body < 32) & (body != _TAB) & (body != _NEWLINE)) | (body >= 127) | (body == 92) | (body == 40)
    )
    odd[np.searchsorted(stops, places, side="right")] = True
    dots = np.flatnonzero(body == _DOT)
    odd[np.searchsorted(stops, dots[buffer[dots + 1] == _DOT], side="right")] = True
    return odd


class _Rows:
    """The tokens of lines that have as many as there are fields; `keep` says which lines are usual so far."""

    def __init__(self, buffer: gather.Bytes, separators: Any, fields: tuple[str, ...], starts: Any, first: Any) -> None:
        self._buffer, self._lower = buffer, gather.lower(buffer)
        self._separators, self._starts, self._first = separators, starts, first
        self._places = {name: place for place, name in enumerate(fields) if name in USED}
        self.keep = np.ones(len(starts), dtype=bool)

    def token(self, name: str) -> Token:
        place = self._places[name]
        begin = self._starts if place == 0 else self._separators[self._first + place - 1] + 1
        return begin, self._separators[self._first + place]

    def read(self) -> tuple[Any, dict[str, pa.Array]]:
        """The lines that are usual throughout, and their columns."""
        time = self._time()
        ports = {name: self._number(name) for name in ("id.orig_p", "id.resp_p")}
        codes = {name: self._number(name, may_be_unset=True) for name in ("qtype", "qclass", "rcode")}
        for side in ("id.orig_h", "id.resp_h"):
            self._check_address(side)
        self.keep &= gather.one_of(_TRANSPORTS, self._buffer, *self.token("proto"))
        self._check_name()
        flags = self._flags()
        chosen, answers = self._answers()
        names = {"qtype": ("type", type_name), "qclass": ("class", class_name), "rcode": ("rcode", rcode_name)}
        columns = {
            "time": pa.array(time[chosen], pa.int64()).view(LOOKUPS.field("time").type),
            "time_digits": gather.constant(6, len(chosen), pa.int8()),
            "time_zone": gather.constant("UTC", len(chosen), pa.string()),
            "port": pa.array(ports["id.orig_p"][chosen], pa.int32()),
            "server_port": pa.array(ports["id.resp_p"][chosen], pa.int32()),
            "client": self._strings("id.orig_h", chosen, self._lower),
            "server": self._strings("id.resp_h", chosen, self._lower),
            "transport": self._strings("proto", chosen, self._buffer),
            "flags": pa.array(_FLAG_WORDS).take(pa.array(flags[chosen])),
            "event": pc.if_else(pa.array(codes["rcode"][chosen] >= 0), EXCHANGE, QUERY), "answers": answers,
            **self._names(chosen),
            **{column: _words(codes[name][chosen], word) for name, (column, word) in names.items()},
        }  # fmt: skip
        return chosen, columns

    def _strings(self, name: str, chosen: Any, buffer: gather.Bytes) -> pa.Array:
        begin, end = self.token(name)
        return gather.strings(buffer, begin[chosen], end[chosen])

    def _time(self) -> Any:
        begin, end = self.token("ts")
        window = np.lib.stride_tricks.sliding_window_view(self._buffer, _TIME)[begin]
        digits = np.delete(window, 10, axis=1).astype(np.int64) - 48
        self.keep &= (end - begin == _TIME) & (window[:, 10] == _DOT) & ((digits >= 0) & (digits <= 9)).all(axis=1)
        return digits @ (10 ** np.arange(15, -1, -1, dtype=np.int64))

    def _number(self, name: str, *, may_be_unset: bool = False) -> Any:
        """A number of at most five digits; -1 where it is unset."""
        begin, end = self.token(name)
        value, is_number = gather.numbers(self._buffer, begin, end, 5)
        if not may_be_unset:
            self.keep &= is_number & (value <= 65535)
            return value
        unset = (end - begin == 1) & (self._buffer[begin] == _UNSET)
        self.keep &= (is_number & (value <= 65535)) | unset
        return np.where(unset, -1, value)

    def _check_address(self, name: str) -> None:
        begin, end = self.token(name)
        self.keep &= (end > begin) & gather.only(_ADDRESS, self._buffer, begin, end, 40)
        self.keep &= ~gather.only(_HEX, self._buffer, begin, end, 40)  # an address has a dot or a colon

    def _check_name(self) -> None:
        begin, end = self.token("query")
        spaces = np.flatnonzero(self._buffer == 32)
        self.keep &= np.searchsorted(spaces, begin) == np.searchsorted(spaces, end)
        self.keep &= (end > begin) & (end - begin <= _LONGEST_NAME)
        self.keep &= (self._buffer[begin] != _DOT) & (self._buffer[np.maximum(end - 1, 0)] != _DOT)
        self.keep &= (end - begin != 1) | (self._buffer[begin] != _UNSET)

    def _names(self, chosen: Any) -> dict[str, pa.Array]:
        written, name = self._strings("query", chosen, self._buffer), self._strings("query", chosen, self._lower)
        differs = pc.not_equal(written, name)
        return {"name": name, "name_as_written": pc.if_else(differs, written, pa.scalar(None, pa.string()))}

    def _flags(self) -> Any:
        value = np.zeros(len(self.keep), dtype=np.int64)
        for bit, name in enumerate(("AA", "TC", "RD", "RA")):
            begin, end = self.token(name)
            letter = self._buffer[begin]
            self.keep &= (end - begin == 1) & ((letter == 84) | (letter == 70))
            value |= (letter == 84).astype(np.int64) << bit
        return value

    def _answers(self) -> tuple[Any, pa.Array]:
        """The last to be looked at: which lines are usual in all, and the answers of these."""
        data, ttls = self.token("answers"), self.token("TTLs")
        commas = np.flatnonzero(self._buffer == _COMMA)
        unset = (data[1] - data[0] == 1) & (self._buffer[data[0]] == _UNSET)
        counts = [np.searchsorted(commas, token[1]) - np.searchsorted(commas, token[0]) + 1 for token in (data, ttls)]
        self.keep &= unset | ((counts[0] == counts[1]) & (data[1] > data[0]))
        counted = np.where(unset | ~self.keep, 0, counts[0])
        owner = np.repeat(np.arange(len(counted)), counted)
        value, is_ttl = _seconds(self._buffer, *_members(commas, ttls, counted))
        bad = np.bincount(owner[~is_ttl], minlength=len(counted)) > 0
        self.keep &= ~bad
        kept = self.keep[owner]
        begin, end = _members(commas, data, counted)
        records = pa.StructArray.from_arrays(
            [
                pa.nulls(int(kept.sum()), pa.string()), pa.nulls(int(kept.sum()), pa.string()),
                pa.array(value[kept], pa.int64()), gather.strings(self._buffer, begin[kept], end[kept]),
            ],
            fields=list(LOOKUPS.field("answers").type.value_type),
        )  # fmt: skip
        chosen = np.flatnonzero(self.keep)
        offsets = np.concatenate(([0], np.cumsum(counted[chosen]))).astype(np.int32)
        mask = pa.array(unset[chosen])
        lists = pa.ListArray.from_arrays(pa.array(offsets), records, type=LOOKUPS.field("answers").type, mask=mask)
        return chosen, lists


def _members(commas: Any, token: Token, counts: Any) -> Token:
    """Where each member of each vector begins and ends; `counts` says how many there are in each."""
    begin, end = token
    total = int(counts.sum())
    if not total:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    owner = np.repeat(np.arange(len(counts)), counts)
    ahead = np.concatenate(([0], np.cumsum(counts)[:-1]))
    number = np.arange(total) - ahead[owner]  # which member of its vector
    before: Any = np.searchsorted(commas, begin)
    before = before[owner] + number
    after: Any = np.append(commas, 0)
    starts = np.where(number == 0, begin[owner], after[before - 1] + 1)
    stops = np.where(number == counts[owner] - 1, end[owner], after[before])
    return starts, stops


def _seconds(buffer: gather.Bytes, begin: Any, end: Any) -> tuple[Any, Any]:
    """Whole seconds of `300.000000`, and which of the tokens are such a TTL."""
    point = end - 7
    value, good = gather.numbers(buffer, begin, np.maximum(point, begin), 9)
    fraction, has_fraction = gather.numbers(buffer, np.maximum(end - 6, begin), end, 6)
    good &= (point > begin) & has_fraction & (end - begin >= 8) & (fraction >= 0)
    return value, good & (buffer[np.maximum(point, 0)] == _DOT)


def _words(values: Any, word: Callable[[int], str]) -> pa.Array:
    """Numbers as their words, each made once; null where one is unset (-1)."""
    known = np.flatnonzero(np.bincount(values + 1)) - 1
    places = np.zeros(known[-1] + 2 if len(known) else 1, dtype=np.int64)
    places[known + 1] = np.arange(len(known))
    words = pa.array([None if number < 0 else word(int(number)) for number in known], pa.string())
    return words.take(pa.array(places[values + 1]))
