r"""Knot Resolver: the request trace of `policy.REQTRACE`, which stands in for the query log that it has not.

    [reqdbg][policy][04096.00] request packet:
    ;; ->>HEADER<<- opcode: QUERY; status: NOERROR; id: 4096
    ;; Flags: rd  QUERY: 1; ANSWER: 0; AUTHORITY: 0; ADDITIONAL: 0

    ;; QUESTION SECTION
    www.example.com.		A

A record is such a block. It has neither time (but what the journal puts before its first line) nor client.
Requests that the resolver makes by itself have numbers from 65536 on, and are skipped by rule. Grammar: Knot Resolver
5.4 to 5.7 (`lib/log.c`, `modules/policy/policy.lua`, libknot's packet text).
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import pyarrow as pa

from evidence.reading.batch import REJECT, SKIP, Batch, Reject, rejects_table
from evidence.reading.format import Format, Guess, Reading, plain_line, refuse_parameters, too_long
from evidence.reading.lines import LONGEST_LINE, chunks
from evidence.reading.names import name_columns
from evidence.reading.stamps import NO_TIME
from evidence.table.schema import LOOKUPS, QUERY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from evidence.reading.format import Head, NoRow, Row
    from evidence.reading.lines import Chunk
    from evidence.reading.source import Source

PROCEDURE, TITLE = "parse.knot_trace@1", "a Knot Resolver request trace"
_BEGIN = re.compile(rb"(?m)^(?:[ -~]* )?\[reqdbg\]\[policy\]\[[0-9]{5,}\.[0-9]{2}\] request packet:\r?$")
_BLOCK = re.compile(
    rb"(?:[ -~]* )?\[reqdbg\]\[policy\]\[(?P<uid>[0-9]{5,})\.[0-9]{2}\] request packet:\r?\n"
    rb";; ->>HEADER<<- opcode: QUERY; status: [A-Z]+; id: [0-9]{1,5}\r?\n"
    rb";; Flags: (?P<flags>[a-z ]*) QUERY: 1; ANSWER: 0; AUTHORITY: 0; ADDITIONAL: [0-9]+\r?\n"
    rb"(?:\r?\n;; EDNS PSEUDOSECTION:\r?\n;; Version: (?P<version>[0-9]{1,3}); flags: (?P<edns>[a-z ]*); [^\r\n]*\r?\n"
    rb"(?:;;[^\r\n]*\r?\n)*)?"
    rb"\r?\n;; QUESTION SECTION\r?\n(?P<name>[!-~]+)\s+(?:(?P<class>CH|HS|ANY|CLASS[0-9]+)\s+)?"
    rb"(?P<type>[A-Z][A-Z0-9-]*)\r?\n?"
    rb"(?:\r?\n;; ADDITIONAL SECTION\r?\n)?(?:\r?\n)*"
)
_FLAGS = ("rd", "ad", "cd")
_OWN_REQUESTS = 1 << 16


def read_block(text: bytes) -> Row | NoRow:
    """A block from its first line to before the next."""
    found = _BLOCK.fullmatch(text)
    if found is None:
        return REJECT, "not-a-request"
    if int(found["uid"]) >= _OWN_REQUESTS:
        return SKIP, "own-request"
    named = name_columns(found["name"].decode())
    if named is None:
        return REJECT, "bad-name"
    flags = [flag.upper() for flag in _FLAGS if flag in found["flags"].decode().split()]
    edns = [f"EDNS{int(found['version'])}"] if found["version"] else []
    asked_dnssec = ["DO"] if b"do" in (found["edns"] or b"").split() else []
    return {
        **NO_TIME, **named, "event": QUERY, "type": found["type"].decode(),
        "class": found["class"].decode() if found["class"] else "IN",
        "flags": " ".join([*flags, *edns, *asked_dnssec]) or None,
    }  # fmt: skip


def _blocks(data: bytes) -> list[tuple[int, int]]:
    """Where blocks lie, and the lines before the first."""
    starts = [found.start() for found in _BEGIN.finditer(data)]
    lines = [0]
    while lines[-1] < (starts[0] if starts else len(data)):
        lines.append(data.find(b"\n", lines[-1]) + 1 or len(data))
    edges = lines[:-1] + (starts or [len(data)]) + [len(data)] * bool(starts)
    return list(itertools.pairwise(edges))


class _Reader:
    """Blocks may span chunks: the last waits for what comes after it, up to the size of a line."""

    def __init__(self) -> None:
        self._rest, self._start, self._line = b"", 0, 1

    def read(self, pieces: Iterable[Chunk]) -> Iterator[Batch]:
        for piece in pieces:
            if piece.too_long:
                yield from self._take(len(self._rest))
                yield too_long(piece, LOOKUPS)
                self._start, self._line = piece.start + piece.size, piece.line + 1
                continue
            self._rest += piece.data
            last = max((found.start() for found in _BEGIN.finditer(self._rest)), default=len(self._rest))
            yield from self._take(last if len(self._rest) - last <= LONGEST_LINE else len(self._rest))
        yield from self._take(len(self._rest))

    def _take(self, size: int) -> Iterator[Batch]:
        data, self._rest = self._rest[:size], self._rest[size:]
        rows: list[Row] = []
        rejects: list[Reject] = []
        for begin, end in _blocks(data) if data else []:
            text = data[begin:end]
            span = {"line": self._line, "start": self._start + begin, "stop": self._start + end}
            is_block = _BEGIN.match(text) is not None
            found = read_block(text) if is_block else plain_line(text) or (REJECT, "outside-a-request")
            if isinstance(found, dict):
                rows.append(span | found)
            else:
                rejects.append(Reject(**span, kind=found[0], reason=found[1], head=text))
            self._line += text.count(b"\n")
        self._start += size
        if size:
            yield Batch(pa.Table.from_pylist(rows, schema=LOOKUPS), rejects_table(rejects), size)


def _guess(head: Head) -> Guess | None:
    parts = [head.data[begin:end] for begin, end in _blocks(head.data)]
    blocks = [read_block(part) for part in parts if _BEGIN.match(part)]
    requests = sum(isinstance(found, dict) or found[0] == SKIP for found in blocks)
    return Guess(0.95, f"{TITLE}: {requests} requests at its beginning") if requests else None


def _read(source: Source, parameters: Mapping[str, object]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, set())
    return Reading(LOOKUPS, _Reader().read(chunks(source)))


FORMAT = Format(PROCEDURE, TITLE, _guess, _read, unit="record")
