"""BIND 9 query logs (category `queries`), in all variants of `print-time`, `print-category` and `print-severity`.

    04-May-2016 00:00:12.345 queries: info: client @0x7f 192.0.2.1#53124 (a.example): view v: query: a.example IN A +

`PATTERN` is the law: a line is a row if it matches. Lines of the usual layouts are checked as columns instead, which
accepts the same lines (a property test holds the two together); all others go to the pattern one by one. The grammar
is that of BIND 9.9 to 9.20 (`lib/ns/query.c`, `lib/ns/client.c`, `lib/isc/log.c`).
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.formats import gather
from evidence.formats.batch import REJECT, Batch, Reject, rejects_table
from evidence.formats.bind_message import LEAD, MESSAGE, TIME, flag_words, query_row, time_of
from evidence.formats.lines import LONGEST_LINE, chunks
from evidence.formats.reading import Format, Reading, guess_lines, in_order, plain_line, refuse_parameters, too_long
from evidence.formats.stamps import MONTHS
from evidence.table.schema import LOOKUPS, QUERY, complete

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evidence.formats.lines import Chunk
    from evidence.formats.reading import NoRow, Row
    from evidence.formats.source import Source

PROCEDURE, TITLE = "parse.bind@2", "a BIND query log"
PATTERN = re.compile(TIME + LEAD + MESSAGE + rb"\r?\n?")
SHORT_NAME = 63  # octets: a name so short has no label that is too long
_ADDRESS = gather.allowed(b"0123456789abcdefABCDEF:.")
_CLASSES = gather.literals(b"IN", b"CH", b"HS", b"ANY")
_TYPES = gather.literals(
    b"A", b"AAAA", b"MX", b"TXT", b"PTR", b"SRV", b"NS", b"SOA", b"CNAME", b"ANY", b"DS", b"DNSKEY", b"HTTPS", b"SVCB",
    b"TLSA", b"CAA", b"NAPTR", b"SPF", b"RRSIG", b"NSEC", b"NSEC3", b"DNAME",
)  # fmt: skip
_HEX = gather.allowed(b"0123456789abcdef")
_MONTH_WORDS = np.array([int.from_bytes(name, "little") for name in MONTHS], dtype=np.uint64)
_MONTH_ORDER = np.argsort(_MONTH_WORDS)
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_DIGITS = [0, 1, 7, 8, 9, 10, 12, 13, 15, 16, 18, 19, 21, 22, 23]
_MARKS = {2: 45, 6: 45, 11: 32, 14: 58, 17: 58, 20: 46}
# Layouts by the words before `client`, an object's address, a view, a server's address.
LAYOUTS = [
    (words, at, view, server)
    for words in ((), (b"queries:", b"info:"), (b"queries:",), (b"info:",))
    for at in (True, False)
    for view in (False, True)
    for server in (True, False)
]


def read_chunk(chunk: Chunk) -> Batch:
    """Rows and rejects of whole lines."""
    if chunk.too_long:
        return too_long(chunk, LOOKUPS)
    buffer = gather.padded(chunk.data)
    newlines = np.flatnonzero(buffer[: chunk.size] == 10)
    stops = newlines + 1
    if not len(stops) or stops[-1] != chunk.size:
        stops = np.append(stops, chunk.size)
    starts = np.concatenate(([0], stops[:-1]))
    rows, slow = _columns(buffer, chunk, starts, stops)
    rejects: list[Reject] = []
    more: list[Row] = []
    for index in slow.tolist():
        _slow_line(chunk, int(starts[index]), int(stops[index]), chunk.line + index, more, rejects)
    if more:
        rows = pa.concat_tables([rows, pa.Table.from_pylist(more, schema=LOOKUPS)]).sort_by("start").combine_chunks()
    return Batch(rows, rejects_table(rejects), chunk.size)


def _slow_line(chunk: Chunk, start: int, stop: int, line: int, rows: list[Row], rejects: list[Reject]) -> None:
    first, last = chunk.start + start, chunk.start + stop
    text = chunk.data[start:stop]
    found = read_line(text)
    if isinstance(found, dict):
        rows.append({"line": line, "start": first, "stop": last, **found})
    else:
        rejects.append(Reject(line, first, last, *found, head=text))


def read_line(text: bytes) -> Row | NoRow:
    """The reference: the values of a row, or why there is none (kind and reason)."""
    plain = plain_line(text)
    if plain:
        return plain
    found = PATTERN.fullmatch(text)
    if not found:
        return REJECT, "binary" if b"\0" in text else "not-a-query-line"
    times = time_of(found)
    if times is None:
        return REJECT, "bad-time"
    row = query_row(found)
    return {**times, **row} if isinstance(row, dict) else row


def _columns(buffer: gather.Bytes, chunk: Chunk, starts: Any, stops: Any) -> tuple[pa.Table, Any]:
    """Lines of the usual layouts as a table, and the numbers of all other lines."""
    body = buffer[: chunk.size]
    low = np.flatnonzero(body <= 32)
    values = body[low]
    cr = (values == 13) & (buffer[low + 1] == 10)
    low, values = low[~cr], values[~cr]
    first = np.searchsorted(low, starts)
    tokens = np.searchsorted(low, stops) - first  # each line's separators, its newline included
    odd = np.zeros(len(starts), dtype=bool)
    odd[np.searchsorted(stops, low[(values != 32) & (values != 10)], side="right")] = True
    odd[np.searchsorted(stops, np.flatnonzero((body >= 127) | (body == 92)), side="right")] = True
    dots = np.flatnonzero(body == 46)
    odd[np.searchsorted(stops, dots[buffer[dots + 1] == 46], side="right")] = True  # an empty label
    if chunk.size and body[-1] != 10:
        odd[-1] = True  # the file's last line without a newline has one separator less
    sizes = stops - starts
    odd |= (sizes > LONGEST_LINE) | (sizes < 60)
    left = np.flatnonzero(~odd)
    context = _Context(buffer, low)
    taken, parts = [], []
    for layout in LAYOUTS:
        words, at, view, server = layout
        count = 9 + len(words) + at + 2 * view + server + 1
        candidates = left[tokens[left] == count]
        candidates = candidates[context.has_words(layout, starts[candidates], first[candidates])]
        if not len(candidates):
            continue
        good, columns = context.read(layout, starts[candidates], first[candidates])
        chosen = candidates[good]
        taken.append(chosen)
        parts.append(_table(columns, chosen, chunk, starts, stops))
        left = left[~np.isin(left, chosen, assume_unique=True)] if len(chosen) else left
    rows = pa.concat_tables(parts).combine_chunks() if parts else LOOKUPS.empty_table()
    done = np.concatenate(taken) if taken else np.array([], dtype=np.int64)
    if len(taken) > 1:
        rows = rows.sort_by("start").combine_chunks()
    rest = np.ones(len(starts), dtype=bool)
    rest[done] = False
    return rows, np.flatnonzero(rest)


def _table(columns: dict[str, pa.Array], chosen: Any, chunk: Chunk, starts: Any, stops: Any) -> pa.Table:
    spans = {
        "line": pa.array(chosen + chunk.line, pa.int64()),
        "start": pa.array(starts[chosen] + chunk.start, pa.int64()),
        "stop": pa.array(stops[chosen] + chunk.start, pa.int64()),
    }
    return complete(spans | columns, len(chosen), LOOKUPS)


class _Context:
    """A chunk's bytes and separators, and what is counted in them once for all layouts."""

    def __init__(self, buffer: gather.Bytes, separators: Any) -> None:
        self.buffer = buffer
        self.separators = separators
        self.lower = gather.lower(buffer)
        self.hashes = np.flatnonzero(buffer == 35)

    def token(self, starts: Any, first: Any, number: int) -> tuple[Any, Any]:
        begin = starts if number == 0 else self.separators[first + number - 1] + 1
        return begin, self.separators[first + number]

    def has_words(self, layout: Any, starts: Any, first: Any) -> Any:
        """Which of the candidates have the words of this layout in their places: most layouts end here."""
        words, at, view, _ = layout
        here = 2 + len(words)
        places = {here: b"client", here + 3 + at + 2 * view: b"query:"}
        places |= {2 + n: word for n, word in enumerate(words)} | ({here + 3 + at: b"view"} if view else {})
        good = np.ones(len(starts), dtype=bool)
        for place, word in sorted(places.items()):
            good &= gather.equals(self.buffer, *self.token(starts, first, place), word)
            if not good.any():
                break
        return good

    def read(self, layout: Any, starts: Any, first: Any) -> tuple[Any, dict[str, pa.Array]]:
        """Which of the candidates have this layout, and the columns of these."""
        words, at, view, server = layout
        buffer, here = self.buffer, 3 + len(words)
        good, time = _times(buffer, starts)
        if at:
            good &= self._object_address(*self.token(starts, first, here))
            here += 1
        client = self.token(starts, first, here)
        client_good, hashed, port = self._client(*client)
        good &= client_good
        asked = self.token(starts, first, here + 1)
        good &= (asked[1] - asked[0] >= 4) & (buffer[asked[0]] == 40) & (buffer[asked[1] - 2] == 41)
        good &= buffer[asked[1] - 1] == 58
        here += 2
        seen = None
        if view:
            seen = self.token(starts, first, here + 1)
            good &= (seen[1] - seen[0] >= 2) & (buffer[seen[1] - 1] == 58)
            here += 2
        name, kind, record, flags = (self.token(starts, first, here + n) for n in (1, 2, 3, 4))
        good &= gather.one_of(_CLASSES, buffer, *kind) & gather.one_of(_TYPES, buffer, *record)
        good &= (name[1] > name[0]) & (name[1] - name[0] <= SHORT_NAME)
        good &= (buffer[name[0]] != 46) | (name[1] - name[0] == 1)
        good &= (buffer[flags[0]] == 43) | (buffer[flags[0]] == 45)
        answering = None
        if server:
            begin, end = self.token(starts, first, here + 5)
            good &= (end - begin >= 3) & (buffer[begin] == 40) & (buffer[end - 1] == 41)
            good &= gather.only(_ADDRESS, buffer, begin + 1, end - 1, 40)
            answering = begin + 1, end - 1
        keep = np.flatnonzero(good)
        columns = {
            "time": pa.array(time[keep], pa.int64()).view(LOOKUPS.field("time").type),
            "time_digits": gather.constant(3, len(keep), pa.int8()),
            "event": gather.constant(QUERY, len(keep), pa.string()),
            "client": gather.strings(self.lower, client[0][keep], hashed[keep]),
            "port": pa.array(port[keep], pa.int32()),
            "type": gather.strings(buffer, record[0][keep], record[1][keep]),
            "class": gather.strings(buffer, kind[0][keep], kind[1][keep]),
            **self._names(name[0][keep], name[1][keep]),
            **_flags(gather.strings(buffer, flags[0][keep], flags[1][keep])),
        }
        if answering:
            columns["server"] = gather.strings(self.lower, answering[0][keep], answering[1][keep])
        if seen:
            columns["view"] = gather.strings(buffer, seen[0][keep], seen[1][keep] - 1)
        return keep, columns

    def _names(self, begin: Any, end: Any) -> dict[str, pa.Array]:
        final_dot = (end - begin > 1) & (self.buffer[np.maximum(end - 1, 0)] == 46)
        written, name = gather.strings(self.buffer, begin, end), gather.strings(self.lower, begin, end - final_dot)
        differs = pc.not_equal(written, name)
        return {"name": name, "name_as_written": pc.if_else(differs, written, pa.scalar(None, pa.string()))}

    def _object_address(self, begin: Any, end: Any) -> Any:
        prefix = (gather.words(self.buffer, begin) & np.uint64(0xFFFFFF)) == np.uint64(int.from_bytes(b"@0x", "little"))
        hexadecimal = gather.only(_HEX, self.buffer, begin + 3, end, 16)
        return prefix & (end - begin > 3) & hexadecimal

    def _client(self, begin: Any, end: Any) -> tuple[Any, Any, Any]:
        """Whether `address#port` stands there, where the address ends, and the port."""
        if not len(self.hashes):
            return np.zeros(len(begin), dtype=bool), begin, begin
        place = np.searchsorted(self.hashes, end) - 1
        hashed = self.hashes[np.maximum(place, 0)]
        digits = end - hashed - 1
        good = (place >= 0) & (hashed > begin) & (digits >= 1) & (digits <= 5)
        hashed = np.where(good, hashed, begin)
        good &= gather.only(_ADDRESS, self.buffer, begin, hashed, 40)
        port = np.zeros(len(begin), dtype=np.int64)
        for place_value in range(5):
            inside = digits > place_value
            digit = self.buffer[np.maximum(end - 1 - place_value, 0)].astype(np.int64) - 48
            good &= ~inside | ((digit >= 0) & (digit <= 9))
            port += np.where(inside, digit * 10**place_value, 0)
        return good & (port <= 65535), hashed, port


def _flags(written: pa.Array) -> dict[str, pa.Array]:
    """Few lines differ in their flags: each spelling is put into words once."""
    encoded = written.dictionary_encode()
    words = [flag_words(text) for text in encoded.dictionary.to_pylist()]
    return {
        name: pa.array([word[place] for word in words], pa.string()).take(encoded.indices)
        for place, name in enumerate(("flags", "transport"))
    }


def _times(buffer: gather.Bytes, starts: Any) -> tuple[Any, Any]:
    """Where a line begins with a good time, and the times in microseconds since 1970."""
    window = np.lib.stride_tricks.sliding_window_view(buffer, 25)[starts]
    good = window[:, 24] == 32
    for place, mark in _MARKS.items():
        good &= window[:, place] == mark
    digits = window[:, _DIGITS].astype(np.int32) - 48
    good &= ((digits >= 0) & (digits <= 9)).all(axis=1)
    day = digits[:, 0] * 10 + digits[:, 1]
    year = digits[:, 2] * 1000 + digits[:, 3] * 100 + digits[:, 4] * 10 + digits[:, 5]
    hour, minute = digits[:, 6] * 10 + digits[:, 7], digits[:, 8] * 10 + digits[:, 9]
    second = digits[:, 10] * 10 + digits[:, 11]
    milli = digits[:, 12] * 100 + digits[:, 13] * 10 + digits[:, 14]
    month, known = _months(buffer, starts)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    longest = _DAYS[month] + ((month == 2) & leap)
    good &= known & (year >= 1) & (day >= 1) & (day <= longest) & (hour < 24) & (minute < 60) & (second < 60)
    seconds = _days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
    return good, seconds * 1_000_000 + milli * 1000


def _months(buffer: gather.Bytes, starts: Any) -> tuple[Any, Any]:
    word = gather.words(buffer, starts + 3) & np.uint64(0xFFFFFF)
    ordered = _MONTH_WORDS[_MONTH_ORDER]
    place = np.minimum(np.searchsorted(ordered, word), 11)
    return _MONTH_ORDER[place] + 1, ordered[place] == word


def _days_from_civil(year: Any, month: Any, day: Any) -> Any:
    """Days since 1970-01-01 in the proleptic Gregorian calendar, counting years from March."""
    shifted = year.astype(np.int64) - (month <= 2)
    era, of_era = shifted // 400, shifted % 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _read(source: Source, parameters: Mapping[str, Any]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, set())
    return Reading(LOOKUPS, in_order(chunks(source), read_chunk))


FORMAT = Format(PROCEDURE, TITLE, functools.partial(guess_lines, read_line, TITLE, 0.2), _read, has_zone=False)
