"""Names in many messages at once: where their labels stand, and their text; the same that `labels` makes of each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.reading.gather import lower

if TYPE_CHECKING:
    from evidence.reading.gather import Bytes, Ints
    from evidence.wire.octets import Octets

_LONGEST, _HEADER = 255, 12
_MOST_STEPS = 48
"""Labels and pointers of a name; one with more is read by itself."""
_AT_ONCE = 1 << 19
"""Characters that are made at once: they take many times their size until then."""
_DOT, _BACKSLASH = 0x2E, 0x5C


@dataclass(frozen=True, slots=True)
class Walked:
    """Which names are good, where reading goes on behind each, and octets of its text."""

    good: Any
    end: Ints
    length: Ints

    def only(self, kept: Any) -> Walked:
        return Walked(*(getattr(self, name)[kept] for name in self.__slots__))


def walk(octets: Octets, begin: Ints, at: Ints, stop: Ints) -> Walked:
    """The names at `at`, in messages that begin at `begin`; none goes beyond `stop`."""
    return _walk(octets, begin, at, stop)


def ranges(sizes: Ints, most: int) -> list[tuple[int, int]]:
    """Ranges of items that come to `most` together, or are one item alone; one range is there at least."""
    if sizes.sum() <= most:
        return [(0, len(sizes))]
    total = np.concatenate([[0], np.cumsum(sizes)])
    edges = [0]
    while edges[-1] < len(sizes):
        reached = int(np.searchsorted(total, total[edges[-1]] + most, side="right")) - 1
        edges.append(max(edges[-1] + 1, reached))
    return list(pairwise(edges))


def _walk(
    octets: Octets, begin: Ints, at: Ints, stop: Ints, labels: list[tuple[Ints, Ints, Ints]] | None = None
) -> Walked:
    """Labels are added to those that are given: the number of their name, where the octet stands that says their size,
    and the size.
    """
    count = len(at)
    good, end, length = np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    live, limit = np.arange(count), at.copy()
    for _ in range(_MOST_STEPS):
        if not len(live):
            break
        size = octets.one(at)
        following = at + size + 1
        is_end = np.flatnonzero((size == 0) & (at < stop))
        good[live[is_end]] = True
        _leave(end, live[is_end], following[is_end])
        goes_on = (size - 1).view(np.uint64) < 63
        goes_on &= (following + 1 <= stop) & (length[live] + size + 2 <= _LONGEST)
        which, length_of = live[goes_on], size[goes_on]
        length[which] += length_of + 1
        if labels is not None:
            labels.append((which, at[goes_on], length_of))
        pointers = np.flatnonzero(size >= 0xC0)
        if len(pointers):
            pointers, target = _targets(octets, begin, at, stop, limit, pointers)
            _leave(end, live[pointers], at[pointers] + 2)
            following[pointers] = limit[pointers] = target
            goes_on[pointers] = True
        kept = np.flatnonzero(goes_on)
        live, at, limit, begin, stop = (column[kept] for column in (live, following, limit, begin, stop))
    return Walked(good, end, np.maximum(length - 1, 0))


def _leave(end: Ints, names: Ints, places: Ints) -> None:
    """Where reading goes on behind these names: the first place that is said of each counts."""
    end[names] = np.where(end[names], end[names], places)


def _targets(octets: Octets, begin: Ints, at: Ints, stop: Ints, limit: Ints, found: Ints) -> tuple[Ints, Ints]:
    """Which of the pointers are good, and where they lead."""
    begin, at = begin[found], at[found]
    target = begin + (octets.two(at) & 0x3FFF)
    kept = np.flatnonzero((at + 2 <= stop[found]) & (target < limit[found]) & (target >= begin + _HEADER))
    return found[kept], target[kept]


def _joined(parts: list[tuple[Ints, Ints, Ints]]) -> tuple[Ints, Ints, Ints]:
    """Labels by name, in its order."""
    none = np.zeros(0, dtype=np.int64)
    which, place, size = (np.concatenate([none, *(part[column] for part in parts)]) for column in range(3))
    order = np.argsort(which, kind="stable")
    return which[order], place[order], size[order]


@dataclass(frozen=True, slots=True)
class Texts:
    """Names as `name_of` has them, in their own case, and which hold an octet that has to be escaped."""

    name: pa.Array
    written: pa.Array
    odd: Any

    def only(self, first: int, stop: int) -> Texts:
        name = self.name[first:stop]
        written = name if self.written is self.name else self.written[first:stop]
        return Texts(name, written, self.odd[first:stop])


def texts(octets: Octets, begin: Ints, at: Ints, stop: Ints, walked: Walked, kept: Any) -> Texts:
    """Of the names that are kept, all of them good; others are empty. All were `walked` before."""
    characters, dots = [np.zeros(0, dtype=np.uint8)], [np.zeros(0, dtype=np.int64)]
    sizes, places, done = np.where(kept, walked.length, 0), np.flatnonzero(kept), 0
    for first, last in ranges(sizes[places], _AT_ONCE):
        mine = places[first:last]
        labels: list[tuple[Ints, Ints, Ints]] = []
        _walk(octets, begin[mine], at[mine], stop[mine], labels)
        some, between = _characters(octets, *_joined(labels))
        characters.append(some)
        dots.append(done + between)
        done += len(some)
    return spelled(np.concatenate(characters), np.concatenate([[0], np.cumsum(sizes)]), np.concatenate(dots))


def _characters(octets: Octets, which: Ints, place: Ints, size: Ints) -> tuple[Bytes, Ints]:
    """Those of all labels, one behind the other, and where dots belong between labels of one name."""
    is_first = np.ones(len(which), dtype=bool)
    is_first[1:] = which[1:] != which[:-1]
    taken = size + ~is_first  # with the octet before, which becomes the dot
    offsets = np.concatenate([[0], np.cumsum(taken)])
    source = np.repeat(place + is_first - offsets[:-1], taken) + np.arange(offsets[-1])
    return octets.buffer[source], offsets[:-1][~is_first]


def spelled(characters: Bytes, offsets: Ints, dots: Ints) -> Texts:
    """Texts of names whose characters stand one behind the other; `dots` are places between labels. Changes them."""
    characters[dots] = _DOT
    odd = np.zeros(len(offsets) - 1, dtype=bool)
    least = int((characters - np.uint8(ord("A"))).min(initial=0xFF))  # capitals become the least, `\` comes soon
    wrong = _escaped(characters, dots, has_backslash=least <= _BACKSLASH - ord("A"))
    if len(wrong):
        odd[np.searchsorted(offsets, wrong, side="right") - 1] = True
    written = _array(offsets, characters)
    return Texts(_array(offsets, lower(characters)) if least < 26 else written, written, odd)


def _escaped(characters: Bytes, dots: Ints, *, has_backslash: bool) -> Ints:
    """Places of octets that have to be, and are no `dots`; counts and extremes say soonest that there are none."""
    wrong = characters == _DOT
    is_plain = characters.min(initial=0x7E) > 0x20 and characters.max(initial=0) < 0x7F
    if is_plain and not has_backslash and np.count_nonzero(wrong) == len(dots):
        return dots[:0]
    wrong[dots] = False
    wrong |= (characters == _BACKSLASH) | (characters - np.uint8(0x21) > 0x7E - 0x21)
    return np.flatnonzero(wrong)


def _array(offsets: Ints, characters: Bytes) -> pa.Array:
    """Characters that have to be escaped can be in the texts that are `odd`: these are not used."""
    parts = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(characters)]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, parts)
