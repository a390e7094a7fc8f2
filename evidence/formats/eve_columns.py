"""EVE records as columns: what `eve.read_line` makes of them, without a loop over lines.

A line is taken only where each value has its usual form; all others are left to the reference, one by one. A property
test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.reading import digits, gather, swar
from evidence.reading.addresses import lowered
from evidence.reading.json_batches import Found, holds, of_other_kind, with_names
from evidence.reading.spellings import Spellings, spellings
from evidence.table.schema import LOOKUPS, RESPONSE

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.gather import Ints
    from evidence.reading.json_batches import Columns
    from evidence.reading.json_lines import Lines

_TEXT, _NUMBER = pa.string(), pa.int64()
_QUESTION = pa.struct({"rrname": _TEXT, "rrtype": _TEXT, "ttl": _NUMBER})
_SHAPED = {"soa": pa.struct({"mname": _TEXT}), "srv": pa.struct({"name": _TEXT})}
_RECORD = pa.struct({"rrname": _TEXT, "rrtype": _TEXT, "ttl": _NUMBER, "rdata": _TEXT, **_SHAPED})
_DNS = pa.struct(
    {"type": _TEXT, "rcode": _TEXT, "flags": _TEXT, "answers": pa.list_(_RECORD), "queries": pa.list_(_QUESTION)}
    | {"opcode": _NUMBER}
    | {field.name: field.type for field in _RECORD}
)
_KIND = pa.schema({"event_type": _TEXT})
_EVENT = pa.schema(
    {
        "event_type": _TEXT, "timestamp": _TEXT, "src_ip": _TEXT, "src_port": _NUMBER, "dest_ip": _TEXT,
        "dest_port": _NUMBER, "proto": _TEXT, "host": _TEXT, "dns": _DNS,
    }
)  # fmt: skip
_ANSWERS = LOOKUPS.field("answers").type
_STAMP, _ZONE, _DIGITS = 31, 5, 6  # `2026-11-24T22:13:33.621051+0000`, its zone, digits of the second
_LARGEST_PORT, _LARGEST_TTL = 65535, 2**32 - 1
_MINUTE = np.int64(digits.MINUTE)


@dataclass(frozen=True, slots=True)
class Words:
    """What the reference makes of a text: each spelling is asked for once. `zone` gives it with its minutes ahead."""

    event: Callable[[str], str | None]
    kind: Callable[[str], str | None]
    rcode: Callable[[str], str | None]
    flags: Callable[[str], str | None]
    transport: Callable[[str], str | None]
    zone: Callable[[str], tuple[str, int] | None]


def read(lines: Lines, words: Words) -> Found:
    """What is usual in the lines, and which of them tell of another event."""
    dns, others = lines.of_kind(b"event_type", b"dns")
    numbers, events = lines.parse(dns, _EVENT)
    kinds = [(numbers, events), *(lines.parse(other, _KIND) for other in others)]
    skipped = np.concatenate([of_other_kind(part, table["event_type"], "dns") for part, table in kinds])
    usual = _is_usual(events) & ~lines.is_odd[numbers]
    if not usual.all():
        numbers, events = numbers[usual], events.filter(pa.array(usual)).combine_chunks()
    if not len(numbers):
        return Found(numbers, {}, skipped, "other-event")
    chosen, columns = _Rows(events, words).read()
    return Found(numbers[chosen], columns, skipped, "other-event")


def _is_usual(events: pa.Table) -> Any:
    """Where the members stand that a record needs, one question, a time of the usual size, and no opcode but QUERY."""
    dns = _only(events["dns"])
    asked, opcode = pc.list_value_length(dns.field("queries")), dns.field("opcode")
    good = holds(pc.equal(events["event_type"], "dns"))
    good &= holds(pc.equal(pc.binary_length(events["timestamp"]), _STAMP))
    for column in (events["src_ip"], events["dest_ip"], dns.field("type")):
        if column.null_count:
            good &= holds(pc.is_valid(column))
    if asked.null_count < len(asked):
        good &= holds(pc.equal(pc.fill_null(asked, 1), 1))
    if opcode.null_count < len(opcode):
        good &= holds(pc.equal(pc.fill_null(opcode, 0), 0))
    return good


def _only(column: pa.ChunkedArray) -> pa.Array:
    """A column of a table whose chunks were combined."""
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


class _Rows:
    """The columns of records of usual events; `keep` says which are usual so far."""

    def __init__(self, events: pa.Table, words: Words) -> None:
        self._events = {name: _only(events[name]) for name in events.column_names}
        self._dns, self._words = self._events["dns"], words
        self._question = _question(self._dns)
        self.keep = ~holds(pc.and_(pc.is_valid(self._dns.field("queries")), pc.is_null(self._question["rrtype"])))

    def read(self) -> tuple[Ints, Columns]:
        """Which of the records are usual throughout, and the columns of these."""
        words = self._words
        event, kind, flags = (
            self._spelled(texts, read)
            for texts, read in (
                (self._dns.field("type"), words.event), (self._question["rrtype"], words.kind),
                (self._dns.field("flags"), words.flags),
            )
        )  # fmt: skip
        columns = self._time() | self._sides() | {
            "event": event.column(), "type": kind.column(), "flags": flags.column(),
            "rcode": self._rcode(event.is_(lambda word: word == RESPONSE)),
            "transport": spellings(self._events["proto"], words.transport).column(), "vantage": self._events["host"],
            "answers": self._answers(),
        }  # fmt: skip
        return with_names(columns, self._question["rrname"], self.keep)

    def _time(self) -> Columns:
        """Microseconds since 1970, and the zone that is stated."""
        _, characters = gather.parts(self._events["timestamp"])
        good, micros = digits.dated(characters, _STAMP)
        ends = swar.column(characters, _STAMP, _STAMP - swar.WORD)
        zone = spellings(gather.word_texts(ends >> np.uint64(8 * (swar.WORD - _ZONE))), self._words.zone)
        self.keep &= good & ~zone.is_wrong()
        stated = [value or ("", 0) for value in zone.values]
        ahead = Spellings(zone.numbers, zone.texts, [minutes for _, minutes in stated]).integers()
        return {
            "time": pa.array(micros - ahead * _MINUTE, pa.int64()).view(LOOKUPS.field("time").type),
            "time_digits": gather.constant(_DIGITS, len(micros), pa.int8()),
            "time_zone": Spellings(zone.numbers, zone.texts, [written for written, _ in stated]).column(),
        }

    def _spelled(self, texts: pa.Array, read: Callable[[str], str | None]) -> Spellings:
        """A column by its spellings; where a text is none that can stand there, the record is not usual."""
        found = spellings(texts, read)
        self.keep &= ~found.is_wrong()
        return found

    def _rcode(self, is_response: Any) -> pa.Array:
        """Response codes, of responses alone."""
        found = spellings(self._dns.field("rcode"), self._words.rcode)
        if is_response.all():
            return found.column()
        numbers = np.where(is_response, found.numbers, len(found.values))
        return Spellings(numbers, [*found.texts, None], [*found.values, None]).column()

    def _sides(self) -> Columns:
        """Client and server with their ports; in version 3 a response's sender is the server."""
        turned = pc.equal(self._dns.field("type"), "response")
        is_turned = pc.any(turned).as_py()
        columns = {}
        for one, other, name, port in (("src", "dest", "client", "port"), ("dest", "src", "server", "server_port")):
            for member in ("ip", "port"):
                mine, its = self._events[f"{one}_{member}"], self._events[f"{other}_{member}"]
                column = pc.if_else(turned, its, mine) if is_turned else mine
                if member == "ip":
                    good, columns[name] = lowered(column)
                    self.keep &= good
                else:
                    columns[port] = self._numbers(column, _LARGEST_PORT).cast(pa.int32(), safe=False)
        return columns

    def _numbers(self, column: pa.Array, largest: int) -> pa.Array:
        """A column of numbers; where one is negative or too large, the record is not usual."""
        ends = pc.min_max(column).as_py()
        if ends["min"] is not None and (ends["min"] < 0 or ends["max"] > largest):
            self.keep &= ~holds(_is_beyond(column, largest))
        return column

    def _answers(self) -> pa.Array:
        """The answers of each record; one of which a record has no plain name, TTL or data is not usual."""
        answers = _listed(self._dns)
        records, counts = answers.flatten(), pc.fill_null(pc.list_value_length(answers), 0).to_numpy()
        named, columns = gather.name_texts(records.field("rrname"))
        wrong = np.ones(len(records), dtype=bool)
        wrong[named] = False
        names = columns["name"]
        if len(named) < len(records):
            places = pa.array(np.cumsum(~wrong) - 1, mask=wrong)
            names = names.take(places)
        wrong |= gather.is_dotted(records.field("rrname"))
        wrong |= holds(_is_beyond(records.field("ttl"), _LARGEST_TTL))
        for shaped in _SHAPED:
            wrong |= holds(pc.and_(pc.is_null(records.field("rdata")), pc.is_valid(records.field(shaped))))
        if wrong.any():
            self.keep[np.repeat(np.arange(len(counts)), counts)[wrong]] = False
        kind = spellings(records.field("rrtype"), self._words.kind).column().cast(_TEXT)
        values = pa.StructArray.from_arrays(
            [names, kind, records.field("ttl"), records.field("rdata")], fields=list(_ANSWERS.value_type)
        )
        offsets = pa.array(np.concatenate(([0], np.cumsum(counts))), pa.int32())
        return pa.ListArray.from_arrays(offsets, values, type=_ANSWERS, mask=pa.array(counts == 0))


def _is_beyond(column: pa.Array, largest: int) -> pa.Array:
    return pc.or_(pc.less(column, 0), pc.greater(column, largest))


def _question(dns: pa.StructArray) -> Columns:
    """Name and type that were asked for: in version 3 within `queries`."""
    own, queries = {name: dns.field(name) for name in ("rrname", "rrtype")}, dns.field("queries")
    if queries.null_count == len(queries):
        return own
    listed, is_listed = pc.list_element(queries, 0), pc.is_valid(queries)
    return {name: pc.if_else(is_listed, listed.field(name), column) for name, column in own.items()}


def _listed(dns: pa.StructArray) -> pa.ListArray:
    """The records of the answer section; of version 1 the one that stands among the other members."""
    listed = dns.field("answers")
    is_own = pc.and_(pc.is_null(listed), pc.is_valid(dns.field("ttl")))
    if not pc.any(is_own).as_py():
        return listed
    members = [dns.field(field.name).filter(is_own) for field in _RECORD]
    counts = is_own.to_numpy(zero_copy_only=False)
    own = pa.ListArray.from_arrays(
        pa.array(np.concatenate(([0], np.cumsum(counts))), pa.int32()),
        pa.StructArray.from_arrays(members, fields=list(_RECORD)),
    )
    return own if listed.null_count == len(listed) else pc.if_else(is_own, own, listed)
