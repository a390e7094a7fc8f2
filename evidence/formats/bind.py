"""BIND 9 query logs (category `queries`), as `rndc querylog` and `print-time`, `-category`, `-severity` write them.

    04-May-2016 00:00:12.345 queries: info: client @0x7f 192.0.2.1#53124 (a.example): view v: query: a.example IN A +

`PATTERN` is the law: a line is a row if it matches. Lines of the usual layouts are checked as columns instead, which
accepts the same lines (a property test holds the two together); all others go to the pattern one by one.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.formats import gather
from evidence.formats.batch import REJECT, SKIP, Batch, Reject, rejects_table
from evidence.formats.lines import LONGEST_LINE
from evidence.table.schema import LOOKUPS

if TYPE_CHECKING:
    from evidence.formats.lines import Chunk

NOTES = ("The log states no time zone: its times are taken as UTC.",)
PATTERN = re.compile(
    rb"(?P<day>\d\d)-(?P<month>[A-Z][a-z]{2})-(?P<year>\d{4}) "
    rb"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)\.(?P<ms>\d{3}) "
    rb"(?:queries: )?(?:info: )?client (?:@0x[0-9a-f]+ )?(?P<client>[0-9A-Fa-f:.]+)#(?P<port>\d{1,5}) \([!-~]+\): "
    rb"(?:view (?P<view>[!-~]+): )?query: (?P<name>[!-~]+) (?P<class>[A-Z0-9]+) (?P<type>[A-Z0-9-]+) "
    rb"(?P<flags>[+-][!-~]*)(?: \([0-9A-Fa-f:.]+\))?(?: \[ECS [!-~]+\])?\r?\n?"
)
MONTHS = {name.encode(): number for number, name in enumerate(calendar.month_abbr) if name}
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
        return _all_rejected(chunk)
    buffer = gather.padded(chunk.data)
    newlines = np.flatnonzero(buffer[: chunk.size] == 10)
    stops = newlines + 1
    if not len(stops) or stops[-1] != chunk.size:
        stops = np.append(stops, chunk.size)
    starts = np.concatenate(([0], stops[:-1]))
    rows, slow = _columns(buffer, chunk, starts, stops)
    rejects: list[Reject] = []
    more: list[dict[str, Any]] = []
    for index in slow.tolist():
        _slow_line(chunk, int(starts[index]), int(stops[index]), chunk.line + index, more, rejects)
    if more:
        rows = pa.concat_tables([rows, pa.Table.from_pylist(more, schema=LOOKUPS)]).sort_by("start").combine_chunks()
    return Batch(rows, rejects_table(rejects), chunk.size)


def _all_rejected(chunk: Chunk) -> Batch:
    reject = Reject(chunk.line, chunk.start, chunk.start + chunk.size, REJECT, "too-long")
    return Batch(LOOKUPS.empty_table(), rejects_table([reject]), chunk.size)


def _slow_line(
    chunk: Chunk, start: int, stop: int, line: int, rows: list[dict[str, Any]], rejects: list[Reject]
) -> None:
    first, last = chunk.start + start, chunk.start + stop
    found = read_line(chunk.data[start:stop])
    if isinstance(found, dict):
        rows.append({"line": line, "start": first, "stop": last, **found})
    else:
        rejects.append(Reject(line, first, last, *found))


def read_line(text: bytes) -> dict[str, Any] | tuple[str, str]:
    """The reference: the values of a row, or why there is none (kind and reason)."""
    if len(text) > LONGEST_LINE:
        return REJECT, "too-long"
    if not text.strip(b" \t\r\n"):
        return SKIP, "blank"
    if text.startswith(b"#"):
        return SKIP, "comment"
    found = PATTERN.fullmatch(text)
    if not found:
        return REJECT, "binary" if b"\0" in text else "not-a-query-line"
    time = _time(found)
    if time is None or int(found["port"]) > 65535:
        return REJECT, "bad-time" if time is None else "bad-port"
    name = found["name"].decode().lower()
    if len(name) > 1 and name.endswith(".") and not name.endswith("\\."):
        name = name[:-1]
    view = found["view"]
    return {
        "time": time, "client": found["client"].decode().lower(), "port": int(found["port"]), "name": name,
        "type": found["type"].decode(), "class": found["class"].decode(), "view": view.decode() if view else None,
    }  # fmt: skip


def _time(found: re.Match[bytes]) -> dt.datetime | None:
    day, hour, minute, second, milli = (int(found[name]) for name in ("day", "hour", "minute", "second", "ms"))
    try:
        month = MONTHS[found["month"]]
        return dt.datetime(int(found["year"]), month, day, hour, minute, second, milli * 1000, dt.UTC)
    except (KeyError, ValueError):
        return None


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
    odd[np.searchsorted(stops, np.flatnonzero(body >= 127), side="right")] = True
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
    return pa.table({**spans, **columns}, schema=LOOKUPS)


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
        good &= (name[1] > name[0]) & gather.one_of(_CLASSES, buffer, *kind) & gather.one_of(_TYPES, buffer, *record)
        good &= (buffer[flags[0]] == 43) | (buffer[flags[0]] == 45)
        if server:
            begin, end = self.token(starts, first, here + 5)
            good &= (end - begin >= 3) & (buffer[begin] == 40) & (buffer[end - 1] == 41)
            good &= gather.only(_ADDRESS, buffer, begin + 1, end - 1, 40)
        name_end = self._without_final_dot(*name)
        keep = np.flatnonzero(good)
        columns = {
            "time": pa.array(time[keep], pa.int64()).view(LOOKUPS.field("time").type),
            "client": gather.strings(self.lower, client[0][keep], hashed[keep]),
            "port": pa.array(port[keep], pa.int32()),
            "name": gather.strings(self.lower, name[0][keep], name_end[keep]),
            "type": gather.strings(buffer, record[0][keep], record[1][keep]),
            "class": gather.strings(buffer, kind[0][keep], kind[1][keep]),
            "view": gather.strings(buffer, seen[0][keep], seen[1][keep] - 1)
            if seen
            else pa.nulls(len(keep), pa.string()),
        }
        return keep, columns

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

    def _without_final_dot(self, begin: Any, end: Any) -> Any:
        dot = (end - begin > 1) & (self.buffer[end - 1] == 46) & (self.buffer[np.maximum(end - 2, 0)] != 92)
        return end - dot


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
