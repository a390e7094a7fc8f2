"""The unit tree of a whole file (trust-formats §7), in small memory and by several processes.

Units are taken in segments of 65,536, each a subtree of its own: their roots, in order, have the tree's root, because
RFC 6962 splits at powers of two. Salts are AES-CTR's keystream, so any segment can begin anywhere. A unit may be as
long as it likes: it is hashed as it is read.
"""

from __future__ import annotations

import base64
import hashlib
import os
from bisect import bisect_left
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
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
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evidence.digest import Digest

PLANT, DISCLOSE = "units.plant@1", "units.disclose@1"
"""Jobs of a child: the tree of a file, and a disclosure of some of its units."""
FORMAT = "custos/unit-tree@1"
LINE = "line"
SEGMENT = 1 << 16
WORKERS = 2
_BLOCK = 8 << 20
_SALT = 16


@dataclass(frozen=True, slots=True)
class Segment:
    """Units `first` and after, in bytes `start` up to `stop`; `ends` where they end, or None for lines."""

    first: int
    start: int
    stop: int
    ends: Any = None


@dataclass(frozen=True, slots=True)
class Units:
    """How a file is cut: units of a kind, how many, and where their segments lie."""

    kind: str
    count: int
    segments: list[Segment]


def run(
    job: str, paths: dict[str, Path], digests: dict[str, Digest], parameters: dict[str, Any], folder: Path
) -> list[Output]:
    """`tree.json`, or `disclosure.json` without its receipt. Raises `LogError`, `ReadingError`.

    `parameters`: `key` (hex), `kind`, and to disclose `indices` or `ranges` (pairs of bytes). Kinds other than lines
    have the reader's `table` and `rejects` among the paths.
    """
    key, source = bytes.fromhex(parameters["key"]), paths["source"]
    _refuse_damaged(source, digests["source"])
    units = lines(source) if parameters["kind"] == LINE else records(parameters["kind"], paths)
    roots = _roots(source, key, units)
    said = {"format": FORMAT, "kind": units.kind, "count": units.count, "root": _text(tree_root(roots))}
    if job == PLANT:
        (folder / "tree.json").write_bytes(canonical(said))
        return [Output("tree.json", folder / "tree.json")]
    shown = set(parameters.get("indices", ())) | indices_of(source, units, parameters.get("ranges", ()))
    value = _disclosure(source, key, units, roots, sorted(shown), digests["source"])
    (folder / "disclosure.json").write_bytes(canonical(value))
    return [Output("disclosure.json", folder / "disclosure.json")]


def _refuse_damaged(path: Path, wanted: Digest) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted.hex:
        raise ReadingError(f"the source has the digest sha256:{found}, wanted {wanted}: the store is damaged")


def lines(path: Path) -> Units:
    """Up to and including each newline; the last may lack it."""
    starts, count, position, last = [0], 0, 0, b"\n"
    for block in _blocks(path, 0, path.stat().st_size):
        ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 10) + 1
        starts += (position + ends[SEGMENT - 1 - count % SEGMENT :: SEGMENT]).tolist()
        count, position, last = count + len(ends), position + len(block), block[-1:]
    count += last != b"\n"
    starts = [start for start in starts if start < position]
    stops = [*starts[1:], position] if starts else []
    return Units(LINE, count, [Segment(n * SEGMENT, *span) for n, span in enumerate(zip(starts, stops, strict=True))])


def records(kind: str, paths: dict[str, Path]) -> Units:
    """The reader's record spans; what lies between them is a unit of its own, so that units cover the file."""
    size = paths["source"].stat().st_size
    spans = [_spans(paths[name]) for name in ("table", "rejects")]
    starts = np.unique(np.concatenate([span[0] for span in spans]))
    stops = np.unique(np.concatenate([span[1] for span in spans]))
    edges = np.unique(np.concatenate([starts, stops, [0, size]]))
    if edges[0] < 0 or edges[-1] > size:
        raise ReadingError(f"records from {edges[0]} to {edges[-1]} do not lie in a file of {size} bytes")
    ends = edges[1:]
    segments = [
        Segment(at, int(edges[at]), int(ends[min(at + SEGMENT, len(ends)) - 1]), ends[at : at + SEGMENT])
        for at in range(0, len(ends), SEGMENT)
    ]
    return Units(kind, len(ends), segments)


def _spans(path: Path) -> tuple[Any, Any]:
    table = pq.read_table(path, columns=["start", "stop"])
    return table["start"].to_numpy(), table["stop"].to_numpy()


def indices_of(path: Path, units: Units, ranges: Sequence[Sequence[int]]) -> set[int]:
    """The units that these ranges of bytes touch. Raises `LogError` for one that lies outside of the file."""
    found: set[int] = set()
    begins = [segment.start for segment in units.segments]
    for start, stop in ranges:
        if not 0 <= start < stop <= (units.segments[-1].stop if units.segments else 0):
            raise LogError(f"bytes {start} to {stop} do not lie in the file")
        for place in range(bisect_left(begins, start + 1) - 1, bisect_left(begins, stop)):
            segment = units.segments[place]
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


def _roots(path: Path, key: bytes, units: Units) -> list[bytes]:
    """Each segment's root, in order; by several processes if there is more than one."""
    if len(units.segments) < 2:
        return [tree_root(leaves(path, key, segment)) for segment in units.segments]
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        return list(pool.map(_root, *zip(*((path, key, segment) for segment in units.segments), strict=True)))


def _root(path: Path, key: bytes, segment: Segment) -> bytes:
    return tree_root(leaves(path, key, segment))


def leaves(path: Path, key: bytes, segment: Segment) -> list[bytes]:
    """Leaf hashes of a segment's units."""
    begins = _begins(key, segment.first)
    if segment.ends is None:
        return _line_leaves(path, segment, begins)
    found: list[bytes] = []
    state = None
    for piece, is_end in _pieces(path, segment):
        state = state or hashlib.sha256(begins[len(found)])
        state.update(piece)
        if is_end:
            found.append(state.digest())
            state = None
    return found


def _begins(key: bytes, first: int) -> list[bytes]:
    """What is hashed before each unit of a segment: a zero byte and the unit's salt."""
    width = 1 + _SALT
    rows = np.zeros((SEGMENT, width), dtype=np.uint8)
    rows[:, 1:] = np.frombuffer(salts_from(key, first, SEGMENT), dtype=np.uint8).reshape(SEGMENT, _SALT)
    data = rows.tobytes()
    return [data[at : at + width] for at in range(0, len(data), width)]


def _line_leaves(path: Path, segment: Segment, begins: list[bytes]) -> list[bytes]:
    """Leaf hashes of lines; only what a block cuts is hashed in pieces."""
    found: list[bytes] = []
    sha256, state = hashlib.sha256, None
    for block in _blocks(path, segment.start, segment.stop):
        *whole, rest = block.split(b"\n")
        if state is not None and whole:
            state.update(whole[0] + b"\n")
            found.append(state.digest())
            state, whole = None, whole[1:]
        left = begins[len(found) :]
        found += [sha256(b"%b%b\n" % pair).digest() for pair in zip(left, whole, strict=False)]
        if rest:
            state = state or sha256(begins[len(found)])
            state.update(rest)
    return found if state is None else [*found, state.digest()]


def salts_from(key: bytes, first: int, count: int) -> bytes:
    """`AES-256(key, u128be(i))` for `count` units from `first` on, end to end."""
    return Cipher(algorithms.AES(key), modes.CTR(first.to_bytes(16))).encryptor().update(bytes(_SALT * count))


def _pieces(path: Path, segment: Segment) -> Iterator[tuple[bytes, bool]]:
    """The bytes of a segment of records in order, and whether a unit ends with a piece."""
    at = segment.start
    for block in _blocks(path, segment.start, segment.stop):
        yield from _cut(block, at, segment.ends)
        at += len(block)


def _cut(block: bytes, at: int, ends: Any) -> Iterator[tuple[bytes, bool]]:
    low, high = np.searchsorted(ends, [at, at + len(block)], side="right")
    begin = 0
    for end in ends[low:high].tolist():
        yield block[begin : end - at], True
        begin = end - at
    if begin < len(block):
        yield block[begin:], False


def _blocks(path: Path, start: int, stop: int) -> Iterator[bytes]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        while start < stop:
            block = os.pread(descriptor, min(_BLOCK, stop - start), start)
            if not block:
                raise ReadingError(f"the file ends at byte {start}, before {stop}")
            start += len(block)
            yield block
    finally:
        os.close(descriptor)


def _disclosure(
    path: Path, key: bytes, units: Units, roots: list[bytes], shown: list[int], digest: Digest
) -> dict[str, Any]:
    if not shown or shown[0] < 0 or shown[-1] >= units.count:
        raise LogError(f"show at least one of the units 0 to {units.count - 1}")
    hashes = b"".join(_hidden(path, key, units, roots, shown))
    return {
        "format": DISCLOSURE_FORMAT, "blob": str(digest), "unit": units.kind, "count": units.count,
        "root": _text(tree_root(roots)), "shown": list(_shown(path, key, units, shown)), "hashes": _text(hashes),
        "receipt": None,
    }  # fmt: skip


def _shown(path: Path, key: bytes, units: Units, shown: list[int]) -> Iterator[list[Any]]:
    for segment in units.segments:
        wanted = shown[bisect_left(shown, segment.first) : bisect_left(shown, segment.first + SEGMENT)]
        if not wanted:
            continue
        ends = _ends(path, segment)
        for index in wanted:
            place = index - segment.first
            start = int(ends[place - 1]) if place else segment.start
            unit = b"".join(_blocks(path, start, int(ends[place])))
            yield [index, _text(salts_from(key, index, 1)), _text(unit)]


def _hidden(path: Path, key: bytes, units: Units, roots: list[bytes], shown: list[int]) -> Iterator[bytes]:
    """The hashes that the walk of trust-formats §7 asks for, in its order."""

    def walk(low: int, high: int, known: list[bytes] | None = None, base: int = 0) -> Iterator[bytes]:
        at = bisect_left(shown, low)
        if at == len(shown) or shown[at] >= high:
            yield tree_root(
                known[low - base : high - base] if known is not None else roots[low // SEGMENT : -(-high // SEGMENT)]
            )
        elif high - low > 1:
            if known is None and high - low <= SEGMENT:
                known, base = leaves(path, key, units.segments[low // SEGMENT]), low
            middle = low + split(high - low)
            yield from walk(low, middle, known, base)
            yield from walk(middle, high, known, base)

    return walk(0, units.count)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
