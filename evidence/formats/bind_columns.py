"""Lines of BIND's usual layouts as columns: date or ISO 8601, with and without words, object address, view and server.

What is taken here has the values that `bind.read_line` gives it; all other lines are left to that. Tokens are what
stands between spaces; a line's layout says which of them is the client, the name and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.formats.bind_message import UTC, flag_words
from evidence.reading import digits, gather, swar
from evidence.reading.lines import LONGEST_LINE
from evidence.reading.stamps import MONTHS
from evidence.table.schema import LOOKUPS, QUERY

if TYPE_CHECKING:
    from evidence.reading.gather import Bytes, Ints

    type Columns = dict[str, pa.Array]
    type Span = tuple[Any, Any]

SHORTEST = 60  # bytes; no line with a time and all words is shorter
_FEWEST = 9  # tokens: ISO 8601, client, address, (name):, query:, name, class, type, flags
_ADDRESS = gather.allowed(b"0123456789abcdefABCDEF:.")
_HEX = gather.allowed(b"0123456789abcdef")
_CLASSES = gather.literals(b"IN", b"CH", b"HS", b"ANY")
TYPES = frozenset({
    "A", "AAAA", "MX", "TXT", "PTR", "SRV", "NS", "SOA", "CNAME", "ANY", "DS", "DNSKEY", "HTTPS", "SVCB", "TLSA", "CAA",
    "NAPTR", "SPF", "RRSIG", "NSEC", "NSEC3", "DNAME",
})  # fmt: skip
"""Types of the usual form; all others are left to the reference."""
_TYPES = gather.literals(*(name.encode() for name in sorted(TYPES)))
_CLIENT, _QUERIES, _INFO, _VIEW, _QUERY, _IN = gather.literals(
    b"client", b"queries:", b"info:", b"view", b"query:", b"IN"
)
_OBJECT = np.uint64(int.from_bytes(b"@0x", "little"))
_THREE = np.uint64(0xFFFFFF)
_MONTH_WORDS, _MONTH_NUMBERS = np.array(
    sorted((int.from_bytes(name, "little"), number) for name, number in MONTHS.items()), dtype=np.uint64
).T
_DAY, _YEAR, _HOUR, _MINUTE, _MILLI = map(digits.template, ("00-???-?", "??-0000 ", "???? 00:", "00:00.00", "?:00.000"))
TIME_WORDS, _MILLI_DIGITS = 3, 3
_ISO_SIZE = 23


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a chunk: where they begin and end, their first separator's number, and how many separators they have.

    Separators are the bytes up to 32; CR and LF at the end of a line are one. `is_odd` marks lines that no layout has.
    """

    buffer: Bytes
    separators: Ints
    starts: Ints
    stops: Ints
    first: Ints
    tokens: Ints
    is_odd: Any

    def select(self, lines: Ints) -> Lines:
        parts = (getattr(self, name)[lines] for name in ("starts", "stops", "first", "tokens", "is_odd"))
        return Lines(self.buffer, self.separators, *parts)

    def tokens_from(self, number: Any, count: int) -> list[Span]:
        """From where to where so many tokens of each line lie, from number `number` (1 or more) on."""
        place = self.first + number
        ends = [self.separators.take(place + n, mode="clip") for n in range(-1, count)]
        return [(ends[n] + 1, ends[n + 1]) for n in range(count)]

    def word(self, number: Any) -> Any:
        """A token of at most 8 bytes as `gather.literals` has it."""
        return gather.short_words(self.buffer, *self.tokens_from(number, 1)[0])


def lines_of(buffer: Bytes, size: int) -> Lines:
    """The lines of the first `size` bytes."""
    body = buffer[:size]
    low = np.flatnonzero(body <= 32)
    values = body[low]
    is_cr = values == 13
    if is_cr.any():  # the CR stands for both
        is_cr &= buffer[low + 1] == 10
        both = np.ones(len(low), dtype=bool)
        both[np.flatnonzero(is_cr) + 1] = False
        low, values, is_cr = low[both], values[both], is_cr[both]
    ends = np.flatnonzero((values == 10) | is_cr)
    stops, first = low[ends] + 1 + is_cr[ends], np.concatenate(([0], ends + 1))
    if size and body[-1] != 10:
        stops, first = np.append(stops, size), np.append(first, len(low))
    starts = np.concatenate(([0], stops[:-1])) if len(stops) else stops
    sizes = stops - starts
    is_odd = (sizes > LONGEST_LINE) | (sizes < SHORTEST) | (buffer[stops - 1] != 10)
    strange = (values != 32) & (values != 10) & ~is_cr
    if strange.any():
        is_odd[np.searchsorted(stops, low[strange], side="right")] = True
    if size and body.max() >= 127:
        is_odd[np.searchsorted(stops, np.flatnonzero(body >= 127), side="right")] = True
    return Lines(buffer, low, starts, stops, first[:-1], np.diff(first), is_odd)


def usual(lines: Lines) -> tuple[Ints, Columns]:
    """The numbers of the lines that are taken, and their columns."""
    candidates = np.flatnonzero(~lines.is_odd & (lines.tokens >= _FEWEST))
    if not len(candidates):
        return candidates, {}
    found, layout = _layouts(lines.select(candidates))
    candidates = candidates[found]
    keep, columns = _read(lines.select(candidates), layout) if len(candidates) else (candidates, {})
    return candidates[keep], columns


@dataclass(frozen=True, slots=True)
class Layout:
    """The number of each line's token, and whether it has those that not every line has."""

    is_iso: Any
    has_object: Any
    has_view: Any
    has_server: Any
    client: Ints
    query: Ints

    def select(self, lines: Ints) -> Layout:
        return Layout(*(getattr(self, name)[lines] for name in Layout.__slots__))


def _layouts(lines: Lines) -> tuple[Ints, Layout]:
    """Which lines have a layout, and theirs."""
    is_iso = lines.buffer[lines.starts + 4] == ord("-")
    lead = np.where(is_iso, 1, 2)
    one, two, three = (gather.short_words(lines.buffer, *span) for span in lines.tokens_from(lead, 3))
    words = np.select(
        [
            one == _CLIENT, ((one == _INFO) | (one == _QUERIES)) & (two == _CLIENT),
            (one == _QUERIES) & (two == _INFO) & (three == _CLIENT),
        ],
        [0, 1, 2], -1,
    )  # fmt: skip
    has_object = lines.buffer[lines.tokens_from(lead + words + 1, 1)[0][0]] == ord("@")
    client = lead + words + 1 + has_object
    has_view = lines.word(client + 2) == _VIEW
    query = client + 2 + 2 * has_view
    server = lines.tokens - query - 5
    found = (words >= 0) & ((server == 0) | (server == 1)) & (lines.word(query) == _QUERY)
    layout = Layout(is_iso, has_object, has_view, server == 1, client, query)
    chosen = np.flatnonzero(found)
    return chosen, layout if len(chosen) == len(found) else layout.select(chosen)


def _read(lines: Lines, layout: Layout) -> tuple[Ints, Columns]:
    """Which of the lines are good, and the columns of these."""
    buffer = lines.buffer
    good, micros, zone = _times(lines, layout.is_iso)
    good &= _objects(lines, layout)
    client, asked = lines.tokens_from(layout.client, 2)
    client_good, client, port = _client(buffer, *client)
    good &= client_good & (asked[1] - asked[0] >= 4) & (buffer[asked[0]] == ord("("))
    good &= (buffer[asked[1] - 2] == ord(")")) & (buffer[asked[1] - 1] == ord(":"))
    seen, _, name, kind, record, flags, server = lines.tokens_from(layout.query - 1, 7)
    kinds = gather.short_words(buffer, *kind)
    good &= np.isin(kinds, _CLASSES) & np.isin(gather.short_words(buffer, *record), _TYPES)
    good &= (buffer[flags[0]] == ord("+")) | (buffer[flags[0]] == ord("-"))
    view_good, view = _wrapped(buffer, seen, layout.has_view, b":")
    server_good, server = _wrapped(buffer, server, layout.has_server, b"()")
    keep = np.flatnonzero(good & view_good & server_good)
    for address in (client, server):
        keep = keep[gather.within(_ADDRESS, buffer, *_at(address, keep))]
    named, columns = gather.names(buffer, *_at(name, keep))
    keep = keep[named]
    return keep, columns | {
        "time": pa.array(micros[keep], pa.int64()).view(LOOKUPS.field("time").type),
        "time_digits": gather.constant(_MILLI_DIGITS, len(keep), pa.int8()),
        "time_zone": _zones(gather.stated(buffer, *_at(zone, keep))),
        "event": gather.one_text(QUERY, len(keep)),
        "client": gather.lowered(buffer, *_at(client, keep)),
        "port": pa.array(port[keep], pa.int32()),
        "server": gather.stated(buffer, *_at(server, keep), small=True),
        "type": gather.few(buffer, *_at(record, keep)),
        "class": _classes(buffer, _at(kind, keep), kinds[keep]),
        "view": gather.stated(buffer, *_at(view, keep)),
        **flag_columns(gather.few(buffer, *_at(flags, keep)), layout.has_server[keep]),
    }


def _zones(written: pa.Array) -> pa.Array:
    if written.null_count == len(written):
        return written
    return pc.if_else(pc.is_in(written, pa.array(UTC)), "UTC", written)


def _at(span: Span, keep: Ints) -> Span:
    return (span[0][keep], span[1][keep]) if len(keep) < len(span[0]) else span


def _classes(buffer: Bytes, span: Span, kinds: Any) -> pa.Array:
    """Nearly all of them are IN."""
    is_usual = bool((kinds == _IN).all())
    return gather.one_text("IN", len(kinds)) if is_usual else gather.few(buffer, *span)


def _wrapped(buffer: Bytes, span: Span, is_there: Any, marks: bytes) -> tuple[Any, Span]:
    """Where a token that is there stands within its marks, and what lies in between: nothing where it is not there."""
    begin, end = span[0], np.where(is_there, span[1], span[0])
    good = ~is_there | ((end - begin > len(marks)) & (buffer[end - 1] == marks[-1]))
    if len(marks) == 1:
        return good, (begin, end - is_there)
    return good & (~is_there | (buffer[begin] == marks[0])), (begin + is_there, end - is_there)


def _objects(lines: Lines, layout: Layout) -> Any:
    """Where an object's address is none or good."""
    good = np.ones(len(lines.starts), dtype=bool)
    there = np.flatnonzero(layout.has_object)
    if len(there):
        begin, end = lines.select(there).tokens_from(layout.client[there] - 1, 1)[0]
        prefix = (gather.words(lines.buffer, begin) & _THREE) == _OBJECT
        long = end - begin > 3
        good[there] = prefix & long & gather.within(_HEX, lines.buffer, np.minimum(begin + 3, end), end)
    return good


def _client(buffer: Bytes, begin: Any, end: Any) -> tuple[Any, Span, Any]:
    """Whether `address#port` stands there, where the address lies, and the port."""
    word = gather.words(buffer, np.maximum(end - 8, 0))
    size = np.zeros(len(begin), dtype=np.int64)
    for count in (5, 4, 3, 2, 1):
        size[(word >> np.uint64(8 * (7 - count))) & np.uint64(0xFF) == ord("#")] = count
    hashed = end - size - 1
    good, port = digits.numbers(buffer, hashed + 1, end)
    good &= (size >= 1) & (hashed > begin) & (port <= 65535)
    return good, (begin, np.maximum(hashed, begin)), port


def flag_columns(written: pa.Array, has_server: Any) -> Columns:
    """Few lines differ in their flags: each spelling is put into words once, with and without a server's address."""
    encoded = written if pa.types.is_dictionary(written.type) else written.dictionary_encode()
    each, places = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    words = [flag_words(text, has_server=known) for known in (True, False) for text in each]
    if not has_server.all():
        places = places + len(each) * ~has_server
    return {
        name: gather.chosen_words([word[place] for word in words], places)
        for place, name in enumerate(("flags", "transport"))
    }


def _times(lines: Lines, is_iso: Any) -> tuple[Any, Any, Span]:
    """Where a line begins with a good time, its microseconds since 1970, and where its zone stands, if it does."""
    good, micros = dated(*gather.word_columns(lines.buffer, lines.starts, TIME_WORDS))
    good &= lines.buffer[lines.starts + swar.WORD * TIME_WORDS] == ord(" ")
    none = lines.starts, lines.starts
    if not is_iso.any():
        return good, micros, none
    end = lines.separators[lines.first]
    zone = lines.starts + _ISO_SIZE
    found = digits.times(lines.buffer, lines.starts, end)
    iso = found.good & (found.digits == _MILLI_DIGITS) & (lines.buffer[lines.starts + 10] == ord("T"))
    iso &= lines.buffer[lines.starts + 4] == ord("-")
    there = np.where(is_iso, zone, lines.starts), np.where(is_iso, np.maximum(end, zone), lines.starts)
    return np.where(is_iso, iso, good), np.where(is_iso, found.micros, micros), there


def dated(date: Any, middle: Any, end: Any) -> tuple[Any, Any]:
    """Where three words are a time, as `04-May-2016 00:00:12.345`, and its microseconds since 1970."""
    (two, clock), (three, minute), (four, milli) = (
        _HOUR.read(_across(date, middle, 7)), _MINUTE.read(_across(middle, end, 7)), _MILLI.read(end)
    )  # fmt: skip
    exists, days = digits.seldom(_days, date, _across(date, middle, 4))
    minutes, ends = digits.pairs(minute), digits.pairs(milli)
    hours = digits.pair(digits.pairs(clock), 5)
    minutes_past, seconds = digits.pair(minutes, 0), digits.pair(minutes, 3)
    good = two & three & four & exists & (hours < 24) & (minutes_past < 60) & (seconds < 60)
    thousandths = digits.pair(ends, 5) * 10 + ((milli >> np.uint64(56)) & np.uint64(0xFF)).astype(np.int64)
    return good, ((days * 24 + hours) * 60 + minutes_past) * digits.MINUTE + (seconds * 1000 + thousandths) * 1000


def _across(first: Any, second: Any, place: int) -> Any:
    """The word that begins at a place of a first one and goes on in the next."""
    return (first >> np.uint64(8 * place)) | (second << np.uint64(64 - 8 * place))


def _days(first: Any, second: Any) -> tuple[Any, Any]:
    """Where there is such a day, and how many days it is from 1970: of `04-May-2` and `ay-2016 `."""
    (one, day), (two, year) = _DAY.read(first), _YEAR.read(second)
    years = digits.pairs(year)
    month = (first >> np.uint64(24)) & _THREE
    place = np.minimum(np.searchsorted(_MONTH_WORDS, month), len(_MONTH_WORDS) - 1)
    exists, days = digits.days(
        digits.pair(years, 3) * 100 + digits.pair(years, 5), _MONTH_NUMBERS[place].astype(np.int64),
        digits.pair(digits.pairs(day), 0),
    )  # fmt: skip
    return exists & one & two & (_MONTH_WORDS[place] == month), days
