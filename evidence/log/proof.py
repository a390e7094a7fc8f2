"""Inclusion and consistency proofs: build and verify (RFC 6962 §2.1.1, §2.1.2; verification as RFC 9162 §2.1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.errors import LogError
from evidence.log.hashing import EMPTY_ROOT, HASH_SIZE, node_hash, split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    SubtreeRoot = Callable[[int, int], bytes]


def inclusion_proof(index: int, size: int, subtree_root: SubtreeRoot) -> list[bytes]:
    """Hashes from the leaf's sibling upward. `subtree_root(start, stop)` is the root over these leaves."""
    if not 0 <= index < size:
        raise LogError(f"no leaf {index} in a tree of {size}")
    hashes, start, stop = [], 0, size
    while stop - start > 1:
        middle = start + split(stop - start)
        if index < middle:
            hashes.append(subtree_root(middle, stop))
            stop = middle
        else:
            hashes.append(subtree_root(start, middle))
            start = middle
    return hashes[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, hashes: Sequence[bytes], root: bytes) -> None:
    """Nothing, or `LogError`: the leaf does not stand at `index` under `root`."""
    if not 0 <= index < size:
        raise LogError(f"index {index} is not below the tree size {size}")
    node, position, last = leaf, index, size - 1
    for sibling in hashes:
        if last == 0:
            raise LogError(f"inclusion proof of leaf {index} in {size}: too many hashes ({len(hashes)})")
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise LogError(f"inclusion proof of leaf {index} in {size}: hashes are missing ({len(hashes)} given)")
    if len(leaf) != HASH_SIZE or node != root:
        raise LogError(f"inclusion proof of leaf {index} in {size}: got root {node.hex()}, wanted {root.hex()}")


def consistency_proof(old: int, new: int, subtree_root: SubtreeRoot) -> list[bytes]:
    """That the tree of `old` leaves is the beginning of the tree of `new` leaves."""
    if not 0 <= old <= new:
        raise LogError(f"no consistency from {old} to {new}")
    return [] if old in (0, new) else _subproof(old, 0, new, subtree_root, known=True)


def _subproof(old: int, start: int, stop: int, subtree_root: SubtreeRoot, *, known: bool) -> list[bytes]:
    if old == stop:
        return [] if known else [subtree_root(start, stop)]
    middle = start + split(stop - start)
    if old <= middle:
        return [*_subproof(old, start, middle, subtree_root, known=known), subtree_root(middle, stop)]
    return [*_subproof(old, middle, stop, subtree_root, known=False), subtree_root(start, middle)]


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, hashes: Sequence[bytes]) -> None:
    """Nothing, or `LogError`: the new tree does not continue the old one.

    From an empty tree nothing can be proved, so that is refused as well.
    """
    _refuse_impossible(old, new, old_root, new_root, hashes)
    if old == new:
        return
    first, last, path = old - 1, new - 1, list(hashes)
    while first & 1:
        first, last = first >> 1, last >> 1
    if first == 0:
        path.insert(0, old_root)
    roots = _climb(first, last, path)
    if roots != (old_root, new_root):
        raise LogError(f"consistency from {old} to {new}: the proof does not lead from one root to the other")


def _refuse_impossible(old: int, new: int, old_root: bytes, new_root: bytes, hashes: Sequence[bytes]) -> None:
    if not 0 <= old <= new:
        raise LogError(f"consistency from {old} to {new}: a log does not shrink")
    if old == 0 and new > 0:
        raise LogError(f"consistency from 0 to {new}: an empty tree proves nothing")
    if new == 0 and new_root != EMPTY_ROOT:
        raise LogError("the root of an empty tree is SHA-256 of nothing")
    if old == new and (hashes or old_root != new_root):
        raise LogError(f"two roots for the size {old}, or a proof where none is due")
    if old != new and not hashes:
        raise LogError(f"consistency from {old} to {new}: the proof is empty")


def _climb(first: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Both roots that the path leads to, or None if it is too short or too long."""
    older = newer = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if first & 1 or first == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            newer = node_hash(newer, sibling)
        first, last = first >> 1, last >> 1
    return None if last else (older, newer)
