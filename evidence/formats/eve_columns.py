"""EVE records of usual shapes as columns: what `eve.read_line` makes of them, without a loop over lines.

Lines of a shape are taken only if every member that is read has its type, and a line only where each value has its
usual form; all others are left to the reference, one by one. A property test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from evidence.reading import digits, gather
from evidence.reading.addresses import addresses
from evidence.reading.json_batches import Found
from evidence.reading.json_shapes import NUMBER, TEXT
from evidence.reading.json_tokens import Collected
from evidence.reading.spellings import Spellings, spellings
from evidence.table.schema import LOOKUPS, RESPONSE

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.gather import Ints
    from evidence.reading.json_batches import Columns
    from evidence.reading.json_lines import Lines, Token
    from evidence.reading.json_shapes import Path, Shape
    from evidence.reading.json_tokens import Tokens

_NEEDED: dict[str, Path] = {
    "event_type": ("event_type",), "time": ("timestamp",), "src_ip": ("src_ip",), "dest_ip": ("dest_ip",),
    "event": ("dns", "type"),
}  # fmt: skip
_TEXTS: dict[str, Path] = {
    "transport": ("proto",), "vantage": ("host",), "rcode": ("dns", "rcode"), "flags": ("dns", "flags"),
}  # fmt: skip
_PORTS: dict[str, Path] = {"src_port": ("src_port",), "dest_port": ("dest_port",)}
_ASKED, _RECORD = ("rrname", "rrtype"), ("rrname", "rrtype", "ttl", "rdata")
_KINDS = dict.fromkeys((*_NEEDED.values(), *_TEXTS.values()), TEXT) | dict.fromkeys(_PORTS.values(), NUMBER)
_READ = ("type", "rrname", "rrtype", "rcode", "flags", "ttl", "rdata", "soa", "srv")
_ANSWERS = LOOKUPS.field("answers").type
_STAMP, _ZONE, _DIGITS = 31, 5, 6  # `2026-11-24T22:13:33.621051+0000`, its zone, digits of the second
_DATE_MARK = 4
_DOT = 46
_LARGEST_PORT = 65535
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
    others = [np.empty(0, dtype=np.int64)]
    collected = Collected(lines, (*_NEEDED, *_TEXTS, *_PORTS, *_ASKED), _RECORD)
    for group in lines.groups():
        kinds = group.shape.kinds()
        if kinds.get(("event_type",)) == TEXT:
            others.append(group.lines[~gather.equals(lines.buffer, *group.tokens[("event_type",)], b"dns")])
        if _is_usual(group.shape):
            collected.add(group, _members(kinds), [_members_of(record, kinds) for record in _answers(kinds)])
    taken, columns = _Rows(collected.tokens(), words).read()
    return Found(taken, columns, np.concatenate(others), "other-event")


def _question(kinds: dict[Path, str]) -> Path:
    """Where the question's name and type stand: in version 3 within `queries`."""
    return ("dns", "queries", 0) if ("dns", "queries", 0, "rrname") in kinds else ("dns",)


def _answers(kinds: dict[Path, str]) -> list[Path]:
    """The records of the answer section; of version 1 the one that stands among the other members."""
    number = len({path[2] for path in kinds if path[:2] == ("dns", "answers") and len(path) > 2})
    return [("dns", "answers", at) for at in range(number)] or ([("dns",)] if ("dns", "ttl") in kinds else [])


def _members(kinds: dict[Path, str]) -> dict[str, Path]:
    """Where the values of a record stand, and those of its question."""
    found = {name: path for name, path in (_NEEDED | _TEXTS | _PORTS).items() if path in kinds}
    return found | {name: (*_question(kinds), name) for name in _ASKED}


def _members_of(record: Path, kinds: dict[Path, str]) -> dict[str, Path]:
    return {name: (*record, name) for name in _RECORD if (*record, name) in kinds}


def _is_usual(shape: Shape) -> bool:
    """Whether all members that are read are there and of their type, one question, and answers with plain data."""
    kinds = shape.kinds()
    wanted = dict.fromkeys((*_NEEDED.values(), *((*_question(kinds), name) for name in _ASKED)), TEXT)
    for record in _answers(kinds):
        wanted |= {(*record, "rrname"): TEXT, (*record, "rrtype"): TEXT, (*record, "ttl"): NUMBER}
    allowed = wanted | _KINDS | {("dns", "ttl"): NUMBER} | {(*record, "rdata"): TEXT for record in _answers(kinds)}
    found = [*kinds.items(), *((path, "") for path in shape.fixed)]
    return all(kinds.get(path) == kind for path, kind in wanted.items()) and not any(
        (_is_read(path) and allowed.get(path) != kind) or any(path[:size] in allowed for size in range(1, len(path)))
        for path, kind in found
    )


def _is_read(path: Path) -> bool:
    """Whether the reference looks at what stands there; of objects that stand in place of data it does, too."""
    if path[0] != "dns" or len(path) == 1:
        return path == ("dns",) or path in _KINDS
    if path[1] in ("answers", "queries"):
        return len(path) < 4 or path[3] in _READ
    return path[1] in _READ


class _Rows:
    """The values of lines of usual shapes; `keep` says which lines are usual so far."""

    def __init__(self, tokens: Tokens, words: Words) -> None:
        self._tokens, self._words, self._buffer = tokens, words, tokens.buffer
        self.keep = np.ones(len(tokens.lines), dtype=bool)

    def read(self) -> tuple[Ints, Columns]:
        """Numbers of the lines that are usual throughout, and their columns."""
        members, words = self._tokens.members, self._words
        self.keep &= gather.equals(self._buffer, *members["event_type"], b"dns")
        micros, zone = self._time()
        event = self._spelled("event", words.event, may_be_none=False)
        client, server = self._sides()
        is_response = event.is_(lambda word: word == RESPONSE)
        begin, end = members["rcode"]
        members["rcode"] = begin, np.where(is_response, end, begin)
        kind, flags = (
            self._spelled(*one, may_be_none=False) for one in (("rrtype", words.kind), ("flags", words.flags))
        )
        rcode, transport = self._spelled("rcode", words.rcode), self._spelled("transport", words.transport)
        ports = {name: self._port(side[1]) for name, side in (("port", client), ("server_port", server))}
        records = self._records()
        chosen, columns = self._names(np.flatnonzero(self.keep))
        return self._tokens.lines[chosen], columns | {
            "time": pa.array(micros[chosen], pa.int64()).view(LOOKUPS.field("time").type),
            "time_digits": gather.constant(_DIGITS, len(chosen), pa.int8()), "time_zone": zone.column(chosen),
            "event": event.column(chosen), "type": kind.column(chosen), "flags": flags.column(chosen),
            "rcode": rcode.column(chosen), "transport": transport.column(chosen),
            "client": gather.lowered(self._buffer, *_at(client[0], chosen)),
            "server": gather.lowered(self._buffer, *_at(server[0], chosen)),
            "vantage": gather.stated(self._buffer, *_at(members["vantage"], chosen)),
            "answers": self._answers(records, chosen),
            **{name: pa.array(port[chosen], pa.int32(), mask=port[chosen] < 0) for name, port in ports.items()},
        }  # fmt: skip

    def _time(self) -> tuple[Ints, Spellings]:
        """Microseconds since 1970, and the zone that is stated."""
        begin, end = self._tokens.members["time"]
        found = digits.times(self._buffer, begin, end - _ZONE)
        zone = spellings(self._buffer, end - _ZONE, end, self._words.zone)
        self.keep &= found.good & (end - begin == _STAMP) & (self._buffer[begin + _DATE_MARK] == ord("-"))
        self.keep &= (found.digits == _DIGITS) & zone.is_(lambda stated: stated is not None)
        ahead = Spellings(zone.numbers, [stated[1] if stated else 0 for stated in zone.values]).integers()
        return found.micros - ahead * _MINUTE, Spellings(zone.numbers, [stated and stated[0] for stated in zone.values])

    def _spelled(self, name: str, read: Callable[[str], str | None], *, may_be_none: bool = True) -> Spellings:
        """A column by its spellings; where one that is there has no word and has to, its lines are not usual."""
        begin, end = self._tokens.members[name]
        found = spellings(self._buffer, begin, end, read)
        if not may_be_none and None in found.values:
            self.keep &= (begin == end) | ~found.is_(lambda word: word is None)
        return found

    def _sides(self) -> tuple[tuple[Token, Token], tuple[Token, Token]]:
        """The tokens of address and port of client and server; in version 3 a response's sender is the server."""
        members = self._tokens.members
        turned = gather.equals(self._buffer, *members["event"], b"response")
        for side in ("src_ip", "dest_ip"):
            self.keep &= addresses(self._buffer, *members[side])
        src, dest = ((members[f"{side}_ip"], members[f"{side}_port"]) for side in ("src", "dest"))
        if not turned.any():
            return src, dest
        client, server = (
            tuple(
                (np.where(turned, two[0], one[0]), np.where(turned, two[1], one[1]))
                for one, two in zip(*sides, strict=True)
            )
            for sides in ((src, dest), (dest, src))
        )
        return (client[0], client[1]), (server[0], server[1])

    def _port(self, token: Token) -> Ints:
        """A port; -1 where there is none."""
        begin, end = token
        good, value = digits.numbers(self._buffer, begin, end)
        self.keep &= (good & (value <= _LARGEST_PORT)) | (begin == end)
        return np.where(begin == end, -1, value)

    def _names(self, chosen: Ints) -> tuple[Ints, Columns]:
        """Which of the chosen lines have a name of usual form, and its columns."""
        chosen = chosen[self._buffer[self._tokens.members["rrname"][1][chosen] - 1] != _DOT]
        keep, columns = gather.names(self._buffer, *_at(self._tokens.members["rrname"], chosen))
        return chosen[keep], columns

    def _records(self) -> tuple[Ints, Spellings]:
        """TTL and type of each answer; lines of which one has no plain name or TTL are not usual."""
        items = self._tokens.items
        begin, end = items["rrname"]
        is_ttl, ttl = digits.numbers(self._buffer, *items["ttl"])
        good = is_ttl & (self._buffer[end - 1] != _DOT)
        named, _ = gather.names(self._buffer, begin, end)
        if len(named) < len(good):
            is_named = np.zeros(len(good), dtype=bool)
            is_named[named] = True
            good &= is_named
        if not good.all():
            self.keep[np.repeat(np.arange(len(self.keep)), self._tokens.counts)[~good]] = False
        return ttl, spellings(self._buffer, *items["rrtype"], self._words.kind)

    def _answers(self, records: tuple[Ints, Spellings], chosen: Ints) -> pa.Array:
        """The answers of the chosen lines; null where there are none."""
        counts, items, (ttl, kind) = self._tokens.counts, self._tokens.items, records
        is_chosen = np.zeros(len(counts), dtype=bool)
        is_chosen[chosen] = True
        taken = np.flatnonzero(np.repeat(is_chosen, counts))
        values = pa.StructArray.from_arrays(
            [
                gather.lowered(self._buffer, *_at(items["rrname"], taken)), kind.column(taken),
                pa.array(ttl[taken], pa.int64()), gather.stated(self._buffer, *_at(items["rdata"], taken)),
            ],
            fields=list(_ANSWERS.value_type),
        )  # fmt: skip
        counts = counts[chosen]
        offsets = pa.array(np.concatenate(([0], np.cumsum(counts))), pa.int32())
        return pa.ListArray.from_arrays(offsets, values, type=_ANSWERS, mask=pa.array(counts == 0))


def _at(token: Token, chosen: Ints) -> Token:
    return (token[0][chosen], token[1][chosen]) if len(chosen) < len(token[0]) else token
