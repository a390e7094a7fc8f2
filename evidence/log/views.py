"""Two signed views of one log: whether both can be true, and what proves that they cannot (RFC 6962 §2.1.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from evidence.log.hashing import EMPTY_ROOT
from evidence.log.proof import consistency_proof, verify_consistency

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.log.checkpoint import Checkpoint


class Relation(StrEnum):
    """How a checkpoint stands to one that was seen before it."""

    SAME = "same"
    CONTINUES = "continues"
    OTHER_ORIGIN = "origin"
    SHRUNK = "shrunk"
    FORKED = "forked"
    OPEN = "open"
    """The two alone do not say; the leaves between them do."""


def relation(earlier: Checkpoint, later: Checkpoint) -> Relation:
    """What the two checkpoints say by themselves."""
    if earlier.origin != later.origin:
        return Relation.OTHER_ORIGIN
    if earlier.size > later.size:
        return Relation.SHRUNK
    if earlier.size == later.size:
        return Relation.SAME if earlier.root == later.root else Relation.FORKED
    if earlier.size == 0:
        return Relation.CONTINUES if earlier.root == EMPTY_ROOT else Relation.FORKED
    return Relation.OPEN


@dataclass(frozen=True, slots=True)
class Tie:
    """What the later tree has at the earlier size: `root`, and `hashes` that lead from it to the later root."""

    root: bytes
    hashes: tuple[bytes, ...]


def tie(earlier: Checkpoint, later: Checkpoint, subtree_root: Callable[[int, int], bytes]) -> Tie:
    """From subtree roots of the later tree, given by somebody not trusted; both sizes above 0, the earlier one smaller.

    Raises `LogError` if they do not lead to the later checkpoint's root: then nothing is known. Whoever signed the
    later checkpoint is bound to the root that is returned; if the earlier one has another, there are two histories.
    """
    hashes = tuple(consistency_proof(earlier.size, later.size, subtree_root))
    root = subtree_root(0, earlier.size)
    verify_consistency(earlier.size, later.size, root, later.root, hashes)
    return Tie(root, hashes)
