"""A tree that grows tile by tile: what tiles a larger size adds, what stands in each, and the root (C2SP tlog-tiles).

Only the right edge is held, so a log of any size is folded in small memory, and goes on from where it was left.
Hashes of a row are joined bytes, 32 each: a million leaves are folded without a million objects that stay. The archive
writes by `tree`; a verifier does not rest on the same lines (docs/adr/0004).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evidence.errors import LogError
from evidence.log.hashing import EMPTY_ROOT, HASH_SIZE, tree_root
from evidence.log.tile import WIDTH, Tile, partial_width

if TYPE_CHECKING:
    from collections.abc import Iterator

TILE_BYTES = WIDTH * HASH_SIZE
ENTRY_SIZE = 32
_LENGTH = ENTRY_SIZE.to_bytes(2)
_FRAMED = ENTRY_SIZE + len(_LENGTH)


def tiles_between(old: int, new: int) -> Iterator[Tile]:
    """Tiles that a tree of `new` leaves has, and one of `old` has not or has less of, in the order leaves fill them.

    Each bundle of entries comes before its tile of level 0; partial tiles above level 0 come last, from below.
    """
    if new <= old:
        return
    for index in range(old // WIDTH, -(-new // WIDTH)):
        width = min(WIDTH, new - index * WIDTH)
        yield Tile(None, index, width)
        yield Tile(0, index, width)
        level, filled = 1, index + 1
        while width == WIDTH and filled % WIDTH == 0:
            filled //= WIDTH
            yield Tile(level, filled - 1, WIDTH)
            level += 1
    level = 1
    while new >> 8 * level:
        if partial_width(level, new) and old >> 8 * level != new >> 8 * level:
            yield Tile(level, new >> 8 * (level + 1), partial_width(level, new))
        level += 1


def tile_bytes(tile: Tile) -> int:
    """The length of a tile; a bundle's entries are 32 bytes each (trust-formats §3)."""
    return tile.width * (_FRAMED if tile.level is None else HASH_SIZE)


def bundle_leaves(bundle: bytes) -> bytes:
    """Leaf hashes, joined, of a bundle of 32-byte entries. Raises `LogError` if one has another length."""
    count = len(bundle) // _FRAMED
    if bundle[::_FRAMED] != _LENGTH[:1] * count or bundle[1::_FRAMED] != _LENGTH[1:] * count:
        raise LogError(f"a bundle of entries of {ENTRY_SIZE} bytes, each behind its length, is wanted")
    sha256 = hashlib.sha256
    starts = range(len(_LENGTH), len(bundle), _FRAMED)
    return b"".join([sha256(b"\0" + bundle[at : at + ENTRY_SIZE]).digest() for at in starts])


def tile_root(row: bytes) -> bytes:
    """Root over the 256 hashes of a full tile."""
    sha256 = hashlib.sha256
    while len(row) > HASH_SIZE:
        row = b"".join([sha256(b"\1" + row[at : at + 64]).digest() for at in range(0, len(row), 64)])
    return row


@dataclass(slots=True)
class Growth:
    """The right edge of a tree: of each tile level the joined hashes of its last, partial tile, or nothing."""

    size: int = 0
    rows: list[bytes] = field(default_factory=list)

    def add(self, leaves: bytes) -> list[tuple[Tile, bytes]]:
        """Append leaf hashes, no further than to the end of the tile begun; the tiles that this filled.

        Raises `LogError` if they would reach into the next tile.
        """
        self.size += len(leaves) // HASH_SIZE
        filled: list[tuple[Tile, bytes]] = []
        level, hashes = 0, leaves
        while True:
            if level == len(self.rows):
                self.rows.append(b"")
            row = self.rows[level] + hashes
            if len(row) > TILE_BYTES:
                raise LogError(f"{len(row) // HASH_SIZE} hashes for a tile of {WIDTH}")
            if len(row) < TILE_BYTES:
                self.rows[level] = row
                return filled
            filled.append((Tile(level, (self.size >> 8 * (level + 1)) - 1, WIDTH), row))
            self.rows[level] = b""
            level, hashes = level + 1, tile_root(row)

    def partial(self) -> list[tuple[Tile, bytes]]:
        """The partial tiles of this size."""
        return [
            (Tile(level, self.size >> 8 * (level + 1), len(row) // HASH_SIZE), row)
            for level, row in enumerate(self.rows)
            if row
        ]

    @property
    def root(self) -> bytes:
        below: list[bytes] = []
        for row in self.rows:
            hashes = [*_cut(row), *below]
            below = [tree_root(hashes)] if hashes else []
        return below[0] if below else EMPTY_ROOT


def edge_fits(growth: Growth) -> bool:
    """Whether the rows have the widths that a tree of this size has."""
    widths = [len(row) / HASH_SIZE for row in growth.rows]
    wanted = [partial_width(level, growth.size) for level in range(len(widths))]
    return widths == wanted and not growth.size >> 8 * len(widths)


def _cut(row: bytes) -> list[bytes]:
    return [row[at : at + HASH_SIZE] for at in range(0, len(row), HASH_SIZE)]
