"""The unit tree of a whole file (trust-formats §7), in small memory and by several processes.

Units are taken in segments of 16,384, each a subtree of its own: their roots, in order, have the tree's root, because
RFC 6962 splits at powers of two. Salts are AES-CTR's keystream, so any segment can begin anywhere. A unit may be as
long as it likes: it is hashed as it is read.

One pass takes the digest of the file and finds its lines, while other processes hash the segments that it has passed.
"""

from __future__ import annotations

import base64
import hashlib
import os
from bisect import bisect_left
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import chain, islice, pairwise
from multiprocessing import get_context
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from evidence.canonical import canonical
from evidence.errors import LogError, ReadingError
from evidence.log.hashing import split, tree_root
from evidence.log.units import DISCLOSURE_FORMAT
from evidence.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from evidence.digest import Digest

PLANT, DISCLOSE = "units.plant@1", "units.disclose@1"
"""Jobs of a child: the tree of a file, and a disclosure of some of its units."""
FORMAT = "custos/unit-tree@1"
LINE = "line"
SEGMENT = 1 << 14
WORKERS = 2
BLOCK = 1 << 18
"""Bytes that are read at once; more take new pages and leave the processor's cache."""
_SALT = 16


@dataclass(frozen=True, slots=True)
class Segment:
    """`count` units, `first` and after, in bytes `start` up to `stop`; `ends` where they end, or None for lines."""

    first: int
    count: int
    start: int
    stop: int
    ends: Any = None


@dataclass(frozen=True, slots=True)
class Tree:
    """A file cut into units of a kind: its segments, and the root of each."""

    kind: str
    segments: list[Segment]
    roots: list[bytes]

    @property
    def count(self) -> int:
        return sum(segment.count for segment in self.segments)


def run(
    job: str, paths: dict[str, Path], digests: dict[str, Digest], parameters: dict[str, Any], folder: Path
) -> list[Output]:
    """`tree.json`, or `disclosure.json` without its receipt. Raises `LogError`, `ReadingError`.

    `parameters`: `key` (hex), `kind`, and to disclose `indices` or `ranges` (pairs of bytes). Kinds other than lines
    have the reader's `table` and `rejects` among the paths.
    """
    key, source = bytes.fromhex(parameters["key"]), paths["source"]
    tree = _grown(parameters["kind"], paths, key, digests["source"])
    said = {"format": FORMAT, "kind": tree.kind, "count": tree.count, "root": _text(tree_root(tree.roots))}
    if job == PLANT:
        (folder / "tree.json").write_bytes(canonical(said))
        return [Output("tree.json", folder / "tree.json")]
    shown = set(parameters.get("indices", ())) | indices_of(source, tree, parameters.get("ranges", ()))
    value = _disclosure(source, key, tree, sorted(shown), digests["source"])
    (folder / "disclosure.json").write_bytes(canonical(value))
    return [Output("disclosure.json", folder / "disclosure.json")]


def _grown(kind: str, paths: dict[str, Path], key: bytes, wanted: Digest) -> Tree:
    """Raises `ReadingError` for a source that does not have the digest."""
    state, source, found = hashlib.sha256(), paths["source"], list[Segment]()
    segments = lines(source, state) if kind == LINE else records(paths, state)
    tree = Tree(kind, found, _roots(source, key, _kept(segments, found)))
    if state.hexdigest() != wanted.hex:
        raise ReadingError(
            f"the source has the digest sha256:{state.hexdigest()}, wanted {wanted}: the store is damaged"
        )
    return tree


def _kept(segments: Iterable[Segment], found: list[Segment]) -> Iterator[Segment]:
    for segment in segments:
        found.append(segment)
        yield segment


def lines(path: Path, state: Any) -> Iterator[Segment]:
    """Up to and including each newline; the last may lack it. `state` takes all bytes."""
    first = count = start = at = 0
    last = b""
    for block in _blocks(path, 0, path.stat().st_size):
        state.update(block)
        is_end = np.frombuffer(block, dtype=np.uint8) == ord("\n")
        count += int(np.count_nonzero(is_end))
        if count >= SEGMENT:
            ends = at + np.flatnonzero(is_end) + 1
            for stop in ends[len(ends) - 1 - (count - SEGMENT) :: SEGMENT].tolist():
                yield Segment(first, SEGMENT, start, stop)
                first, count, start = first + SEGMENT, count - SEGMENT, stop
        at, last = at + len(block), block[-1:]
    if start < at:
        yield Segment(first, count + (last != b"\n"), start, at)


def records(paths: dict[str, Path], state: Any) -> Iterator[Segment]:
    """The reader's record spans; what lies between them is a unit of its own, so that units cover the file."""
    source, size = paths["source"], paths["source"].stat().st_size
    spans = [_spans(paths[name]) for name in ("table", "rejects")]
    edges = np.unique(np.concatenate([*(span for pair in spans for span in pair), [0, size]]))
    if edges[0] < 0 or edges[-1] > size:
        raise ReadingError(f"records from {edges[0]} to {edges[-1]} do not lie in a file of {size} bytes")
    for at in range(0, len(edges) - 1, SEGMENT):
        ends = edges[at + 1 : at + 1 + SEGMENT]
        yield Segment(at, len(ends), int(edges[at]), int(ends[-1]), ends)
    for block in _blocks(source, 0, size):
        state.update(block)


def _spans(path: Path) -> tuple[Any, Any]:
    table = pq.read_table(path, columns=["start", "stop"])
    return table["start"].to_numpy(), table["stop"].to_numpy()


def indices_of(path: Path, tree: Tree, ranges: Sequence[Sequence[int]]) -> set[int]:
    """The units that these ranges of bytes touch. Raises `LogError` for one that lies outside of the file."""
    found: set[int] = set()
    begins = [segment.start for segment in tree.segments]
    for start, stop in ranges:
        if not 0 <= start < stop <= (tree.segments[-1].stop if tree.segments else 0):
            raise LogError(f"bytes {start} to {stop} do not lie in the file")
        for place in range(bisect_left(begins, start + 1) - 1, bisect_left(begins, stop)):
            segment = tree.segments[place]
            ends = _ends(path, segment)
            low, high = np.searchsorted(ends, [max(start, segment.start), min(stop, segment.stop) - 1], side="right")
            found |= set(range(segment.first + int(low), segment.first + int(high) + 1))
    return found


def _ends(path: Path, segment: Segment) -> Any:
    if segment.ends is not None:
        return segment.ends
    found, at = [], segment.start
    for block in _blocks(path, segment.start, segment.stop):
        found.append(np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 10) + 1 + at)
        at += len(block)
    return np.unique(np.concatenate([*found, [segment.stop]]))


def _roots(path: Path, key: bytes, segments: Iterator[Segment]) -> list[bytes]:
    """Each segment's root, in order; by several processes, while `segments` are found, if there is more than one."""
    begun = list(islice(segments, 2))
    if len(begun) < 2:
        return [_root(path, key, segment) for segment in chain(begun, segments)]
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        return list(pool.map(partial(_root, path, key), chain(begun, segments)))


def _root(path: Path, key: bytes, segment: Segment) -> bytes:
    return tree_root(leaves(path, key, segment))


def leaves(path: Path, key: bytes, segment: Segment) -> list[bytes]:
    """Leaf hashes of a segment's units; only what a block cuts is hashed in pieces."""
    found: list[bytes] = []
    sha256, state, at = hashlib.sha256, None, segment.start
    begins = _begins(key, segment)
    for block in _blocks(path, segment.start, segment.stop):
        whole, rest = _cut(block, at, segment.ends)
        at += len(block)
        if state is not None and whole:
            state.update(whole.pop(0))
            found.append(state.digest())
            state = None
        found += [sha256(unit).digest() for unit in map(add, begins[len(found) :], whole)]
        if rest:
            state = state or sha256(begins[len(found)])
            state.update(rest)
    return found if state is None else [*found, state.digest()]


def _begins(key: bytes, segment: Segment) -> list[bytes]:
    """What is hashed before each unit: a zero byte and the unit's salt."""
    rows = np.zeros((segment.count, 1 + _SALT), dtype=np.uint8)
    salts = salts_from(key, segment.first, segment.count)
    rows[:, 1:] = np.frombuffer(salts, dtype=np.uint8).reshape(segment.count, _SALT)
    begins: list[bytes] = rows.view(f"V{1 + _SALT}").ravel().tolist()
    return begins


def _cut(block: bytes, at: int, ends: Any) -> tuple[list[bytes], bytes]:
    """Units that end in a block from byte `at` on, and what is left."""
    if ends is None:
        units = BytesIO(block).readlines()
        return units, b"" if block.endswith(b"\n") else units.pop()
    low, high = np.searchsorted(ends, [at, at + len(block)], side="right")
    edges = [0, *(ends[low:high] - at).tolist()]
    return [block[begin:end] for begin, end in pairwise(edges)], block[edges[-1] :]


def salts_from(key: bytes, first: int, count: int) -> bytes:
    """`AES-256(key, u128be(i))` for `count` units from `first` on, end to end."""
    return Cipher(algorithms.AES(key), modes.CTR(first.to_bytes(16))).encryptor().update(bytes(_SALT * count))


def _blocks(path: Path, start: int, stop: int) -> Iterator[bytes]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        while start < stop:
            block = os.pread(descriptor, min(BLOCK, stop - start), start)
            if not block:
                raise ReadingError(f"the file ends at byte {start}, before {stop}")
            start += len(block)
            yield block
    finally:
        os.close(descriptor)


def _disclosure(path: Path, key: bytes, tree: Tree, shown: list[int], digest: Digest) -> dict[str, Any]:
    if not shown or shown[0] < 0 or shown[-1] >= tree.count:
        raise LogError(f"show at least one of the units 0 to {tree.count - 1}")
    hashes = b"".join(_hidden(path, key, tree, shown))
    return {
        "format": DISCLOSURE_FORMAT, "blob": str(digest), "unit": tree.kind, "count": tree.count,
        "root": _text(tree_root(tree.roots)), "shown": list(_shown(path, key, tree, shown)), "hashes": _text(hashes),
        "receipt": None,
    }  # fmt: skip


def _shown(path: Path, key: bytes, tree: Tree, shown: list[int]) -> Iterator[list[Any]]:
    for segment in tree.segments:
        wanted = shown[bisect_left(shown, segment.first) : bisect_left(shown, segment.first + SEGMENT)]
        if not wanted:
            continue
        ends = _ends(path, segment)
        for index in wanted:
            place = index - segment.first
            start = int(ends[place - 1]) if place else segment.start
            unit = b"".join(_blocks(path, start, int(ends[place])))
            yield [index, _text(salts_from(key, index, 1)), _text(unit)]


def _hidden(path: Path, key: bytes, tree: Tree, shown: list[int]) -> Iterator[bytes]:
    """The hashes that the walk of trust-formats §7 asks for, in its order."""

    def walk(low: int, high: int, known: list[bytes] | None = None, base: int = 0) -> Iterator[bytes]:
        at = bisect_left(shown, low)
        if at == len(shown) or shown[at] >= high:
            segments = slice(low // SEGMENT, -(-high // SEGMENT))
            yield tree_root(known[low - base : high - base] if known is not None else tree.roots[segments])
        elif high - low > 1:
            if known is None and high - low <= SEGMENT:
                known, base = leaves(path, key, tree.segments[low // SEGMENT]), low
            middle = low + split(high - low)
            yield from walk(low, middle, known, base)
            yield from walk(middle, high, known, base)

    return walk(0, tree.count)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
