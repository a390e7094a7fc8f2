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

from evidence.formats.bind_columns import TYPES, dated, flag_columns
from evidence.reading import digits, gather
from evidence.reading.addresses import lowered
from evidence.table.schema import LOOKUPS, QUERY

if TYPE_CHECKING:
    from evidence.reading.gather import Bytes, Ints

    type Columns = dict[str, pa.Array]

_TIME, _MILLI_DIGITS = 24, 3  # bytes of a date with its time, and digits of its second
_LEAD = re.compile(rb" (?:queries: )?(?:info: )?client ")
_ASKED, _CLASS = b"): query: ", b" IN "
_HEX = gather.allowed(b"0123456789abcdef")
_OBJECT, _OBJECT_WORDS, _ADDRESS_WORDS, _NAME_WORDS = b"@0x", 3, 5, 8
_LONGEST_OBJECT = 8 * _OBJECT_WORDS
_BEYOND_ASCII = np.uint64(0x8080808080808080)
_FLAGS = re.compile(r"[+-][!-~]*")
_NEWLINE, _RETURN = 10, 13
_FEWEST = 63 / 64
"""Of so many lines at least all that is here has to be true; else the lines of a block are read in the other way."""


def read(buffer: Bytes, starts: Ints, stops: Ints) -> tuple[Ints, Columns] | None:
    """The numbers of the lines that are taken, and their columns; None if lines of other layouts are more than a few.

    Lines end with a newline, behind which `buffer` is padded.
    """
    lead = _LEAD.match(buffer[int(starts[0]) + _TIME :][: gather.PADDING].tobytes()) if len(starts) else None
    if lead is None:
        return None
    good = _stands(buffer, starts + _TIME, lead[0])
    if np.count_nonzero(good) < _FEWEST * len(good):
        return None
    lines = np.flatnonzero(good)
    parts = _Parts(buffer, starts[lines], stops[lines], _TIME + len(lead[0]))
    keep, columns = parts.read()
    return (lines[keep], columns) if len(keep) >= _FEWEST * len(good) else None


class _Parts:
    """Lines whose client, or an object before it, begins so many bytes from their start; `keep`: which are usual."""

    def __init__(self, buffer: Bytes, starts: Ints, stops: Ints, lead: int) -> None:
        self._buffer, self._starts, self._stops = buffer, starts, stops
        self.keep, self._micros = dated(buffer, starts)
        self._client = self._behind_object(starts + lead)

    def read(self) -> tuple[Ints, Columns]:
        """Which lines are usual throughout, and their columns."""
        buffer = self._buffer
        hashed = gather.ahead(buffer, self._client, ord("#"), _ADDRESS_WORDS)
        size = digits.leading(gather.words(buffer, hashed + 1))
        numbers, port = digits.numbers(buffer, hashed + 1, hashed + 1 + size)
        asked = hashed + size + 3
        self.keep &= numbers & (size <= 5) & (port <= 65535) & _stands(buffer, asked - 2, b" (")
        behind = gather.ahead(buffer, asked, ord(")"), _NAME_WORDS)
        name = behind + len(_ASKED)
        end = name + (behind - asked)
        self.keep &= _stands(buffer, behind, _ASKED) & (end < self._stops)
        end = np.minimum(end, self._stops)
        self.keep &= _stands(buffer, end, _CLASS)
        kind, flags, tail = self._words(end + len(_CLASS))
        has_server = self._has_server(tail)
        keep = np.flatnonzero(self.keep)
        spans = {"client": (self._client, hashed), "asked": (asked, behind), "name": (name, end)}
        server = np.where(has_server, tail + 2, tail), np.where(has_server, self._stops - 2, tail)
        return self._columns(keep, spans | {"server": server}, port, (kind, flags, has_server))

    def _behind_object(self, begin: Ints) -> Ints:
        """Where the client begins: behind the address of an object, if there is one."""
        is_object = self._buffer[begin] == _OBJECT[0]
        if not is_object.any():
            return begin
        end = gather.ahead(self._buffer, begin, ord(" "), _OBJECT_WORDS)
        digit = np.minimum(begin + len(_OBJECT), end)
        self.keep &= is_object & _stands(self._buffer, begin, _OBJECT) & (end > digit) & (end < begin + _LONGEST_OBJECT)
        self.keep &= gather.within(_HEX, self._buffer, digit, end)
        return end + 1

    def _words(self, begin: Ints) -> tuple[Any, Any, Ints]:
        """Type and flags, of at most seven bytes each, as words, and where the flags end."""
        end = gather.low_ahead(self._buffer, begin)
        tail = gather.low_ahead(self._buffer, end + 1)
        self.keep &= (end > begin) & (end < begin + gather.WORD) & (tail > end + 1) & (tail < end + 1 + gather.WORD)
        kind, flags = gather.short_words(self._buffer, begin, end), gather.short_words(self._buffer, end + 1, tail)
        self.keep &= (self._buffer[end] == ord(" ")) & ((kind | flags) & _BEYOND_ASCII == 0)
        return kind, flags, tail

    def _has_server(self, tail: Ints) -> Any:
        """Where a server's address stands in brackets up to the line's end; a line may end without one.

        That the flags end in their own line is asked for too: no part may reach into the next, whatever its bytes are.
        """
        buffer, stops = self._buffer, self._stops
        is_end = (buffer[tail] == _NEWLINE) & (tail == stops - 1)
        has_server = _stands(buffer, tail, b" (") & (buffer[stops - 2] == ord(")")) & (stops - tail > 4)
        self.keep &= (is_end | has_server) & (buffer[stops - 1] == _NEWLINE)
        return has_server & ~is_end

    def _columns(self, keep: Ints, spans: dict[str, Any], port: Ints, words: Any) -> tuple[Ints, Columns]:
        texts = {name: gather.strings(self._buffer, *(part[keep] for part in span)) for name, span in spans.items()}
        has_server = words[2][keep]
        (client_good, client), (server_good, server) = lowered(texts["client"]), lowered(texts["server"])
        good = client_good & (server_good | ~has_server) & _are_same(texts["asked"], texts["name"])
        kind, flags = gather.word_texts(words[0][keep]), gather.word_texts(words[1][keep])
        good &= _are(kind, TYPES.__contains__) & _are(flags, _FLAGS.fullmatch)
        named, names = gather.name_texts(texts["name"])
        if len(named) < len(good):
            is_named = np.zeros(len(good), dtype=bool)
            is_named[named] = True
            good &= is_named
        columns = {
            "time": pa.array(self._micros[keep], pa.int64()).view(LOOKUPS.field("time").type),
            "time_digits": gather.constant(_MILLI_DIGITS, len(keep), pa.int8()),
            "event": gather.one_text(QUERY, len(keep)), "client": client, "port": pa.array(port[keep], pa.int32()),
            "server": gather.null_where(server, ~has_server), "type": kind, "class": gather.one_text("IN", len(keep)),
            **flag_columns(flags, has_server),
        }  # fmt: skip
        if good.all():
            return keep, columns | names
        chosen = pa.array(np.flatnonzero(good))
        kept = {name: column.take(chosen) for name, column in columns.items()}
        return keep[good], kept | {
            name: column.take(pa.array(np.flatnonzero(good[named]))) for name, column in names.items()
        }


def _stands(buffer: Bytes, places: Ints, text: bytes) -> Any:
    """Where these bytes stand."""
    last = len(buffer) - len(text)
    return gather.windows(buffer, len(text))[np.minimum(places, last)] == np.void(text)


def _are_same(one: pa.Array, other: pa.Array) -> Any:
    """Where two texts of one size are the same."""
    offsets, characters = gather.parts(one)
    same, good = characters == gather.parts(other)[1], np.ones(len(one), dtype=bool)
    if not same.all():
        good[np.searchsorted(offsets, np.flatnonzero(~same), side="right") - 1] = False
    return good


def _are(words: pa.DictionaryArray, wanted: Any) -> Any:
    """Where a word is one that is wanted; each different one is looked at once."""
    is_wanted = np.array([bool(wanted(word)) for word in words.dictionary.to_pylist()], dtype=bool)
    if is_wanted.all():
        return np.True_
    return is_wanted[words.indices.to_numpy()]
