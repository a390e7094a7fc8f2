"""Proofs against published vectors, a slow reference, and every change of a proof."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import LogError
from evidence.log.hashing import EMPTY_ROOT, leaf_hash, node_hash, tree_root
from evidence.log.proof import consistency_proof, inclusion_proof, verify_consistency, verify_inclusion

VECTORS = Path(__file__).parents[2] / "vectors"
LEAVES = [leaf_hash(str(n).encode()) for n in range(70)]


def slow_root(start: int, stop: int) -> bytes:
    """RFC 6962 §2.1, word for word."""
    count = stop - start
    if count == 0:
        return hashlib.sha256(b"").digest()
    if count == 1:
        return LEAVES[start]
    k = 1
    while k * 2 < count:
        k *= 2
    return node_hash(slow_root(start, start + k), slow_root(start + k, stop))


def _raw(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("kind", ["inclusion", "consistency"])
def test_published_proofs_are_judged_as_published(kind: str) -> None:
    for name, case in json.loads((VECTORS / f"rfc6962/{kind}.json").read_text()).items():
        hashes = [_raw(text) for text in case["proof"] or []]
        try:
            if kind == "inclusion":
                root, leaf = _raw(case["root"]), _raw(case["leafHash"])
                verify_inclusion(leaf, case["leafIdx"], case["treeSize"], hashes, root)
            else:
                roots = _raw(case["root1"]), _raw(case["root2"])
                verify_consistency(case["size1"], case["size2"], *roots, hashes)
            failed = False
        except LogError:
            failed = True
        assert failed == case["wantErr"], name


@given(st.integers(1, 70).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
def test_each_leaf_is_shown_to_be_included(case: tuple[int, int]) -> None:
    size, index = case
    root = slow_root(0, size)
    assert tree_root(LEAVES[:size]) == root
    hashes = inclusion_proof(index, size, slow_root)
    verify_inclusion(LEAVES[index], index, size, hashes, root)
    for other in range(size):
        if other != index:
            with pytest.raises(LogError):
                verify_inclusion(LEAVES[index], other, size, hashes, root)
    for bad in (hashes[1:], [*hashes, root], [root, *hashes]):
        if bad != hashes:
            with pytest.raises(LogError):
                verify_inclusion(LEAVES[index], index, size, bad, root)


@given(st.integers(1, 70).flatmap(lambda new: st.tuples(st.integers(1, new), st.just(new))))
def test_a_longer_tree_is_shown_to_continue_a_shorter_one(case: tuple[int, int]) -> None:
    old, new = case
    roots = slow_root(0, old), slow_root(0, new)
    hashes = consistency_proof(old, new, slow_root)
    verify_consistency(old, new, *roots, hashes)
    with pytest.raises(LogError):
        verify_consistency(old, new, *roots, [*hashes, LEAVES[0]])
    with pytest.raises(LogError):
        verify_consistency(old, new, LEAVES[69], roots[1], hashes)
    if hashes:
        with pytest.raises(LogError):
            verify_consistency(old, new, *roots, hashes[:-1])


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert tree_root([]) == EMPTY_ROOT == hashlib.sha256(b"").digest()


def test_a_shrinking_log_is_refused() -> None:
    with pytest.raises(LogError, match="does not shrink"):
        verify_consistency(5, 4, LEAVES[0], LEAVES[1], [])
