"""A tree that grows, held as its right edge, and roots of subtrees from tiles (RFC 6962 §2.1, C2SP tlog-tiles).

Which hashes are wanted and which are new is said here; whoever keeps them reads and writes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evidence.log.hashing import EMPTY_ROOT, split, tree_root
from evidence.log.tile import WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    LevelHashes = Callable[[int, int, int], Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class TileHash:
    """Root of a full tile: entry `index` of tile level `level` (≥ 1)."""

    level: int
    index: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Edge:
    """The last, partial tile of every level, leaves first: at most 255 hashes a level, whatever the size."""

    size: int
    rows: tuple[tuple[bytes, ...], ...]

    @property
    def root(self) -> bytes:
        """Of the whole tree: each level's hashes are followed by what stands for all below them."""
        below: tuple[bytes, ...] = ()
        for row in self.rows:
            hashes = (*row, *below)
            below = (tree_root(hashes),) if hashes else ()
        return below[0] if below else EMPTY_ROOT


def edge_ranges(size: int) -> Iterator[tuple[int, int, int]]:
    """Level, start and stop of the hashes that make the edge of a tree of `size` leaves."""
    level, count = 0, size
    while count:
        yield level, count - count % WIDTH, count
        level, count = level + 1, count // WIDTH


def append(edge: Edge, leaves: Sequence[bytes]) -> tuple[Edge, list[TileHash]]:
    """The edge after these leaf hashes, and the roots of the tiles that became full, level by level."""
    rows, full, level, added = list(edge.rows), list[TileHash](), 0, tuple(leaves)
    while added:
        row = (*(rows[level] if level < len(rows) else ()), *added)
        whole = len(row) - len(row) % WIDTH
        first = (edge.size >> 8 * level) // WIDTH
        added = tuple(tree_root(row[start : start + WIDTH]) for start in range(0, whole, WIDTH))
        full += [TileHash(level + 1, first + n, root) for n, root in enumerate(added)]
        rows[level : level + 1] = [row[whole:]]
        level += 1
    return Edge(edge.size + len(leaves), tuple(rows)), full


def subtree_root(start: int, stop: int, hashes: LevelHashes) -> bytes:
    """Root over the leaves `start` up to `stop`, where that is a subtree of RFC 6962.

    `hashes(level, start, stop)` gives hashes of a tile level; each time they lie in one tile.
    """
    count = stop - start
    level = 0
    while count and count % WIDTH ** (level + 1) == 0 and start % WIDTH ** (level + 1) == 0:
        level += 1
    unit = WIDTH**level
    if count // unit <= WIDTH:
        return tree_root(hashes(level, start // unit, stop // unit))
    middle = start + split(count)
    return tree_root([subtree_root(start, middle, hashes), subtree_root(middle, stop, hashes)])
