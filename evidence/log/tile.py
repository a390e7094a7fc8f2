"""Tiles of the log: 256 hashes each, and the paths under which they are served (C2SP tlog-tiles)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evidence.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 256
_PATH = re.compile(r"(entries|0|[1-9]\d?)/((?:x\d{3}/){0,5})(\d{3})(?:\.p/([1-9]\d{0,2}))?")
_HIGHEST_LEVEL = 63


@dataclass(frozen=True, slots=True)
class Tile:
    """`level` None means a bundle of entries; `width` below 256 a partial tile."""

    level: int | None
    index: int
    width: int

    @property
    def path(self) -> str:
        level = "entries" if self.level is None else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{_index_path(self.index)}{partial}"


def _index_path(index: int) -> str:
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    return "/".join(reversed(groups))


def parse_tile_path(path: str) -> Tile:
    """The tile at `path` (without the leading `tile/`). Raises `LogError` for any other spelling."""
    found = _PATH.fullmatch(path)
    if not found:
        raise LogError(f"not a tile path: {path[:80]!r}")
    index = int(found[2].replace("x", "").replace("/", "") + found[3])
    tile = Tile(None if found[1] == "entries" else int(found[1]), index, int(found[4] or WIDTH))
    if tile.path != f"tile/{path}" or (tile.level or 0) > _HIGHEST_LEVEL or (found[4] and tile.width >= WIDTH):
        raise LogError(f"not a tile path: {path[:80]!r}")
    return tile


def partial_width(level: int, size: int) -> int:
    """Width of the last, partial tile of a level in a tree of `size` leaves; 0 if there is none."""
    return (size >> 8 * level) % WIDTH


def is_in_tree(tile: Tile, size: int) -> bool:
    """Whether a log of `size` leaves holds (at least) this much of the tile."""
    return tile.index * WIDTH + tile.width <= size >> 8 * (tile.level or 0)


def entry_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries, each behind its length as uint16 big-endian."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def parse_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle. Raises `LogError` if it is cut."""
    entries, at = [], 0
    while at < len(data):
        stop = at + 2 + int.from_bytes(data[at : at + 2])
        if at + 2 > len(data) or stop > len(data):
            raise LogError(f"entry bundle is cut at byte {at}")
        entries.append(data[at + 2 : stop])
        at = stop
    return entries
