"""The tiles of a log, each against what its leaves make of it (C2SP tlog-tiles, trust-formats §3).

Leaves are counted from the bundles of entries; every tile of hashes, of whichever level, has to say the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evidence.errors import LogError
from evidence.log.growth import Growth, bundle_leaves, tile_bytes
from evidence.log.hashing import HASH_SIZE
from evidence.log.tile import WIDTH

if TYPE_CHECKING:
    from evidence.log.checkpoint import Checkpoint
    from evidence.log.tile import Tile
    from evidence.verify.findings import Findings

MOST_WRONG = 20
"""So many wrong tiles say enough; a hostile log could show millions."""


@dataclass(slots=True)
class TileCheck:
    """Takes the tiles of `tiles_between` in their order, those that are missing as None. Owned by one check.

    `growth` grows with them; `marks` are sizes whose roots are wanted, and stand in `roots` afterwards.
    """

    growth: Growth
    size: int
    marks: frozenset[int]
    findings: Findings
    roots: dict[int, bytes] = field(default_factory=dict)
    stopped: bool = False
    """Nothing more can be told from further tiles."""
    _leaves: bytes | None = None
    _wanted: dict[Tile, bytes] = field(default_factory=dict)
    _wrong: int = 0

    def __post_init__(self) -> None:
        if self.growth.size in self.marks:
            self.roots[self.growth.size] = self.growth.root

    def take(self, tile: Tile, data: bytes | None) -> None:
        if data is not None and len(data) != tile_bytes(tile):
            got, wanted = f"{len(data)} bytes", f"{tile_bytes(tile)}"
            self._say("tile-short", tile, "the tile has not the length of its width", got, wanted)
            data = None
        if tile.level is None:
            self._leaves = self._take_entries(tile, data) if data is not None else None
        elif tile.level == 0:
            self._take_leaves(tile, data)
        else:
            self._take_hashes(tile, data)

    def _take_hashes(self, tile: Tile, data: bytes | None) -> None:
        wanted = self._wanted.pop(tile)
        if data is not None and data != wanted:
            first = _first_difference(data, wanted)
            message = f"hash {first} of the tile is not that of the leaves below it"
            self._say("tile-hashes", tile, message, *_differing(data, wanted, first))

    def _take_entries(self, tile: Tile, data: bytes) -> bytes | None:
        try:
            return bundle_leaves(data)
        except LogError as error:
            self._say("tile-format", tile, "the entries cannot be read", str(error), "")
            return None

    def _take_leaves(self, tile: Tile, data: bytes | None) -> None:
        if data is not None and self._leaves is not None and data != self._leaves:
            first = _first_difference(data, self._leaves)
            message = f"leaf {tile.index * WIDTH + first} is not the hash of its entry"
            self._say("tile-entries", tile, message, *_differing(data, self._leaves, first))
        leaves = data if self._leaves is None else self._leaves
        if leaves is None:
            self.stopped = True
            return
        known = self.growth.rows[0] if self.growth.rows else b""
        if not leaves.startswith(known):
            first = _first_difference(leaves, known)
            message = f"leaf {tile.index * WIDTH + first} is another than was seen before"
            self._say("tile-changed", tile, message, *_differing(leaves, known, first))
        self._grow(leaves[len(known) :])

    def _grow(self, leaves: bytes) -> None:
        stop = self.growth.size + len(leaves) // HASH_SIZE
        for size in (*sorted(mark for mark in self.marks if self.growth.size < mark < stop), stop):
            count = (size - self.growth.size) * HASH_SIZE
            self._expect(self.growth.add(leaves[:count]))
            leaves = leaves[count:]
            if size in self.marks:
                self.roots[size] = self.growth.root
        if stop == self.size:
            self._expect(self.growth.partial())

    def _expect(self, tiles: list[tuple[Tile, bytes]]) -> None:
        self._wanted.update((tile, row) for tile, row in tiles if tile.level)

    def _say(self, code: str, tile: Tile, message: str, got: str, wanted: str) -> None:
        self.findings.wrong(code, tile.path, message, got=got, wanted=wanted)
        self._wrong += 1
        self.stopped = self.stopped or self._wrong >= MOST_WRONG

    @property
    def is_clean(self) -> bool:
        return not self._wrong

    def leads_to(self, checkpoint: Checkpoint, where: str) -> bool:
        """Whether the leaves make the checkpoint's root."""
        at = f"{self.growth.size} leaves"
        if self.growth.size < checkpoint.size:
            message = f"only {at} could be read, so the root was not made anew"
            self.findings.unchecked("log-root", where, message, wanted=f"{checkpoint.size}")
            return False
        if self.growth.root == checkpoint.root:
            self.findings.ok("log-root", where, f"{at} make the checkpoint's root")
            return True
        message = f"{at} were read and do not make the root of the checkpoint of size {checkpoint.size}"
        self.findings.wrong("log-root", where, message, got=self.growth.root.hex(), wanted=checkpoint.root.hex())
        return False


def _first_difference(left: bytes, right: bytes) -> int:
    """Number of the first hash in which they differ."""
    pairs = zip(left, right, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right))) // HASH_SIZE


def _differing(got: bytes, wanted: bytes, number: int) -> tuple[str, str]:
    at = slice(number * HASH_SIZE, (number + 1) * HASH_SIZE)
    return got[at].hex(), wanted[at].hex()
