"""EVE records of usual shapes as columns: what `eve.read_line` makes of them, without a loop over lines.

A group of lines is taken only if every member that is read has its type, and a line only where each value has its usual
form; all others are left to the reference, one by one. A property test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.reading import gather
from evidence.reading.json_shapes import NUMBER, TEXT, Lines
from evidence.table.schema import LOOKUPS, RESPONSE, complete

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.json_shapes import Group, Path, Token
    from evidence.reading.lines import Chunk

_ADDRESS = gather.allowed(b"0123456789abcdefABCDEF:.")
_HEX = gather.allowed(b"0123456789abcdefABCDEF")
_LONGEST_NAME = 63
_TEXTS: tuple[Path, ...] = (("timestamp",), ("src_ip",), ("dest_ip",), ("dns", "type"))
_OTHERS: dict[Path, str] = {
    ("src_port",): NUMBER, ("dest_port",): NUMBER, ("proto",): TEXT, ("host",): TEXT, ("dns", "rcode"): TEXT,
    ("dns", "flags"): TEXT, ("dns", "ttl"): NUMBER,
}  # fmt: skip
_READ = ("type", "rrname", "rrtype", "rcode", "flags", "ttl", "rdata", "soa", "srv")
_STAMP = 31  # `2026-11-24T22:13:33.621051+0000`
_MARKS = {4: 45, 7: 45, 10: 84, 13: 58, 16: 58, 19: 46}
_PLACES = [place for place in range(26) if place not in _MARKS] + [27, 28, 29, 30]


@dataclass(frozen=True, slots=True)
class Words:
    """What the reference makes of a text: each spelling is asked for once."""

    event: Callable[[str], str | None]
    kind: Callable[[str], str | None]
    rcode: Callable[[str], str | None]
    flags: Callable[[str], str | None]
    transport: Callable[[str], str | None]
    zone: Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Found:
    """Tables of usual lines, the numbers of those that tell of another event, and of those that are left."""

    tables: list[pa.Table]
    other_events: Any
    left: Any
    lines: Lines


def read(run: Chunk, words: Words) -> Found:
    """What is usual in the run."""
    lines = Lines(run.data)
    tables, rest = [], np.ones(len(lines.starts), dtype=bool)
    others = [np.empty(0, dtype=np.int64)]
    for group in lines.groups():
        if group.shape.kinds().get(("event_type",)) == TEXT:
            others.append(group.lines[~gather.equals(lines.buffer, *group.tokens[("event_type",)], b"dns")])
        if not _is_usual(group):
            continue
        taken, columns = _Rows(lines, group, words).read()
        spans = {
            "line": pa.array(taken + run.line, pa.int64()),
            "start": pa.array(lines.starts[taken] + run.start, pa.int64()),
            "stop": pa.array(lines.stops[taken] + run.start, pa.int64()),
        }  # fmt: skip
        tables.append(complete(spans | columns, len(taken), LOOKUPS))
        rest[taken] = False
    other_events = np.concatenate(others)
    rest[other_events] = False
    return Found(tables, other_events, np.flatnonzero(rest), lines)


def _question(kinds: dict[Path, str]) -> Path:
    """Where the question's name and type stand: in version 3 within `queries`."""
    return ("dns", "queries", 0) if ("dns", "queries", 0, "rrname") in kinds else ("dns",)


def _answers(kinds: dict[Path, str]) -> list[Path]:
    """The records of the answer section; of version 1 the one that stands among the other members."""
    number = len({path[2] for path in kinds if path[:2] == ("dns", "answers") and len(path) > 2})
    return [("dns", "answers", at) for at in range(number)] or ([("dns",)] if ("dns", "ttl") in kinds else [])


def _is_usual(group: Group) -> bool:
    """Whether all members that are read are there and of their type, one question, and answers with plain data."""
    kinds, question = group.shape.kinds(), _question(group.shape.kinds())
    wanted = dict.fromkeys((("event_type",), *_TEXTS, (*question, "rrname"), (*question, "rrtype")), TEXT)
    for record in _answers(kinds):
        wanted |= {(*record, "rrname"): TEXT, (*record, "rrtype"): TEXT, (*record, "ttl"): NUMBER}
    allowed = wanted | _OTHERS | {(*record, "rdata"): TEXT for record in _answers(kinds)}
    found = [*kinds.items(), *((path, "") for path in group.shape.fixed)]
    return all(kinds.get(path) == kind for path, kind in wanted.items()) and not any(
        (_is_read(path) and allowed.get(path) != kind) or any(path[:size] in allowed for size in range(1, len(path)))
        for path, kind in found
    )


def _is_read(path: Path) -> bool:
    """Whether the reference looks at what stands there; of objects that stand in place of data it does, too."""
    if path[0] != "dns" or len(path) == 1:
        return path[0] in ("event_type", "dns") or path in _OTHERS or path in _TEXTS
    if path[1] in ("answers", "queries"):
        return len(path) < 4 or path[3] in _READ
    return path[1] in _READ


class _Rows:
    """The values of a group; `keep` says which lines are usual so far."""

    def __init__(self, lines: Lines, group: Group, words: Words) -> None:
        self._lines, self._group, self._words = lines, group, words
        self._buffer, self._lower = lines.buffer, lines.lower
        self._kinds = group.shape.kinds()
        self.keep = np.ones(len(group.lines), dtype=bool)

    def read(self) -> tuple[Any, dict[str, pa.Array]]:
        """Numbers of the lines that are usual throughout, and their columns."""
        words, question = self._words, _question(self._kinds)
        self.keep &= gather.equals(self._buffer, *self._token("event_type"), b"dns")
        time, zones = self._time()
        event, turned = self._event()
        addresses, ports = self._sides(turned=turned)
        self._check_name((*question, "rrname"))
        kind = self._worded((*question, "rrtype"), words.kind, may_be_none=False)
        flags = self._worded(("dns", "flags"), words.flags, may_be_none=False)
        rcode = self._worded(("dns", "rcode"), words.rcode) if event == RESPONSE else None
        transport = self._worded(("proto",), words.transport)
        chosen, answers = self._records()
        columns = {
            "time": pa.array(time[chosen], pa.int64()).view(LOOKUPS.field("time").type),
            "time_digits": gather.constant(6, len(chosen), pa.int8()), "time_zone": zones.take(pa.array(chosen)),
            "event": gather.constant(event, len(chosen), pa.string()),
            **{name: self._strings(path, chosen, self._lower) for name, path in addresses.items()},
            **{name: pa.array(numbers[chosen], pa.int32()) for name, numbers in ports.items()},
            **self._names((*question, "rrname"), chosen),
            **{
                name: found.take(pa.array(chosen))
                for name, found in (("type", kind), ("rcode", rcode), ("transport", transport)) if found is not None
            },
        }  # fmt: skip
        if flags is not None:
            written = flags.take(pa.array(chosen))
            columns["flags"] = pc.if_else(pc.equal(written, ""), pa.scalar(None, pa.string()), written)
        if answers is not None:
            columns["answers"] = answers
        if ("host",) in self._kinds:
            columns["vantage"] = self._strings(("host",), chosen, self._buffer)
        return self._group.lines[chosen], columns

    def _token(self, *path: str | int) -> Token:
        return self._group.tokens[path]

    def _strings(self, path: Path, chosen: Any, buffer: gather.Bytes) -> pa.Array:
        begin, end = self._group.tokens[path]
        return gather.strings(buffer, begin[chosen], end[chosen])

    def _worded(self, path: Path, word: Callable[[str], str | None], *, may_be_none: bool = True) -> pa.Array | None:
        """A column by its spellings; where one has no word and has to, its lines are not usual."""
        if path not in self._kinds:
            return None
        encoded = gather.strings(self._buffer, *self._group.tokens[path]).dictionary_encode()
        found = pa.array([word(text) for text in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)
        if not may_be_none:
            self.keep &= pc.is_valid(found).to_numpy(zero_copy_only=False)
        return found

    def _event(self) -> tuple[str | None, bool]:
        """One group is of one event: the first line's; whether the packet's sender is the server (version 3)."""
        begin, end = self._token("dns", "type")
        if not len(begin):
            return None, False
        first = bytes(self._buffer[begin[0] : end[0]])
        self.keep &= gather.equals(self._buffer, begin, end, first) if len(first) <= 8 else False
        event = self._words.event(first.decode())
        self.keep &= event is not None
        return event, first == b"response"

    def _sides(self, *, turned: bool) -> tuple[dict[str, Path], dict[str, Any]]:
        """Where the addresses of client and server stand, and the numbers of their ports."""
        addresses: dict[str, Path] = {}
        ports: dict[str, Any] = {}
        asking, asked = ("dest", "src") if turned else ("src", "dest")
        for side, address, port in ((asking, "client", "port"), (asked, "server", "server_port")):
            addresses[address] = (f"{side}_ip",)
            begin, end = self._token(f"{side}_ip")
            self.keep &= (end > begin) & gather.only(_ADDRESS, self._buffer, begin, end, 40)
            self.keep &= ~gather.only(_HEX, self._buffer, begin, end, 40)  # an address has a dot or a colon
            if (f"{side}_port",) in self._kinds:
                ports[port], good = gather.numbers(self._buffer, *self._token(f"{side}_port"), 5)
                self.keep &= good & (ports[port] <= 65535)
        return addresses, ports

    def _check_name(self, path: Path) -> None:
        begin, end = self._group.tokens[path]
        self.keep &= _plain_name(self._lines, begin, end)

    def _names(self, path: Path, chosen: Any) -> dict[str, pa.Array]:
        written, name = self._strings(path, chosen, self._buffer), self._strings(path, chosen, self._lower)
        differs = pc.not_equal(written, name)
        return {"name": name, "name_as_written": pc.if_else(differs, written, pa.scalar(None, pa.string()))}

    def _time(self) -> tuple[Any, pa.Array]:
        """Microseconds since 1970, and the zone that is stated."""
        begin, end = self._token("timestamp")
        window = np.lib.stride_tricks.sliding_window_view(self._buffer, _STAMP)[begin]
        self.keep &= (end - begin == _STAMP) & ((window[:, 26] == 43) | (window[:, 26] == 45))
        for place, mark in _MARKS.items():
            self.keep &= window[:, place] == mark
        digits = window[:, _PLACES].astype(np.int64) - 48
        self.keep &= ((digits >= 0) & (digits <= 9)).all(axis=1)
        digits = np.where(self.keep[:, None], digits, 1)
        year, (month, day, hour, minute, second) = (
            digits[:, :4] @ np.array([1000, 100, 10, 1]),
            (digits[:, at] * 10 + digits[:, at + 1] for at in (4, 6, 8, 10, 12)),
        )
        micro = digits[:, 14:20] @ (10 ** np.arange(5, -1, -1))
        ahead_hours, ahead_minutes = digits[:, 20] * 10 + digits[:, 21], digits[:, 22] * 10 + digits[:, 23]
        self.keep &= (year >= 1971) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
        self.keep &= (hour < 24) & (minute < 60) & (second < 60) & (ahead_hours < 24) & (ahead_minutes < 60)
        months = ((year - 1970) * 12 + np.clip(month, 1, 12) - 1).astype("M8[M]")
        days = months.astype("M8[D]") + (day - 1)
        self.keep &= days.astype("M8[M]") == months
        ahead = (ahead_hours * 60 + ahead_minutes) * np.where(window[:, 26] == 45, -1, 1)
        seconds = days.astype(np.int64) * 86_400 + hour * 3600 + (minute - ahead) * 60 + second
        encoded = gather.strings(self._buffer, np.maximum(end - 5, begin), end).dictionary_encode()
        named = [self._words.zone(text) for text in encoded.dictionary.to_pylist()]
        return seconds * 1_000_000 + micro, pa.array(named, pa.string()).take(encoded.indices)

    def _records(self) -> tuple[Any, pa.Array | None]:
        """The last to be looked at: which lines are usual in all, and the answers of these."""
        records = _answers(self._kinds)
        ttls = []
        for record in records:
            self._check_name((*record, "rrname"))
            value, good = gather.numbers(self._buffer, *self._token(*record, "ttl"), 9)
            self.keep &= good
            ttls.append(value)
        kinds = [self._worded((*record, "rrtype"), self._words.kind) for record in records]
        chosen = np.flatnonzero(self.keep)
        if not records:
            return chosen, None
        count = len(records)
        parts = [
            pa.StructArray.from_arrays(
                [
                    self._strings((*record, "rrname"), chosen, self._lower),
                    (kind or pa.nulls(0)).take(pa.array(chosen)),
                    pa.array(ttl[chosen], pa.int64()),
                    self._strings((*record, "rdata"), chosen, self._buffer) if (*record, "rdata") in self._kinds
                    else pa.nulls(len(chosen), pa.string()),
                ],
                fields=list(LOOKUPS.field("answers").type.value_type),
            )
            for record, ttl, kind in zip(records, ttls, kinds, strict=True)
        ]  # fmt: skip
        order = (np.arange(len(chosen))[:, None] + np.arange(count) * len(chosen)).ravel()
        values = pa.concat_arrays(parts).take(pa.array(order))
        offsets = pa.array(np.arange(len(chosen) + 1, dtype=np.int32) * count)
        return chosen, pa.ListArray.from_arrays(offsets, values, type=LOOKUPS.field("answers").type)


def _plain_name(lines: Lines, begin: Any, end: Any) -> Any:
    """Names that need neither escape nor look at their labels: short, without a blank, no label empty."""
    good = (end > begin) & (end - begin <= _LONGEST_NAME)
    good &= (lines.buffer[begin] != 46) & (lines.buffer[np.maximum(end - 1, 0)] != 46)
    for places in (lines.spaces, lines.double_dots):
        good &= np.searchsorted(places, begin) == np.searchsorted(places, end)
    return good
