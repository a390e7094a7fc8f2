"""JSON lines of one shape as columns: lines that differ in nothing but their texts and whole numbers.

A program writes its members in one order, so most lines of a log have one of a few shapes. A shape is learned from a
line that is JSON, and every byte of the others is held to it: what stands between the values has to be the same, a text
is what lies between two quotes that follow each other, a number is digits. Lines with an escape, a blank outside of
texts or a byte beyond ASCII have no shape here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from evidence.reading import gather
from evidence.reading.jsonlines import object_of
from evidence.reading.lines import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Iterator

type Path = tuple[str | int, ...]
type Token = tuple[Any, Any]

TEXT, NUMBER, _FIXED = "text", "number", "fixed"
_QUOTE, _NEWLINE, _BACKSLASH, _DOT = 34, 10, 92, 46
_MOST_SHAPES, _FEWEST_LINES = 96, 8
_PART = re.compile(
    rb'"(?P<text>[^"]*)"|(?P<number>0|[1-9][0-9]{0,17})(?![0-9.eE])|true|false|null|(?P<mark>[{}\[\]:,])'
)


@dataclass(slots=True)
class Shape:
    """Literal bytes around `slots` (path, kind), and the paths at which a literal value stands (`true`, `[]`)."""

    literals: list[bytes] = field(default_factory=list)
    slots: list[tuple[Path, str]] = field(default_factory=list)
    fixed: set[Path] = field(default_factory=set)
    quotes: int = 0

    def kinds(self) -> dict[Path, str]:
        return dict(self.slots)


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of one shape: their numbers in the run, and the token of each value."""

    shape: Shape
    lines: Any
    tokens: dict[Path, Token]


def shape_of(line: bytes) -> Shape | None:
    """The shape of one line; None if it is no object, or has blanks, escapes or other numbers than whole ones."""
    parts = list(_PART.finditer(line.removesuffix(b"\n")))
    if not line.endswith(b"\n") or b"".join(part[0] for part in parts) + b"\n" != line or _BACKSLASH in line:
        return None
    if not isinstance(object_of(line), dict):
        return None
    shape, literal, walk = Shape(quotes=line.count(b'"')), b"", _Walk()
    for part, following in zip(parts, [*parts[1:], parts[-1]], strict=True):
        kind = walk.step(part)
        if part["mark"] in (b"{", b"[") and following["mark"] in (b"}", b"]"):
            shape.fixed.add(walk.opened)
        if kind in (TEXT, NUMBER):
            quote = b'"' if kind == TEXT else b""
            shape.literals.append(literal + quote)
            shape.slots.append((walk.path, kind))
            literal = quote
        else:
            literal += part[0]
            if kind == _FIXED:
                shape.fixed.add(walk.path)
    shape.literals.append(literal + b"\n")
    return shape


class _Walk:
    """Where in a JSON object its parts stand, one after the other."""

    def __init__(self) -> None:
        self.path: Path = ()
        self.opened: Path = ()
        self._above: list[tuple[Path, bool]] = []  # each open object or array, and whether it is an array
        self._is_key = False

    def step(self, part: re.Match[bytes]) -> str | None:
        """What the part is: a text, a number, a literal value, or None."""
        mark = part["mark"]
        if not mark:
            if self._is_key:
                self.path = (*self._above[-1][0], part["text"].decode("latin-1"))
                return None
            return TEXT if part["text"] is not None else NUMBER if part["number"] else _FIXED
        if mark in b"{[":
            self.opened = self.path
            self._above.append((self.path, mark == b"["))
            self._is_key = mark == b"{"
            self.path = (*self.path, 0) if mark == b"[" else self.path
        elif mark in b"}]":
            self.path = self._above.pop()[0]
            self._is_key = False
        elif mark == b",":
            above, is_array = self._above[-1]
            self._is_key = not is_array
            self.path = (*above, int(self.path[len(above)]) + 1) if is_array else above
        else:
            self._is_key = False
        return None


class Lines:
    """The lines of a run by their quotes; `usual` are those that may have a shape."""

    def __init__(self, data: bytes) -> None:
        self.data, self.buffer = data, gather.padded(data)
        body = self.buffer[: len(data)]
        stops = np.flatnonzero(body == _NEWLINE) + 1
        if len(data) and (not len(stops) or stops[-1] != len(data)):
            stops = np.append(stops, len(data))
        self.starts, self.stops = np.concatenate(([0], stops[:-1])).astype(np.int64), stops
        self.lower = gather.lower(self.buffer)
        self.quotes = np.flatnonzero(body == _QUOTE)
        self.spaces = np.flatnonzero(body == 32)
        dots = np.flatnonzero(body == _DOT)
        self.double_dots = dots[self.buffer[dots + 1] == _DOT]
        self.first = np.searchsorted(self.quotes, self.starts)
        self.counts = np.searchsorted(self.quotes, self.stops) - self.first
        odd = np.zeros(len(stops), dtype=bool)
        places = np.flatnonzero(((body < 32) & (body != _NEWLINE)) | (body >= 127) | (body == _BACKSLASH))
        odd[np.searchsorted(stops, places, side="right")] = True
        if len(data) and body[-1] != _NEWLINE:
            odd[-1] = True
        self.usual = np.flatnonzero(~odd & (self.stops - self.starts <= LONGEST_LINE))

    def span(self, line: int) -> tuple[int, int]:
        """Where a line begins and ends in the run."""
        return int(self.starts[line]), int(self.stops[line])

    def groups(self) -> Iterator[Group]:
        """Shapes as they come, while they are worth it; lines of rare ones are left out."""
        left = self.usual
        budget = _MOST_SHAPES
        while len(left) and budget:
            line = int(left[0])
            shape = shape_of(self.data[self.starts[line] : self.stops[line]])
            group = self._group(shape, left[self.counts[left] == shape.quotes]) if shape else None
            taken = group.lines if group is not None and len(group.lines) else left[:1]
            if group is not None and len(group.lines):
                yield group
            budget -= 1 if len(taken) >= _FEWEST_LINES else 2
            left = left[~np.isin(left, taken, assume_unique=True)]
            budget = max(budget, 0)

    def _group(self, shape: Shape, lines: Any) -> Group:
        """Of these lines those that have the shape."""
        first, tokens = self.first[lines], []
        begin, seen = self.starts[lines], 0
        good = np.ones(len(lines), dtype=bool)
        for number, literal in enumerate(shape.literals):
            good &= self._is(begin, literal)
            seen += literal.count(b'"')
            if number == len(shape.slots):
                good &= begin + len(literal) == self.stops[lines]
                break
            after = shape.literals[number + 1]
            start = begin + len(literal)
            ahead = after.find(b'"')
            end = self.stops[lines] - len(after) if ahead < 0 else self.quotes[first + seen] - ahead
            good &= end >= start
            end = np.maximum(end, start)
            if shape.slots[number][1] == NUMBER:
                good &= _is_number(self.buffer, start, end)
            tokens.append((start, end))
            begin = end
        kept = np.flatnonzero(good)
        return Group(
            shape, lines[kept],
            {path: (start[kept], end[kept]) for (path, _), (start, end) in zip(shape.slots, tokens, strict=True)},
        )  # fmt: skip

    def _is(self, begin: Any, literal: bytes) -> Any:
        """Where these bytes stand, looked at in windows no wider than the padding."""
        good = np.ones(len(begin), dtype=bool)
        for at in range(0, len(literal), gather.PADDING):
            part = np.frombuffer(literal[at : at + gather.PADDING], dtype=np.uint8)
            where = np.minimum(begin + at, len(self.data))
            good &= (np.lib.stride_tricks.sliding_window_view(self.buffer, len(part))[where] == part).all(axis=1)
        return good


def _is_number(buffer: gather.Bytes, begin: Any, end: Any) -> Any:
    """Where `0` stands, or digits that do not begin with one, at most 18."""
    digits = gather.only(_DIGITS, buffer, begin, end, 18)
    return digits & (end > begin) & ((end - begin == 1) | (buffer[begin] != 48))


_DIGITS = gather.allowed(b"0123456789")
