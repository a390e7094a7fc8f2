"""The sections of many messages at once: the name that each asks for, and where its records stand.

A message is taken here only if it ends with its last record, no name in it is unusual, and nothing follows but at most
one OPT in its place: all others are left to `message`, which is the reference. A property test holds both together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evidence.reading import gather
from evidence.wire.name_columns import spelled, walk
from evidence.wire.octets import layout

if TYPE_CHECKING:
    from evidence.reading.gather import Ints
    from evidence.wire.datagrams import Messages
    from evidence.wire.name_columns import Texts
    from evidence.wire.octets import Octets

HEADER, LONGEST, MOST_LABELS, MOST_OPTIONS = 12, 255, 128, 4
OWN = 0xC000 | HEADER
"""A pointer to the name that is asked for."""
OPT, TSIG = 41, 250
EDNS, DO, COOKIE, ECS = 0x8000, 0x4000, 0x2000, 0x1000
"""Bits of `Sections.edns`."""
_OPTION_BITS = {10: COOKIE, 8: ECS}
_RECORD = layout(10, type=(0, ">u2"), class_=(2, ">u2"), ttl=(4, ">u4"), size=(8, ">u2"))


@dataclass(frozen=True, slots=True)
class Records:
    """Records by the number of their message, in its order: where the owner's name stands, and the data."""

    row: Ints
    owner: Ints
    type: Ints
    class_: Ints
    ttl: Ints
    start: Ints
    stop: Ints

    def only(self, kept: Any) -> Records:
        return Records(*(getattr(self, name)[kept] for name in self.__slots__))

    def of(self, first: int, stop: int) -> slice:
        """Where those of a range of messages stand."""
        return slice(*np.searchsorted(self.row, [first, stop]).tolist())


@dataclass(frozen=True, slots=True)
class Questions:
    """Which messages ask for a name that is plain, where it ends, and its text."""

    taken: Any
    ends: Ints
    names: Texts

    def only(self, first: int, stop: int) -> Questions:
        if first == 0 and stop == len(self.ends):
            return self
        return Questions(self.taken[first:stop], self.ends[first:stop], self.names.only(first, stop))


@dataclass(frozen=True, slots=True)
class Sections:
    """Which messages are taken, their answers, bits of EDNS, and the upper part of the response code."""

    taken: Any
    answers: Records
    edns: Ints
    code: Ints

    def only(self, first: int, stop: int) -> Sections:
        """Of a range of messages, numbered from its first."""
        answers = self.answers.only(self.answers.of(first, stop))
        answers = replace(answers, row=answers.row - first)
        return Sections(self.taken[first:stop], answers, self.edns[first:stop], self.code[first:stop])


def read_questions(octets: Octets, found: Messages) -> Questions:
    """Names of plain labels, none of them the root."""
    count = len(found.begin)
    ends, heads = np.zeros(count, dtype=np.int64), []
    live, at = np.arange(count), found.begin + HEADER
    last = np.minimum(found.stop - 6, found.begin + HEADER + LONGEST - 2)  # where the last octet of a label may stand
    for number in range(MOST_LABELS):
        if not len(live):
            break
        size = octets.one(at)
        goes_on = (size - 1).view(np.uint64) < 63
        goes_on &= at + size <= last
        if not goes_on.all():
            is_end = np.flatnonzero(size == 0) if number else live[:0]
            ends[live[is_end]] = at[is_end] + 1
            kept = np.flatnonzero(goes_on)
            live, at, size, last = (column[kept] for column in (live, at, size, last))
        heads.append((live, at))
        at = at + size + 1
    return _questions(octets, found, ends, heads)


def _questions(octets: Octets, found: Messages, ends: Ints, heads: list[tuple[Ints, Ints]]) -> Questions:
    start = found.begin + HEADER + 1
    stop = np.where(ends > 0, ends - 1, start)
    offsets = np.concatenate([[0], np.cumsum(stop - start)])
    behind = offsets[:-1] - start
    good = ends > 0
    dots = [at + behind[rows] if good.all() else (at + behind[rows])[good[rows]] for rows, at in heads[1:]]
    raw = gather.strings(octets.buffer, start, stop)
    characters = np.frombuffer(raw.buffers()[2] or b"", dtype=np.uint8)[: offsets[-1]].copy()
    names = spelled(characters, offsets, np.concatenate([np.zeros(0, dtype=np.int64), *dots]))
    return Questions((ends > 0) & ~names.odd, ends, names)


def read_sections(octets: Octets, found: Messages, asked: Questions) -> Sections:
    """Steps from record to record in all messages that have one more."""
    count, total = len(found.begin), found.answers + found.authority + found.additional
    taken, edns, code = asked.taken.copy(), np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    taken[(total == 0) & (asked.ends + 4 != found.stop)] = False
    live = np.flatnonzero(taken & (total > 0))
    before, at, parts = found.answers + found.authority, asked.ends[live] + 4, []
    for number in range(int(total[live].max(initial=0))):
        good, records = _records(octets, found, live, at)
        options = np.flatnonzero(good & (records.type == OPT) & (number >= before[live]))
        if len(options):
            good[options] = _options(octets, records.only(options), edns, code)
        is_last = total[live] == number + 1
        good &= ~is_last | (records.stop == found.stop[live])
        taken[live[~good]] = False
        parts.append(records.only(np.flatnonzero(good & (number < found.answers[live]))))
        goes_on = np.flatnonzero(good & ~is_last)
        live, at = live[goes_on], records.stop[goes_on]
    return Sections(taken, _joined(parts, taken), edns, code)


def _records(octets: Octets, found: Messages, live: Ints, at: Ints) -> tuple[Any, Records]:
    """One record a message, at `at`; and which of them are good."""
    stop, first = found.stop[live], octets.two(at)
    is_root = first < 0x100
    place, good = at + 2 - is_root, at + 11 <= stop
    unusual = np.flatnonzero(good & ~is_root & (first != OWN))
    if len(unusual):
        owners = walk(octets, found.begin[live[unusual]], at[unusual], stop[unusual])
        good[unusual], place[unusual] = owners.good, owners.end
    good &= place + 10 <= stop
    fields = octets.fields(_RECORD, np.where(good, place, 0))
    kind, class_, ttl, size = (fields[name].astype(np.int64) for name in ("type", "class_", "ttl", "size"))
    good &= (place + 10 + size <= stop) & (kind != TSIG)
    return good, Records(live, at, kind, class_, ttl, place + 10, place + 10 + size)


def _options(octets: Octets, records: Records, edns: Ints, code: Ints) -> Any:
    """Takes what OPT records say, and which of them are good: the first of their message, of version 0."""
    bits, good = _option_bits(octets, records.start, records.stop)
    good &= (edns[records.row] == 0) & (octets.buffer[records.owner] == 0) & (records.ttl >> 16 & 255 == 0)
    edns[records.row] = bits | EDNS | (records.ttl & 0x8000) >> 1
    code[records.row] = records.ttl >> 24
    return good


def _option_bits(octets: Octets, at: Ints, stop: Ints) -> tuple[Ints, Any]:
    """Bits of the options from `at` up to `stop`, and where these are whole and few."""
    bits, at = np.zeros(len(at), dtype=np.int64), at.copy()
    for _ in range(MOST_OPTIONS):
        live = np.flatnonzero(at < stop)
        if not len(live):
            break
        code, end = octets.two(at[live]), at[live] + 4 + octets.two(at[live] + 2)
        for number, bit in _OPTION_BITS.items():
            bits[live] |= np.where(code == number, bit, 0)
        at[live] = np.where(end > stop[live], stop[live] + 1, end)
    return bits, at == stop


def _joined(parts: list[Records], taken: Any) -> Records:
    """Records of messages that are taken, by message."""
    none = np.zeros(0, dtype=np.int64)
    whole = Records(*(np.concatenate([none, *(getattr(part, name) for part in parts)]) for name in Records.__slots__))
    kept = np.flatnonzero(taken[whole.row])
    return whole.only(kept[np.argsort(whole.row[kept], kind="stable")])
