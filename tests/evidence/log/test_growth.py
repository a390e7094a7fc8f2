"""A tree folded tile by tile is the tree of RFC 6962, at every size and from wherever it goes on."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import LogError
from evidence.log.growth import Growth, bundle_leaves, edge_fits, tile_bytes, tile_root, tiles_between
from evidence.log.hashing import leaf_hash, tree_root
from evidence.log.tile import Tile, entry_bundle, is_in_tree

ENTRIES = [hashlib.sha256(b"%d" % n).digest() for n in range(70_000)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
SIZES = (0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 66_000, 70_000)


def grow(growth: Growth, size: int) -> dict[Tile, bytes]:
    """Grow to a size by parts of tiles; all tiles that it has then and had not before."""
    tiles: dict[Tile, bytes] = {}
    while growth.size < size:
        stop = min(size, (growth.size // 256 + 1) * 256)
        tiles.update(growth.add(b"".join(LEAVES[growth.size : stop])))
    return tiles | dict(growth.partial())


@pytest.mark.parametrize("size", SIZES)
def test_tiles_and_root_are_those_of_the_leaves(size: int) -> None:
    growth = Growth()
    tiles = grow(growth, size)
    assert growth.root == tree_root(LEAVES[:size])
    assert edge_fits(growth)
    for tile, row in tiles.items():
        unit = 256**tile.level
        starts = range(tile.index * 256 * unit, (tile.index * 256 + tile.width) * unit, unit)
        assert row == b"".join(tree_root(LEAVES[start : start + unit]) for start in starts)
        assert len(row) == tile_bytes(tile)
        assert is_in_tree(tile, size)
    planned = list(tiles_between(0, size))
    assert {tile for tile in planned if tile.level is not None} == set(tiles)
    assert [tile.index for tile in planned if tile.level is None] == list(range(-(-size // 256)))


@given(st.integers(0, 1500), st.integers(0, 1500))
def test_what_is_new_is_what_the_smaller_tree_has_not(old: int, new: int) -> None:
    wanted = set(tiles_between(0, new)) - set(tiles_between(0, old)) if old <= new else set()
    planned = list(tiles_between(old, new))
    assert set(planned) == wanted
    assert len(planned) == len(wanted)


@given(st.integers(0, 1500), st.integers(0, 1500))
def test_it_goes_on_from_where_it_was_left(first: int, second: int) -> None:
    growth = Growth()
    grow(growth, first)
    later = Growth(growth.size, list(growth.rows))
    grow(later, max(first, second))
    assert later.root == tree_root(LEAVES[: max(first, second)])
    assert edge_fits(later)


def test_an_edge_of_other_widths_is_none() -> None:
    growth = Growth()
    grow(growth, 300)
    for rows in ([], growth.rows[:1], growth.rows[::-1], [growth.rows[0][:-1], growth.rows[1]], [b"", *growth.rows]):
        assert not edge_fits(Growth(300, rows))
    assert not edge_fits(Growth(301, growth.rows))


def test_leaves_for_more_than_a_tile_are_refused() -> None:
    with pytest.raises(LogError, match="257 hashes"):
        Growth().add(b"".join(LEAVES[:257]))


@given(st.integers(1, 256))
def test_a_bundle_gives_its_leaf_hashes(count: int) -> None:
    assert bundle_leaves(entry_bundle(ENTRIES[:count])) == b"".join(LEAVES[:count])


@pytest.mark.parametrize("bundle", [
    entry_bundle([b"x" * 31, b"x" * 33]), entry_bundle([b"x" * 33]), entry_bundle([ENTRIES[0]]) + b"\0",
    b"\x01" + entry_bundle([ENTRIES[0]])[1:], entry_bundle([ENTRIES[0]])[:-1],
])  # fmt: skip
def test_a_bundle_of_other_entries_is_refused(bundle: bytes) -> None:
    with pytest.raises(LogError, match="32 bytes"):
        bundle_leaves(bundle)


def test_the_root_of_a_full_tile() -> None:
    assert tile_root(b"".join(LEAVES[:256])) == tree_root(LEAVES[:256])
