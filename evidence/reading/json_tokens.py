"""Values of the same meaning in JSON lines of different shapes, as columns of tokens over all these lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evidence.reading.gather import Bytes, Ints
    from evidence.reading.json_lines import Group, Lines, Token
    from evidence.reading.json_shapes import Path

    type Paths = Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Where in `buffer` the values of columns lie, by column and line; nothing lies where a line has no such value.

    `lines` are the numbers of the lines, ascending; `counts` how many items each has in its list, and `items` the
    columns of these, one behind the other. Ranges of a column ascend, as `gather.strings` wants them.
    """

    buffer: Bytes
    lines: Ints
    members: dict[str, Token]
    counts: Ints
    items: dict[str, Token]


class Collected:
    """Groups of lines as they are found, each with the paths at which its shape has the values of the columns."""

    def __init__(self, lines: Lines, members: Sequence[str], items: Sequence[str]) -> None:
        self._lines, self._members, self._items = lines, members, items
        self._parts: list[tuple[Ints, dict[str, Token], list[dict[str, Token]]]] = []

    def add(self, group: Group, members: Paths, items: Sequence[Paths] = ()) -> None:
        """Lines of which none of these values is an empty text; an item has the first of the columns of items."""
        tokens = group.tokens
        keep = np.ones(len(group.lines), dtype=bool)
        for path in (path for paths in (members, *items) for path in paths.values()):
            keep &= tokens[path][1] > tokens[path][0]
        kept = np.flatnonzero(keep)
        one, each = _chosen(tokens, members, kept), [_chosen(tokens, item, kept) for item in items]
        self._parts.append((group.lines[kept], one, each))

    def tokens(self) -> Tokens:
        """All of them in the order of the lines."""
        lines = np.sort(np.concatenate([np.empty(0, np.int64), *(part for part, _, _ in self._parts)]))
        place = np.zeros(len(self._lines.starts), dtype=np.int64)
        place[lines] = np.arange(len(lines))
        counts = np.zeros(len(lines), dtype=np.int64)
        for part, _, items in self._parts:
            counts[place[part]] = len(items)
        first = np.concatenate(([0], np.cumsum(counts)))
        begins = self._lines.starts[lines]
        members = {name: (begins.copy(), begins.copy()) for name in self._members}
        records = {name: (np.zeros(first[-1], np.int64), np.zeros(first[-1], np.int64)) for name in self._items}
        for part, found, items in self._parts:
            _put(members, place[part], found)
            for number, item in enumerate(items):
                end = item[self._items[0]][1]
                _put(records, first[place[part]] + number, dict.fromkeys(self._items, (end, end)) | item)
        return Tokens(self._lines.buffer, lines, members, counts, records)


def _chosen(tokens: Mapping[Path, Token], paths: Paths, kept: Ints) -> dict[str, Token]:
    return {name: (tokens[path][0][kept], tokens[path][1][kept]) for name, path in paths.items()}


def _put(columns: dict[str, Token], places: Ints, found: Mapping[str, Token]) -> None:
    for name, (begin, end) in found.items():
        columns[name][0][places], columns[name][1][places] = begin, end
