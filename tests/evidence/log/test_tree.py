"""A tree that grows by its edge has the roots of the whole tree, and names each tile when it becomes full."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.log import tree
from evidence.log.hashing import EMPTY_ROOT, leaf_hash, tree_root
from evidence.log.tile import WIDTH

LEAVES = tuple(leaf_hash(n.to_bytes(4)) for n in range(70_000))
EMPTY = tree.Edge(0, ())


class Kept:
    """What somebody keeps who writes down what `append` says: leaves, and roots of full tiles by level."""

    def __init__(self) -> None:
        self.edge, self.levels = EMPTY, [list[bytes]()]
        self.asked = 0

    def add(self, leaves: tuple[bytes, ...]) -> None:
        self.edge, full = tree.append(self.edge, leaves)
        self.levels[0] += leaves
        for tile in full:
            self.levels += [[]] if tile.level == len(self.levels) else []
            assert tile.index == len(self.levels[tile.level])
            self.levels[tile.level].append(tile.hash)

    def hashes(self, level: int, start: int, stop: int) -> list[bytes]:
        assert stop - start <= WIDTH
        assert start == stop or start // WIDTH == (stop - 1) // WIDTH
        self.asked += stop - start
        return self.levels[level][start:stop]

    def read(self) -> tree.Edge:
        ranges = tree.edge_ranges(self.edge.size)
        return tree.Edge(self.edge.size, tuple(tuple(self.hashes(*each)) for each in ranges))


def test_an_empty_tree_has_the_root_of_nothing() -> None:
    assert EMPTY.root == EMPTY_ROOT
    assert list(tree.edge_ranges(0)) == []
    assert tree.append(EMPTY, ()) == (EMPTY, [])


@given(st.lists(st.integers(0, 700), max_size=5))
def test_it_grows_by_batches_as_if_it_had_been_made_at_once(batches: list[int]) -> None:
    kept, size = Kept(), 0
    for count in batches:
        kept.add(LEAVES[size : size + count])
        size += count
        assert (kept.edge.size, kept.edge.root) == (size, tree_root(LEAVES[:size]))
        assert kept.read() == kept.edge


@pytest.mark.parametrize("size", [255, 256, 257, 65_535, 65_536, 65_537, 70_000])
def test_at_the_bounds_of_tiles_its_root_and_its_edge_are_right(size: int) -> None:
    kept = Kept()
    kept.add(LEAVES[: size - 1])
    kept.add(LEAVES[size - 1 : size])
    assert kept.edge.root == tree_root(LEAVES[:size])
    assert kept.read() == kept.edge
    assert kept.asked < WIDTH * len(kept.levels)
    assert tree.subtree_root(0, size, kept.hashes) == tree_root(LEAVES[:size])


@given(st.integers(0, 11), st.data())
def test_a_subtree_has_the_root_of_its_leaves(height: int, data: st.DataObject) -> None:
    width = 1 << height
    start = data.draw(st.integers(0, (len(LEAVES) - 1) // width)) * width
    stop = data.draw(st.integers(start + 1, min(start + width, len(LEAVES))))
    assert tree.subtree_root(start, stop, FULL.hashes) == tree_root(LEAVES[start:stop])


FULL = Kept()
FULL.add(LEAVES)
