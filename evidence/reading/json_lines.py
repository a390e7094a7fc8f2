"""JSON lines by their shapes: each line that has one is held to it byte by byte, without a loop over lines.

What stands between the values has to be the same as in the line from which the shape was learned, a text is what lies
between two quotes that follow each other, and all other values are of the kind that they are of there.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evidence.reading import digits, gather
from evidence.reading.json_shapes import DECIMAL, FLAG, NUMBER, NUMBERS, shape_of
from evidence.reading.lines import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evidence.reading.gather import Bytes, Ints
    from evidence.reading.json_shapes import Path, Shape

    type Token = tuple[Ints, Ints]

_QUOTE, _NEWLINE, _BACKSLASH, _DELETE = 34, 10, 92, 127
_MOST_SHAPES, _FEWEST_LINES = 96, 8
_AT_ONCE = 1 << 18  # bytes, which a core's own cache holds
_SOME, _SAMPLE = 4, 64
_TRUE, _FALSE = gather.literals(b"true", b"false")
_FOUR, _FIVE = np.uint64((1 << 32) - 1), np.uint64((1 << 40) - 1)  # so many first bytes of a word


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of one shape: their numbers in the run, and the token of each value."""

    shape: Shape
    lines: Ints
    tokens: dict[Path, Token]


class Lines:
    """The lines of a run by their quotes; `usual` are those that may have a shape."""

    def __init__(self, data: bytes) -> None:
        self.data, self.buffer = data, gather.padded(data)
        body = self.buffer[: len(data)]
        self.quotes, newlines = _places(body, _QUOTE), _places(body, _NEWLINE)
        is_cut = len(data) > 0 and not data.endswith(b"\n")
        self.stops = np.append(newlines + 1, len(data)) if is_cut else newlines + 1
        self.first = np.searchsorted(self.quotes, np.concatenate(([0], self.stops)))
        self.starts = np.concatenate(([0], self.stops))[: len(self.stops)]
        is_odd = self._odd(body, len(newlines)) | (self.stops - self.starts > LONGEST_LINE)
        if is_cut:
            is_odd[-1] = True
        self.usual = np.flatnonzero(~is_odd)

    def span(self, line: int) -> tuple[int, int]:
        """Where a line begins and ends in the run."""
        return int(self.starts[line]), int(self.stops[line])

    def _odd(self, body: Bytes, newlines: int) -> Any:
        """Lines with bytes that are no plain text, and those of an odd number of quotes."""
        odd = (np.diff(self.first) & 1).astype(bool)
        is_plain = self.data.isascii() and b"\\" not in self.data and b"\x7f" not in self.data
        if is_plain and np.count_nonzero(body < 32) == newlines:
            return odd
        is_odd = (body < 32) & (body != _NEWLINE)
        is_odd |= (body >= _DELETE) | (body == _BACKSLASH)
        odd[np.searchsorted(self.stops, np.flatnonzero(is_odd), side="right")] = True
        return odd

    def groups(self) -> Iterator[Group]:
        """Lines that may have one shape, those of most lines first, while they are worth it."""
        budget, waiting = _MOST_SHAPES, self._alike()
        while waiting and budget > 0:
            lines = waiting.pop()
            budget -= 1 if len(lines) >= _FEWEST_LINES else 2
            shape = shape_of(self.data[self.starts[lines[0]] : self.stops[lines[0]]])
            if shape is None:
                budget -= 1
                waiting += [lines[1:]] if len(lines) > 1 else []
                continue
            group = self._group(shape, self._likely(shape, lines))
            yield group
            if len(group.lines) < len(lines):
                waiting.append(np.setdiff1d(lines, group.lines, assume_unique=True))

    def _alike(self) -> list[Ints]:
        """The usual lines by how many quotes they have; the most come last."""
        counts = np.diff(self.first)[self.usual]
        order = np.argsort(counts, kind="stable")
        edges = np.flatnonzero(np.diff(counts[order])) + 1
        return sorted(np.split(self.usual[order], edges), key=len) if len(order) else []

    def _likely(self, shape: Shape, lines: Ints) -> Ints:
        """Most of the lines that have the shape; all of them, if by a sample few have another."""
        if 2 * np.count_nonzero(self._may_have(shape, lines[::_SAMPLE])) > len(lines[::_SAMPLE]):
            return lines
        likely: Ints = lines[self._may_have(shape, lines)]
        return likely

    def _may_have(self, shape: Shape, lines: Ints) -> Any:
        """Where some of the shape's literals stand, which tells most shapes of as many quotes apart."""
        first, seen, good = self.first[lines], 0, np.ones(len(lines), dtype=bool)
        for number, literal in enumerate(shape.literals[:-1]):
            if number and number % _SOME == 0:
                good &= self._is(np.maximum(self.quotes[first + seen] - literal.find(b'"'), 0), literal)
            seen += literal.count(b'"')
        return good

    def _group(self, shape: Shape, lines: Ints) -> Group:
        """Of these lines those that have the shape."""
        first, stops, good = self.first[lines], self.stops[lines], np.ones(len(lines), dtype=bool)
        edges = np.empty((2 * len(shape.slots), len(lines)), dtype=np.int64)
        end, seen = self.starts[lines], 0
        for number, (literal, after) in enumerate(itertools.pairwise(shape.literals)):
            good &= self._is(end, literal)
            seen += literal.count(b'"')
            start = np.minimum(end + len(literal), len(self.data), out=edges[2 * number])
            ahead = after.find(b'"')
            found = stops - len(after) if ahead < 0 else self.quotes[first + seen] - ahead
            good &= found >= start
            end = np.maximum(found, start, out=edges[2 * number + 1])
        good &= self._is(end, shape.literals[-1]) & (end + len(shape.literals[-1]) == stops)
        for number, (_, kind) in enumerate(shape.slots):
            if kind in _GOOD:
                good &= _GOOD[kind](self.buffer, edges[2 * number], edges[2 * number + 1])
        kept = np.flatnonzero(good)
        if len(kept) < len(lines):
            lines, edges = lines[kept], edges[:, kept]
        tokens = zip(edges[::2], edges[1::2], strict=True)
        return Group(shape, lines, dict(zip((path for path, _ in shape.slots), tokens, strict=True)))

    def _is(self, begin: Ints, literal: bytes) -> Any:
        """Where these bytes stand, looked at in windows no wider than the padding."""
        good = np.ones(len(begin), dtype=bool)
        for at in range(0, len(literal), gather.PADDING):
            part = literal[at : at + gather.PADDING]
            good &= gather.windows(self.buffer, len(part))[np.minimum(begin + at, len(self.data))] == np.void(part)
        return good


def _places(body: Bytes, mark: int) -> Ints:
    """Where a byte stands."""
    found = np.empty(len(body), dtype=bool)
    for at in range(0, len(body), _AT_ONCE):
        np.equal(body[at : at + _AT_ONCE], mark, out=found[at : at + _AT_ONCE])
    return np.flatnonzero(found)


def _is_flag(buffer: Bytes, begin: Ints, end: Ints) -> Any:
    """Where `true` or `false` stands."""
    word, size = gather.words(buffer, begin), end - begin
    is_true = (size == len(b"true")) & ((word & _FOUR) == _TRUE)
    return is_true | ((size == len(b"false")) & ((word & _FIVE) == _FALSE))


def _are_numbers(buffer: Bytes, begin: Ints, end: Ints) -> Any:
    """Where numbers of either kind stand with commas between them."""
    found = gather.members(buffer, begin, end)
    each = digits.is_decimal(found.text, found.begins, found.ends)
    others = np.flatnonzero(~each)
    if len(others):
        each[others] = digits.is_integer(found.text, found.begins[others], found.ends[others])
    good = np.ones(len(begin), dtype=bool)
    if not each.all():
        good[np.repeat(np.arange(len(begin)), found.counts)[~each]] = False
    return good


_GOOD: dict[str, Callable[[Bytes, Ints, Ints], Any]] = {
    NUMBER: digits.is_integer, DECIMAL: digits.is_decimal, NUMBERS: _are_numbers, FLAG: _is_flag
}  # fmt: skip
