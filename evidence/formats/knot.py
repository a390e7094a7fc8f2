r"""Knot Resolver: the request trace of `policy.REQTRACE`, which stands in for the query log that it has not.

    [reqdbg][policy][04096.00] request packet arrived from 192.0.2.1#37931 to 192.0.2.53#00053 (UDP)
    [reqdbg][policy][04096.00] request packet:
    ;; ->>HEADER<<- opcode: QUERY; status: NOERROR; id: 4096
    ;; Flags: rd  QUERY: 1; ANSWER: 0; AUTHORITY: 0; ADDITIONAL: 0

    ;; QUESTION SECTION
    www.example.com.		A

A record is such a block. It has no time (but what the journal puts before its first line), and a client only where
`policy.IPTRACE` (5.5 on) writes the line before it. Requests that the resolver makes by itself have numbers from 65536
on, and are skipped by rule, as are its other messages. Grammar: Knot Resolver 5.4 to 5.7 (`lib/log.c`,
`modules/policy/policy.lua`, libknot's packet text).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa

from evidence.reading.batch import REJECT, SKIP, Batch, Reject, rejects_table
from evidence.reading.endpoints import ADDRESS
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
_TAG = rb"(?:[ -~]* )?\[reqdbg\]\[policy\]\[(?P<uid>[0-9]{5,})\.[0-9]{2}\] "
_BEGIN = re.compile(rb"(?m)^" + _TAG + rb"request packet:\r?$")
_ARRIVED = re.compile(
    _TAG + rb"request packet arrived (?:internally|from (?P<client>" + ADDRESS + rb")#(?P<port>[0-9]{1,5}) to "
    rb"(?P<server>" + ADDRESS + rb")#(?P<server_port>[0-9]{1,5}) \((?P<how>TCP|UDP)(?P<tls> \+ TLS)?(?P<http> \+ HTTP)?"
    rb"(?: \+ XDP)?\))\r?\n?"
)  # fmt: skip
_MESSAGE = re.compile(rb"(?:[ -~]* )?\[[a-z]+ *\].*\r?\n?")
_END = rb"\r?\n *"
_BLOCK = re.compile(
    _TAG + rb"request packet:" + _END
    + rb";; ->>HEADER<<- opcode: QUERY; status: [A-Z]+; id: [0-9]{1,5}" + _END
    + rb";; Flags: (?P<flags>[a-z ]*) QUERY: 1; ANSWER: 0; AUTHORITY: 0; ADDITIONAL: [0-9]+" + _END
    + rb"(?:" + _END + rb";; EDNS PSEUDOSECTION:" + _END
    + rb";; Version: (?P<version>[0-9]{1,3}); flags: (?P<edns>[a-z ]*); [^\r\n]*" + _END
    + rb"(?:;;[^\r\n]*" + _END + rb")*)?"
    + _END + rb";; QUESTION SECTION" + _END + rb"(?P<name>[!-~]+)[ \t]+(?:(?P<class>CH|HS|ANY|CLASS[0-9]+)[ \t]+)?"
    rb"(?P<type>[A-Z][A-Z0-9-]*)(?:\r?\n|\Z)(?: *\r?\n *;; ADDITIONAL SECTION(?:\r?\n|\Z))?(?: *\r?\n)*"
)  # fmt: skip
"""The journal indents all lines of a message but the first."""
_NEXT = re.compile(rb"(?m)^(?:[ -~]* )?\[[a-z]+ *\]")
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


def read_arrival(text: bytes) -> tuple[int, Row] | None:
    """A request's number, and who sent it where to; None for another line, or one without an address."""
    found = _ARRIVED.fullmatch(text)
    if found is None or found["client"] is None:
        return None
    ports = int(found["port"]), int(found["server_port"])
    if max(ports) > 65535:
        return None
    transport = "https" if found["http"] else "tls" if found["tls"] else found["how"].decode().lower()
    return int(found["uid"]), {
        "client": found["client"].decode().lower(), "port": ports[0], "server": found["server"].decode().lower(),
        "server_port": ports[1], "transport": transport,
    }  # fmt: skip


def read_other(text: bytes) -> NoRow:
    """A line that is in no block."""
    if plain := plain_line(text):
        return plain
    if _ARRIVED.fullmatch(text):
        return SKIP, "arrival"
    return (SKIP, "other-message") if _MESSAGE.fullmatch(text) else (REJECT, "outside-a-request")


def _pieces(data: bytes) -> Iterator[tuple[int, int, bool]]:
    """From where to where each block or other line lies, and whether it is a block.

    What begins as one and is none goes up to the next message.
    """
    at = 0
    while at < len(data):
        is_block = _BEGIN.match(data, at) is not None
        stop = data.find(b"\n", at) + 1 or len(data)
        if is_block:
            whole = _BLOCK.match(data, at)
            following = None if whole else _NEXT.search(data, stop)
            stop = whole.end() if whole else following.start() if following else len(data)
        yield at, stop, is_block
        at = stop


class _Reader:
    """Blocks may span chunks: the last waits for what comes after it, up to the size of a line."""

    def __init__(self) -> None:
        self._rest, self._start, self._line = b"", 0, 1
        self._arrived: tuple[int, Row] | None = None

    def read(self, pieces: Iterable[Chunk]) -> Iterator[Batch]:
        for piece in pieces:
            if piece.too_long:
                yield from self._take(len(self._rest))
                yield too_long(piece, LOOKUPS)
                continue
            if not self._rest:
                self._start, self._line = piece.start, piece.line
            self._rest += piece.data
            last = max((found.start() for found in _BEGIN.finditer(self._rest)), default=len(self._rest))
            yield from self._take(last if len(self._rest) - last <= LONGEST_LINE else len(self._rest))
        yield from self._take(len(self._rest))

    def _take(self, size: int) -> Iterator[Batch]:
        data, self._rest = self._rest[:size], self._rest[size:]
        rows: list[Row] = []
        rejects: list[Reject] = []
        for begin, end, is_block in _pieces(data):
            text = data[begin:end]
            span = {"line": self._line, "start": self._start + begin, "stop": self._start + end}
            found = self._block(text) if is_block else read_other(text)
            if isinstance(found, dict):
                rows.append(span | found)
            else:
                rejects.append(Reject(**span, kind=found[0], reason=found[1], head=text))
            self._note(text, span)
            self._line += text.count(b"\n")
        self._start += size
        if size:
            yield Batch(pa.Table.from_pylist(rows, schema=LOOKUPS), rejects_table(rejects), size)

    def _block(self, text: bytes) -> Row | NoRow:
        """With who sent it, if that stands in the line before it."""
        found = read_block(text)
        begin = _BEGIN.match(text)
        uid = int(begin["uid"]) if begin else None
        if isinstance(found, dict) and self._arrived and self._arrived[0] == uid:
            return {**found, **self._arrived[1]}
        return found

    def _note(self, text: bytes, span: dict[str, int]) -> None:
        """What the next block has to know of this line."""
        found = read_arrival(text)
        earlier = [{"start": span["start"], "stop": span["stop"]}]
        self._arrived = (found[0], {**found[1], "earlier": earlier}) if found else None


def _guess(head: Head) -> Guess | None:
    blocks = [read_block(head.text[begin:end]) for begin, end, is_block in _pieces(head.text) if is_block]
    requests = sum(isinstance(found, dict) or found[0] == SKIP for found in blocks)
    return Guess(0.95, f"{TITLE}: {requests} requests at its beginning") if requests else None


def _read(source: Source, parameters: Mapping[str, object]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, set())
    return Reading(LOOKUPS, _Reader().read(chunks(source)))


FORMAT = Format(PROCEDURE, TITLE, _guess, _read, unit="record")
