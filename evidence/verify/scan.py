"""One pass over a raw file: its digest, its size, and whether the ranges claimed in it are lines as claimed.

Which blob a file is is known only when its last byte is hashed, so the claims on every blob that it might be are
followed at once and those on other blobs are dropped at the end. Memory is a chunk and the range at its edge.
"""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from evidence.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from evidence.verify.sources import Ranges

CHUNK = 1 << 20
LONGEST_RANGE = 64 << 20
"""A longer range is not held in memory to be searched; it is said to be unchecked."""
NEWLINE = b"\n"


@dataclass(slots=True)
class Claim:
    """What one finding says of one blob: these ranges are lines, and each holds these words."""

    key: tuple[str, str]
    ranges: Ranges
    needles: tuple[bytes, ...]
    many_lines_in_one: bool | None
    """Whether a record may run over several lines (quoted CSV); None when its reader is not known."""
    good: int = 0
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    not_looked_at: list[str] = field(default_factory=list)

    def fresh(self) -> Claim:
        return Claim(self.key, self.ranges, self.needles, self.many_lines_in_one)


class _Range(NamedTuple):
    start: int
    stop: int
    line: int
    claim: Claim


class Watch:
    """Follows the claims on one blob through a file's chunks, in order of their start."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.claims = [claim.fresh() for claim in claims]
        self._queue = heapq.merge(*map(_ranges, self.claims), key=lambda found: found[:3])
        self._next = next(self._queue, None)
        self._window = b""
        self._base = 0  # offset of the window's first byte in the file
        self._counted = 0  # line ends before this offset are in _newlines
        self._newlines = 0
        self._must_be_end: list[_Range] = []

    def feed(self, chunk: bytes) -> None:
        self._window += chunk
        end = self._base + len(self._window)
        while self._next is not None and self._next.stop <= end:
            self._check(self._next)
            self._next = next(self._queue, None)
        self._drop(end)

    def finish(self) -> list[Claim]:
        """Judge what could not be judged before the file's end; the claims with their outcomes."""
        size = self._base + len(self._window)
        while self._next is not None:
            if self._next.stop <= size:  # it was held up by one before it that runs over the end
                self._check(self._next)
            else:
                _problem(self._next, "runs over the file's end", f"stop {self._next.stop}", f"at most {size}")
            self._next = next(self._queue, None)
        for found in self._must_be_end:
            if found.stop != size:
                found.claim.good -= 1
                _problem(found, "does not end with a line", f"stop {found.stop}", "a line end or the file's end")
        return self.claims

    def _drop(self, end: int) -> None:
        """Forget what no later range needs; the byte before a range stays, for it tells where lines begin."""
        while self._next is not None and end - self._next.start > LONGEST_RANGE:
            found = self._next
            found.claim.not_looked_at.append(f"{found.start} to {found.stop}")
            self._next = next(self._queue, None)
        keep = end if self._next is None else min(self._next.start, end)
        keep = max(keep - 1, self._base)
        self._count_to(keep)
        self._window = self._window[keep - self._base :]
        self._base = keep

    def _count_to(self, offset: int) -> None:
        if offset > self._counted:
            self._newlines += self._window.count(NEWLINE, self._counted - self._base, offset - self._base)
            self._counted = offset

    def _check(self, found: _Range) -> None:
        self._count_to(found.start)
        begin = found.start - self._base
        text = self._window[begin : found.stop - self._base]
        before = self._window[begin - 1 : begin] if found.start else NEWLINE
        problem = _of_place(found, text, before, self._newlines + 1) or _of_words(found, text)
        if problem is not None:
            _problem(found, *problem)
            return
        found.claim.good += 1
        if not text.endswith(NEWLINE):
            self._must_be_end.append(found)


def _ranges(claim: Claim) -> Iterator[_Range]:
    columns = zip(claim.ranges.starts, claim.ranges.stops, claim.ranges.lines, strict=True)
    return (_Range(start, stop, line, claim) for start, stop, line in columns)


def _of_place(found: _Range, text: bytes, before: bytes, line: int) -> tuple[str, str, str] | None:
    if before != NEWLINE:
        return ("does not begin where a line begins", f"start {found.start} after byte {before!r}", "after a line end")
    if found.line != line:
        return ("is not the line it says", f"line {found.line}", f"line {line}")
    if NEWLINE in text[:-1] and found.claim.many_lines_in_one is not True:
        if found.claim.many_lines_in_one is None:
            found.claim.not_looked_at.append(f"{found.start} to {found.stop} (several lines, reader not known)")
            return None
        return ("holds more than one line", f"{text.count(NEWLINE)} line ends", "1")
    return None


def _of_words(found: _Range, text: bytes) -> tuple[str, str, str] | None:
    lowered = text.lower() if found.claim.needles else b""
    for needle in found.claim.needles:
        if needle not in lowered:
            return ("does not hold what each line is said to hold", repr(text[:160])[1:], needle.decode("ascii"))
    return None


def _problem(found: _Range, message: str, got: str, wanted: str) -> None:
    found.claim.problems.append((f"bytes {found.start} to {found.stop} (line {found.line}): {message}", got, wanted))


@dataclass(frozen=True, slots=True)
class RawFile:
    """A raw file that was read once to its end."""

    path: Path
    digest: Digest
    size: int
    claims: tuple[Claim, ...]

    @property
    def name(self) -> str:
        return self.path.name


def scan(path: Path, claims: Mapping[str, Sequence[Claim]], sizes: Mapping[str, int]) -> RawFile:
    """Read a raw file once: digest, size and the outcome of every claim on the blob that it is."""
    expected = path.stat().st_size
    watches = {blob: Watch(on) for blob, on in claims.items() if sizes.get(blob, expected) == expected}
    sha256 = hashlib.sha256()
    size = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            sha256.update(chunk)
            size += len(chunk)
            for watch in watches.values():
                watch.feed(chunk)
    digest = Digest(sha256.hexdigest())
    watch_of_it = watches.get(str(digest))
    return RawFile(path, digest, size, tuple(watch_of_it.finish()) if watch_of_it else ())
