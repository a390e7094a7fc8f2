"""One pass over a raw file: its digest, its size, and whether the ranges claimed in it are lines as claimed.

Which blob a file is is known only when its last byte is hashed. If claims on several blobs might be of it, it is hashed
first and read a second time; so one file's claims are followed at a time. Memory is a chunk and the range at its edge.
"""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from evidence.digest import Digest
from evidence.verify.fields import MARK
from evidence.verify.files import open_regular, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from evidence.verify.claims import Claim
    from evidence.verify.fields import Row

CHUNK = 1 << 20
HEAD = 1 << 16
"""A header is looked for in so many bytes."""
LONGEST_RANGE = 64 << 20
"""A longer range is not held in memory to be searched; it is said to be unchecked."""
NEWLINE = b"\n"
QUOTE = b'"'


class _Range(NamedTuple):
    start: int
    stop: int
    line: int
    claim: Claim


class Watch:
    """Follows the claims on one blob through a file's chunks, in order of their start."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.claims = [claim.blank() for claim in claims]
        self._has_quotes = any(claim.format is not None and claim.format.has_quotes for claim in claims)
        self._places: dict[int, dict[str, int] | None] = {}
        self._queue = heapq.merge(*map(_ranges, self.claims), key=lambda found: found[:3])
        self._next = next(self._queue, None)
        self._head = b""
        self._window = b""
        self._base = 0  # offset of the window's first byte in the file
        self._counted = 0  # line ends and quotes before this offset are counted
        self._newlines = 0
        self._quotes = 0
        self._dropped: list[_Range] = []
        self._must_be_end: list[_Range] = []

    def feed(self, chunk: bytes) -> None:
        """Take the file's next bytes."""
        self._head += chunk[: HEAD - len(self._head)]
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
        for found in self._dropped:
            if found.stop > size:
                _problem(found, "runs over the file's end", f"stop {found.stop}", f"at most {size}")
            else:
                found.claim.leave(f"{found.start} to {found.stop}, longer than {LONGEST_RANGE} bytes")
        for found in self._must_be_end:
            if found.stop != size:
                found.claim.good -= 1
                _problem(found, "does not end with a line", f"stop {found.stop}", "a line end or the file's end")
        return self.claims

    def _drop(self, end: int) -> None:
        """Forget what no later range needs; the byte before a range stays, for it tells where lines begin."""
        while self._next is not None and end - self._next.start > LONGEST_RANGE:
            self._dropped.append(self._next)
            self._next = next(self._queue, None)
        keep = end if self._next is None else min(self._next.start, end)
        keep = max(keep - 1, self._base)
        self._count_to(keep)
        self._window = self._window[keep - self._base :]
        self._base = keep

    def _count_to(self, offset: int) -> None:
        if offset > self._counted:
            begin, end = self._counted - self._base, offset - self._base
            self._newlines += self._window.count(NEWLINE, begin, end)
            if self._has_quotes:
                self._quotes += self._window.count(QUOTE, begin, end)
            self._counted = offset

    def _check(self, found: _Range) -> None:
        if found.claim.has_records:
            found.claim.good += 1  # it lies in the file; records are counted and not read here
            return
        self._count_to(found.start)
        begin = found.start - self._base
        text = self._window[begin : found.stop - self._base]
        before = self._window[begin - 1 : begin] if found.start else NEWLINE
        problem = _of_place(found, text, before, self._newlines + 1)
        if problem is None and not self._may_be_judged(found, text):
            return
        problem = problem or _of_words(found, text) or self._of_row(found, text)
        if problem is None and not text.endswith(NEWLINE):
            problem = self._of_end(found)
        if problem is None:
            found.claim.good += 1
        else:
            _problem(found, *problem)

    def _of_end(self, found: _Range) -> tuple[str, str, str] | None:
        if found.stop < self._base + len(self._window):
            return ("does not end with a line", f"stop {found.stop}", "a line end or the file's end")
        self._must_be_end.append(found)
        return None

    def _may_be_judged(self, found: _Range, text: bytes) -> bool:
        """Whether it is known that one record lies here; a record between another's quotes is none."""
        of = found.claim.format
        if NEWLINE in text[:-1] and not found.claim.is_read:
            found.claim.leave(f"{found.start} to {found.stop} (several lines, reader not known)")
            return False
        if of is not None and of.has_quotes and self._quotes % 2:
            found.claim.leave(f"{found.start} to {found.stop} (behind a quote that nothing closes)")
            return False
        return True

    def _of_row(self, found: _Range, text: bytes) -> tuple[str, str, str] | None:
        claim = found.claim
        if not claim.is_read or claim.format is None:
            return None
        if id(claim) not in self._places:  # the header stands before the first row
            self._places[id(claim)] = claim.format.places(self._head)
        places = self._places[id(claim)]
        if places is None:
            return ("has no header that its reader could have used", "another header", str(claim.format.parameters))
        row = claim.format.row(text if found.start else text.removeprefix(MARK), places)
        shown = repr(text[:160])[1:]
        if row is None:
            return (f"is no row as {claim.format.procedure} reads it", shown, "a lookup or a sighting")
        problem = _of_values(claim, row, shown)
        if problem is None:
            claim.rows.add(row, claim.gather)
        return problem


def _of_values(claim: Claim, row: Row, shown: str) -> tuple[str, str, str] | None:
    if row.time is None and claim.gather in ("times", "sightings"):
        return ("has no time, and was matched by time", shown, "a line with a time")
    if claim.name and row.name != claim.name:
        return ("is of another name", f"{row.name} in {shown}", claim.name)
    if claim.client and row.client != claim.client:
        return ("is of another client", f"{row.client} in {shown}", claim.client)
    return None


def _ranges(claim: Claim) -> Iterator[_Range]:
    columns = zip(claim.ranges.starts, claim.ranges.stops, claim.ranges.lines, strict=True)
    return (_Range(start, stop, line, claim) for start, stop, line in columns)


def _of_place(found: _Range, text: bytes, before: bytes, line: int) -> tuple[str, str, str] | None:
    if before != NEWLINE:
        return ("does not begin where a line begins", f"start {found.start} after byte {before!r}", "after a line end")
    if found.line != line:
        return ("is not the line it says", f"line {found.line}", f"line {line}")
    if NEWLINE in text[:-1] and found.claim.is_read and not _has_quotes(found.claim):
        return ("holds more than one line", f"{text.count(NEWLINE)} line ends", "1")
    return None


def _has_quotes(claim: Claim) -> bool:
    return claim.format is not None and claim.format.has_quotes


def _of_words(found: _Range, text: bytes) -> tuple[str, str, str] | None:
    for word in found.claim.words:
        if word.search(text) is None:
            wanted = word.pattern.decode("ascii")
            return ("does not hold what each line is said to hold", repr(text[:160])[1:], wanted)
    return None


def _problem(found: _Range, message: str, got: str, wanted: str) -> None:
    found.claim.refuse(f"bytes {found.start} to {found.stop} (line {found.line}): {message}", got, wanted)


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
    """Digest and size of a raw file, and the outcome of every claim on the blob that it is. Raises `OSError`."""
    expected = size_of(path)
    candidates = {blob: on for blob, on in claims.items() if sizes.get(blob, expected) == expected}
    if len(candidates) > 1:
        digest, _size = _read(path, None)
        candidates = {blob: on for blob, on in candidates.items() if blob == str(digest)}
    watched = next(iter(candidates), None)
    watch = Watch(candidates[watched]) if watched else None
    digest, size = _read(path, watch)
    return RawFile(path, digest, size, tuple(watch.finish()) if watch and str(digest) == watched else ())


def _read(path: Path, watch: Watch | None) -> tuple[Digest, int]:
    sha256, size = hashlib.sha256(), 0
    with open_regular(path) as stream:
        while chunk := stream.read(CHUNK):
            sha256.update(chunk)
            size += len(chunk)
            if watch is not None:
                watch.feed(chunk)
    return Digest(sha256.hexdigest()), size
