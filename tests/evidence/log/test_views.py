"""Two checkpoints of one log: what they say by themselves, and what a proof that leads to the later one says."""

from __future__ import annotations

import pytest

from evidence.errors import LogError
from evidence.log.checkpoint import Checkpoint
from evidence.log.hashing import EMPTY_ROOT, leaf_hash, tree_root
from evidence.log.proof import verify_consistency
from evidence.log.views import Relation, relation, tie

LEAVES = [leaf_hash(b"%d" % n) for n in range(40)]
FORK = [*LEAVES[:20], *(leaf_hash(b"other %d" % n) for n in range(20))]


def at(size: int, leaves: list[bytes] = LEAVES, origin: str = "a.example/log") -> Checkpoint:
    return Checkpoint(origin, size, tree_root(leaves[:size]))


@pytest.mark.parametrize(
    ("earlier", "later", "said"),
    [
        (at(30), at(30), Relation.SAME),
        (at(30), at(30, FORK), Relation.FORKED),
        (at(30), at(29), Relation.SHRUNK),
        (at(30), at(31), Relation.OPEN),
        (at(30), at(31, origin="b.example/log"), Relation.OTHER_ORIGIN),
        (at(0), at(31), Relation.CONTINUES),
        (Checkpoint("a.example/log", 0, LEAVES[0]), at(31), Relation.FORKED),
        (Checkpoint("a.example/log", 0, EMPTY_ROOT), at(0), Relation.SAME),
    ],
)
def test_what_two_checkpoints_say_by_themselves(earlier: Checkpoint, later: Checkpoint, said: Relation) -> None:
    assert relation(earlier, later) is said


@pytest.mark.parametrize("size", range(1, 40))
def test_a_tie_gives_the_root_that_the_later_log_is_bound_to(size: int) -> None:
    for leaves in (LEAVES, FORK):
        later = at(40, leaves)
        found = tie(at(size), later, lambda start, stop, leaves=leaves: tree_root(leaves[start:stop]))
        assert (found.root == at(size).root) == (leaves is LEAVES or size <= 20)
        verify_consistency(size, 40, found.root, later.root, found.hashes)


@pytest.mark.parametrize("size", [1, 16, 21, 32, 39])
def test_hashes_that_do_not_lead_to_the_later_root_say_nothing(size: int) -> None:
    with pytest.raises(LogError):
        tie(at(size), at(40, FORK), lambda start, stop: tree_root(LEAVES[start:stop]))
