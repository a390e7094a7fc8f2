"""Proofs in a log of ten million leaves: how large, how fast made from tiles and how fast checked.

    .venv/bin/python bench/proofs.py [--leaves 10000000] [--proofs 1000]

The tree is made in memory, as tiles hold it: the leaves' hashes and the roots of full tiles of each level. A proof is
made from those rows as the archive makes it, and checked as a verifier does.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from evidence.log.growth import Growth, tile_root
from evidence.log.proof import consistency_proof, inclusion_proof, verify_consistency, verify_inclusion
from evidence.log.tlogproof import TlogProof
from evidence.log.tree import subtree_root

HASH = 32


def rows(leaves: int) -> tuple[list[bytearray], bytes]:
    """Joined hashes of each tile level, and the root; a leaf's hash is that of its number."""
    growth, levels = Growth(), [bytearray()]
    for start in range(0, leaves, 256):
        part = b"".join([hashlib.sha256(b"\0%d" % n).digest() for n in range(start, min(start + 256, leaves))])
        levels[0] += part
        for tile, row in growth.add(part):
            level = (tile.level or 0) + 1
            if level == len(levels):
                levels.append(bytearray())
            levels[level] += tile_root(row)
    return levels, growth.root


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--leaves", type=int, default=10_000_000)
    parser.add_argument("--proofs", type=int, default=1_000)
    options = parser.parse_args()
    size = options.leaves
    begin = time.perf_counter()
    levels, root = rows(size)
    print(f"{size:,} leaves hashed and folded in {time.perf_counter() - begin:.1f} s")

    def hashes(level: int, first: int, last: int) -> list[bytes]:
        return [bytes(levels[level][at * HASH : (at + 1) * HASH]) for at in range(first, last)]

    def root_of(start: int, stop: int) -> bytes:
        return subtree_root(start, stop, hashes)

    rng = random.Random(1)
    inclusion(rng.sample(range(size), options.proofs), size, levels, root, root_of)
    consistency([rng.randrange(1, size) for _ in range(options.proofs)], size, root, root_of)


def inclusion(indices: list[int], size: int, levels: list[bytearray], root: bytes, root_of) -> None:  # noqa: ANN001
    begin = time.perf_counter()
    proofs = [inclusion_proof(index, size, root_of) for index in indices]
    made = time.perf_counter() - begin
    begin = time.perf_counter()
    for index, proof in zip(indices, proofs, strict=True):
        verify_inclusion(bytes(levels[0][index * HASH : (index + 1) * HASH]), index, size, proof, root)
    report("inclusion", len(indices), made, time.perf_counter() - begin, proofs)
    text = max(len(str(TlogProof(index, tuple(proof), ""))) for index, proof in zip(indices, proofs, strict=True))
    print(f"inclusion: as C2SP tlog-proof text at most {text} bytes before the checkpoint")


def consistency(sizes: list[int], size: int, root: bytes, root_of) -> None:  # noqa: ANN001
    begin = time.perf_counter()
    proofs = [consistency_proof(old, size, root_of) for old in sizes]
    made = time.perf_counter() - begin
    roots = [root_of(0, old) for old in sizes]
    begin = time.perf_counter()
    for old, old_root, proof in zip(sizes, roots, proofs, strict=True):
        verify_consistency(old, size, old_root, root, proof)
    report("consistency", len(sizes), made, time.perf_counter() - begin, proofs)


def report(kind: str, count: int, made: float, checked: float, proofs: list[list[bytes]]) -> None:
    hashes = [len(proof) for proof in proofs]
    print(f"{kind}: {min(hashes)} to {max(hashes)} hashes, at most {max(hashes) * HASH} bytes; "
          f"made in {made / count * 1000:.2f} ms, checked in {checked / count * 1e6:.0f} µs")  # fmt: skip


if __name__ == "__main__":
    main()
