"""The sources of a finding: which byte ranges it counted, one canonical JSON object a line.

A line has exactly one form (RFC 8785 of blob, line, start, stop), so it is compared with that form and not merely
parsed. The file is streamed; what stays in memory are three integers a range. Whether the ranges are true of the raw
file is the business of `scan.py`.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from array import array
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from evidence.digest import Digest
from evidence.errors import AnalysisError
from evidence.verify.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evidence.verify.findings import Findings

LINE = re.compile(
    rb'\{"blob":"(sha256:[0-9a-f]{64})","line":([1-9][0-9]{0,15}),'
    rb'"start":(0|[1-9][0-9]{0,15}),"stop":([1-9][0-9]{0,15})\}\n'
)
LONGEST_LINE = 256
"""Longer than any line of the form above, so that a file of another kind is not read into memory as one line."""
FORM = '{"blob":"sha256:…","line":N,"start":N,"stop":N} and a line end'


@dataclass(slots=True)
class Ranges:
    """Byte ranges in one blob, ascending; the three columns are filled by the reader of a sources file alone."""

    lines: array[int] = field(default_factory=lambda: array("q"))
    starts: array[int] = field(default_factory=lambda: array("q"))
    stops: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(slots=True)
class SourcesFile:
    path: Path
    digest: Digest
    size: int
    count: int
    blobs: dict[str, Ranges]

    @property
    def name(self) -> str:
        return self.path.name


@dataclass(slots=True)
class _Reading:
    """The state of one pass over one sources file."""

    count: int = 0
    last: tuple[str, int] = ("", 0)
    blobs: dict[str, Ranges] = field(default_factory=dict)

    def take(self, line: bytes) -> tuple[str, str, str] | None:
        """Add a line; what is wrong with it (message, got, wanted), or None."""
        match = LINE.fullmatch(line)
        if match is None:
            return ("a line is not in canonical form", repr(line[:120])[1:], FORM)
        blob = match[1].decode()
        number, start, stop = int(match[2]), int(match[3]), int(match[4])
        if start >= stop:
            return ("a range is empty or runs backward", f"{start} to {stop}", "start below stop")
        if (blob, start) < self.last:
            return ("ranges are not ascending or overlap", f"start {start}", f"at least {self.last[1]}")
        self.last = (blob, stop)
        self.count += 1
        ranges = self.blobs.setdefault(blob, Ranges())
        ranges.lines.append(number)
        ranges.starts.append(start)
        ranges.stops.append(stop)
        return None


def read_sources(path: Path, findings: Findings) -> SourcesFile:
    """Hash and read a sources file in one pass; the first line that is not as it has to be is a finding."""
    reading = _Reading()
    sha256 = hashlib.sha256()
    size = 0
    broken = False
    with open_regular(path) as stream:
        for number, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE), b""), 1):
            sha256.update(line)
            size += len(line)
            problem = None if broken else reading.take(line)
            if problem is not None:
                broken = True
                message, got, wanted = problem
                findings.wrong("sources-format", path.name, f"line {number}: {message}", got=got, wanted=wanted)
    return SourcesFile(path, Digest(sha256.hexdigest()), size, reading.count, reading.blobs)


def refuse_no_partition(whole: Sequence[Ranges], parts: Sequence[Ranges], what: str) -> None:
    """Raises `AnalysisError` unless the parts hold each range of the whole once and no other."""
    together = heapq.merge(*(zip(part.starts, part.stops, strict=True) for part in parts))
    ranges = heapq.merge(*(zip(one.starts, one.stops, strict=True) for one in whole))
    for part, one in zip_longest(together, ranges):
        if part != one:
            raise AnalysisError(f"the lines of the {what} are not those of the whole: {part} beside {one}")
