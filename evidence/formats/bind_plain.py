"""Lines as BIND writes them unless it is told otherwise, as columns, without a search for each space of a line.

    04-May-2016 00:00:12.345 queries: info: client @0x7f11 192.0.2.1#53124 (a.net): query: a.net IN A + (192.0.2.53)

What stands before the client has one size throughout a log, and the name stands twice. So the place of each part
follows from those before it, and eight bytes at once tell where a part ends. What is taken here has the values that
`bind.read_line` gives it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.formats.bind_columns import TIME_WORDS, TYPES, dated, flag_columns
from evidence.reading import digits, gather, swar
from evidence.reading.addresses import lowered
from evidence.reading.fields import chosen
from evidence.reading.lines import LONGEST_LINE
from evidence.table.schema import LOOKUPS, QUERY

if TYPE_CHECKING:
    from evidence.reading.gather import Bytes, Ints

    type Columns = dict[str, pa.Array]

_TIME, _MILLI_DIGITS = TIME_WORDS * swar.WORD, 3  # bytes of a date with its time, and digits of its second
_LEAD = re.compile(rb" (?:queries: )?(?:info: )?client ")
_ASKED, _CLASS, _OPENED = b"): query: ", b" IN ", b" ("
_HEX = gather.allowed(b"0123456789abcdef")
_ADDRESS, _NAME = (2, 3), (4, 2)
"""Words that are looked at at once, in which most end, and how often."""
_OBJECT, _LONGEST_OBJECT, _SHORTEST_TAIL, _LARGEST_PORT = b"@0x", 24, 4, 65535
_FLAGS = re.compile(r"[+-][!-~]*")
_NEWLINE, _BLANK, _HASH, _CLOSED, _OPENED_PAIR = 10, 32, 35, 41, int.from_bytes(_OPENED, "little")
_FEWEST = 63 / 64
"""Of so many lines at least all that is here has to be true; else the lines of a block are read in the other way."""


def read(buffer: Bytes, starts: Ints, stops: Ints) -> tuple[Ints, Columns] | None:
    """The numbers of the lines that are taken, and their columns; None if lines of other layouts are more than a few.

    Lines end with a newline, behind which `buffer` is padded.
    """
    lead = _LEAD.match(buffer[int(starts[0]) + _TIME :][: gather.PADDING].tobytes()) if len(starts) else None
    if lead is None:
        return None
    times, good = gather.word_columns_before(buffer, starts, TIME_WORDS, lead[0])
    good &= stops - starts <= LONGEST_LINE
    if np.count_nonzero(good) < _FEWEST * len(good):
        return None
    lines = np.flatnonzero(good)
    begins = chosen(starts, lines) + _TIME + len(lead[0])
    parts = _Parts(buffer, begins, chosen(stops, lines), dated(*(chosen(word, lines) for word in times)))
    keep, columns = parts.read()
    return (lines[keep], columns) if len(keep) >= _FEWEST * len(good) else None


class _Parts:
    """Lines by where a client, or an object before it, begins, where they stop, and times; `keep`: which are usual."""

    def __init__(self, buffer: Bytes, begins: Ints, stops: Ints, times: tuple[Any, Ints]) -> None:
        self._buffer, self._stops = buffer, stops
        self.keep, self._micros = times
        self._client = self._behind_object(begins)

    def read(self) -> tuple[Ints, Columns]:
        """Which lines are usual throughout, and their columns."""
        hashed = gather.ahead(self._buffer, self._client, _HASH, *_ADDRESS)
        asked, port = self._port(hashed)
        name, end = self._name(asked)
        kind, begin = self._kind(end + len(_CLASS))
        flags, tail, has_server = self._flags(begin)
        keep = np.flatnonzero(self.keep)
        spans = {"client": (self._client, hashed), "name": (name, end), "server": (tail, self._stops - 1)}
        kept = {part: (chosen(first, keep), chosen(last, keep)) for part, (first, last) in spans.items()}
        return self._columns(keep, kept, *(chosen(column, keep) for column in (port, kind, flags, has_server)))

    def _behind_object(self, begin: Ints) -> Ints:
        """Where the client begins: behind the address of an object, if there is one."""
        is_object = self._buffer[begin] == _OBJECT[0]
        if not is_object.any():
            return begin
        end = gather.ahead(self._buffer, begin, _BLANK, *_ADDRESS)
        digit = np.minimum(begin + len(_OBJECT), end)
        self.keep &= is_object & _stands(self._buffer, begin, _OBJECT) & (end > digit) & (end < begin + _LONGEST_OBJECT)
        self.keep &= gather.within(_HEX, self._buffer, digit, end) & (self._buffer[end] == _BLANK)
        return end + 1

    def _port(self, hashed: Ints) -> tuple[Ints, Ints]:
        """Where a name in brackets begins behind `#53124 (`, which fits into a word; and the port."""
        word = gather.words(self._buffer, hashed)
        size, port = digits.leading_number(word >> np.uint64(8))
        opened = swar.behind(word, size + 1) & swar.PAIR
        self.keep &= (word & swar.BYTE == _HASH) & (size > 0) & (port <= _LARGEST_PORT) & (opened == _OPENED_PAIR)
        return hashed + size + (1 + len(_OPENED)), port

    def _name(self, asked: Ints) -> tuple[Ints, Ints]:
        """Where the name lies: it is as long as the one in brackets before it, and the class follows."""
        behind = gather.ahead(self._buffer, asked, _CLOSED, *_NAME)
        begin = behind + len(_ASKED)
        end = begin + (behind - asked)
        self.keep &= _stands(self._buffer, behind, _ASKED) & (end < self._stops)
        end = np.minimum(end, self._stops)
        self.keep &= _stands(self._buffer, end, _CLASS)
        return begin, end

    def _kind(self, begin: Ints) -> tuple[Any, Ints]:
        """A type of at most seven bytes, as a word, and where the flags begin behind the blank that follows it."""
        word = gather.words(self._buffer, begin)
        size = swar.printed(word)
        self.keep &= (size > 0) & (swar.behind(word, size) & swar.BYTE == _BLANK)
        return word & swar.mask(size), begin + size + 1

    def _flags(self, begin: Ints) -> tuple[Any, Ints, Any]:
        """Flags of at most eight bytes, as a word, where a server's address begins, and where there is one."""
        word = gather.words(self._buffer, begin)
        size = swar.printed(word)
        tail = begin + size
        rest = gather.words(self._buffer, tail)
        is_end = (rest & swar.BYTE == _NEWLINE) & (tail == self._stops - 1)
        has_server = (rest & swar.PAIR == _OPENED_PAIR) & (tail < self._stops - _SHORTEST_TAIL)
        self.keep &= (size > 0) & (is_end | has_server)
        return word & swar.mask(size), tail + len(_OPENED), has_server

    def _columns(
        self, keep: Ints, spans: dict[str, tuple[Ints, Ints]], port: Ints, kinds: Any, written: Any, has_server: Any
    ) -> tuple[Ints, Columns]:
        good, client = lowered(gather.strings(self._buffer, *spans["client"]))
        server_good, server = _servers(self._buffer, *spans["server"], has_server)
        kind, flags = gather.word_texts(kinds), gather.word_texts(written)
        good &= server_good & _are(kind, TYPES.__contains__) & _are(flags, _FLAGS.fullmatch)
        named, names = gather.name_texts(gather.strings(self._buffer, *spans["name"]))
        if len(named) < len(good):
            is_named = np.zeros(len(good), dtype=bool)
            is_named[named] = True
            good &= is_named
        columns = {
            "time": pa.array(chosen(self._micros, keep), pa.int64()).view(LOOKUPS.field("time").type),
            "time_digits": gather.constant(_MILLI_DIGITS, len(keep), pa.int8()),
            "event": gather.one_text(QUERY, len(keep)), "client": client, "port": pa.array(port, pa.int32()),
            "server": server, "type": kind, "class": gather.one_text("IN", len(keep)),
            **flag_columns(flags, has_server),
        }  # fmt: skip
        if good.all():
            return keep, columns | names
        taken = pa.array(np.flatnonzero(good))
        kept = {name: column.take(taken) for name, column in columns.items()}
        return keep[good], kept | {
            name: column.take(pa.array(np.flatnonzero(good[named]))) for name, column in names.items()
        }


def _servers(buffer: Bytes, begin: Ints, end: Ints, is_there: Any) -> tuple[Any, pa.Array]:
    """Addresses that a bracket follows as the last byte before `end`, and where they are good; null is good.

    Most logs are one server's.
    """
    if not is_there.any():
        return np.True_, pa.nulls(len(begin), pa.string())
    first = slice(one := int(is_there.argmax()), one + 1)
    good, server = lowered(gather.strings(buffer, begin[first], end[first] - 1))
    text = buffer[begin[one] : end[one]].tobytes()
    if good.all() and len(text) <= gather.PADDING and text[-1] == _CLOSED:
        is_same = _stands(buffer, begin, text) & (end - begin == len(text))
        if (is_same | ~is_there).all():
            return np.True_, gather.chosen_words([server[0].as_py(), None], 1 - is_there.view(np.uint8))
    begin, end = np.where(is_there, begin, end), np.where(is_there, end - 1, end)
    good, servers = lowered(gather.strings(buffer, begin, end))
    return ~is_there | (good & (buffer[end] == _CLOSED)), gather.null_where(servers, ~is_there)


def _stands(buffer: Bytes, places: Ints, text: bytes) -> Any:
    """Where these bytes stand."""
    last = len(buffer) - len(text)
    return gather.windows(buffer, len(text))[np.minimum(places, last)] == np.void(text)


def _are(words: pa.DictionaryArray, wanted: Any) -> Any:
    """Where a word is one that is wanted; each different one is looked at once."""
    is_wanted = np.array([bool(wanted(word)) for word in words.dictionary.to_pylist()], dtype=bool)
    if is_wanted.all():
        return np.True_
    return is_wanted[words.indices.to_numpy()]
