"""Leaf and node hashes of the tree (RFC 6962 §2.1)."""

from __future__ import annotations

import hashlib
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(count: int) -> int:
    """The largest power of two below `count` (≥ 2): where the left subtree ends."""
    return 1 << (count - 1).bit_length() - 1


def tree_root(hashes: Sequence[bytes]) -> bytes:
    """Root over leaf or subtree hashes of equal height, the last of which may stand for less."""
    if not hashes:
        return EMPTY_ROOT
    row, sha256 = list(hashes), hashlib.sha256
    while len(row) > 1:
        above = map(b"".join, zip(repeat(b"\x01"), row[::2], row[1::2], strict=False))
        row = [sha256(node).digest() for node in above] + row[len(row) - len(row) % 2 :]
    return row[0]
