"""dnstap (https://dnstap.info, dnstap.proto) in Frame Streams, as servers and fstrm_capture write it.

A frame is its length in four octets and a protobuf message; a length of zero begins a control frame. Who recorded, with
which version and in which role (client, resolver, …) is the vantage. Streams may stand one behind the other in a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from evidence.errors import MessageError
from evidence.reading.batch import CONTEXT, HEAD, HELD_BY_REJECT, REJECT, SKIP, Batch, Reject, rejects_table
from evidence.reading.format import Format, Guess, Reading, refuse_parameters
from evidence.table.schema import LOOKUPS, QUERY, RESPONSE
from evidence.wire.message import MOST_HELD, held_by, read_message, table_of
from evidence.wire.packet import address
from evidence.wire.protobuf import FIXED32, OCTETS, VARINT, read_fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from evidence.reading.format import Head, NoRow, Row
    from evidence.reading.source import Source
    from evidence.wire.protobuf import Value

PROCEDURE, TITLE = "parse.dnstap@1", "dnstap in a frame stream"
CONTENT = b"protobuf:dnstap.Dnstap"
LONGEST = 1 << 20
"""Octets of a frame; two messages of DNS and what is said of them are far less."""
_CONTROLS = {1: "accept", 2: "start", 3: "stop", 4: "ready", 5: "finish"}
_START = 2
_DNSTAP = {1: OCTETS, 2: OCTETS, 14: OCTETS, 15: VARINT}
_IDENTITY, _VERSION, _MESSAGE, _KIND = _DNSTAP
_FIELDS = {
    1: VARINT, 3: VARINT, 4: OCTETS, 5: OCTETS, 6: VARINT, 7: VARINT, 8: VARINT, 9: FIXED32, 10: OCTETS, 12: VARINT,
    13: FIXED32, 14: OCTETS,
}  # fmt: skip
_TYPE, _PROTOCOL, _QUERY_ADDRESS, _RESPONSE_ADDRESS, _QUERY_PORT, _RESPONSE_PORT = 1, 3, 4, 5, 6, 7
_OF_EVENT = {QUERY: (8, 9, 10), RESPONSE: (12, 13, 14)}
"""Fields of seconds, nanoseconds and the message."""
_ROLES = ("auth", "resolver", "client", "forwarder", "stub", "tool", "update")
"""Of message types 1 and 2, 3 and 4, …: an odd one is a query."""
_TRANSPORTS = {1: "udp", 2: "tcp", 3: "tls", 4: "https", 5: "dnscrypt-udp", 6: "dnscrypt-tcp", 7: "quic"}
_LAST_SECOND = 253_402_300_799


def read_frame(data: bytes) -> list[Row] | NoRow:
    """Rows of a data frame without their place, one a question; or why there is none (kind and reason)."""
    try:
        return _read_frame(data)
    except MessageError as error:
        return REJECT, str(error)


def _read_frame(data: bytes) -> list[Row] | NoRow:
    outer = read_fields(data, _DNSTAP)
    if outer.get(_KIND) != 1 or _MESSAGE not in outer:
        return SKIP, "other-payload"
    fields = read_fields(_octets(outer, _MESSAGE), _FIELDS)
    kind = _number(fields, _TYPE)
    if not 1 <= kind <= 2 * len(_ROLES):
        return SKIP, "other-type"
    event = QUERY if kind % 2 else RESPONSE
    seconds, nanoseconds, message = _OF_EVENT[event]
    if message not in fields:
        return REJECT, "no-message"
    found = read_message(_octets(fields, message))
    if isinstance(found, tuple):
        return found
    if found[0]["event"] != event:
        return REJECT, "other-direction"
    vantage = _vantage(_octets(outer, _IDENTITY), _octets(outer, _VERSION), _ROLES[(kind - 1) // 2])
    common = {**_time(fields, seconds, nanoseconds), **_ends(fields), "vantage": vantage}
    return [common | row for row in found]


def _octets(fields: Mapping[int, Value], number: int) -> bytes:
    value = fields.get(number, b"")
    return value if isinstance(value, bytes) else b""


def _number(fields: Mapping[int, Value], number: int) -> int:
    value = fields.get(number, 0)
    return value if isinstance(value, int) else 0


@lru_cache(maxsize=1 << 10)
def _vantage(identity: bytes, version: bytes, role: str) -> str:
    return " ".join([*(part.decode("utf-8", "backslashreplace") for part in (identity, version) if part), role])


def _time(fields: Mapping[int, Value], seconds: int, nanoseconds: int) -> Row:
    if seconds not in fields:
        return {}
    since, part = _number(fields, seconds), _number(fields, nanoseconds)
    if since > _LAST_SECOND or part >= 10**9:
        raise MessageError("bad-time")
    digits = 9 if nanoseconds in fields else 0
    return {"time": since * 1_000_000 + part // 1000, "time_digits": digits, "time_zone": "UTC"}


def _ends(fields: Mapping[int, Value]) -> Row:
    """Who asked and who answers; a transport that is not known is left out."""
    client, port = _end(fields, _QUERY_ADDRESS, _QUERY_PORT)
    server, server_port = _end(fields, _RESPONSE_ADDRESS, _RESPONSE_PORT)
    return {
        "client": client, "port": port, "server": server, "server_port": server_port,
        "transport": _TRANSPORTS.get(_number(fields, _PROTOCOL)),
    }  # fmt: skip


def _end(fields: Mapping[int, Value], host: int, port: int) -> tuple[str | None, int | None]:
    octets, number = _octets(fields, host), _number(fields, port)
    if len(octets) not in (0, 4, 16) or number > 65535:
        raise MessageError("bad-address" if number <= 65535 else "bad-port")
    return address(octets) if octets else None, number if port in fields else None


@dataclass(slots=True)
class Frames:
    """Rows and rejects of consecutive frames, as they grow; owned by one reading. `line` numbers data frames."""

    start: int = 0
    line: int = 1
    rows: list[Row] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    held: int = 0
    is_dnstap: bool = True

    def control(self, data: bytes, start: int, stop: int) -> None:
        """Which stream begins decides what its frames are."""
        kind = int.from_bytes(data[8:12])
        if kind == _START:
            self.is_dnstap = _content(data) in (CONTENT, None)
        outcome = (CONTEXT, f"stream-{_CONTROLS[kind]}") if kind in _CONTROLS else (REJECT, "bad-control-frame")
        self._reject(start, stop, outcome, data)

    def frame(self, data: bytes, start: int, stop: int) -> None:
        found = read_frame(data[4:]) if self.is_dnstap else (REJECT, "other-content")
        if isinstance(found, tuple):
            self._reject(start, stop, found, data)
        else:
            self.rows += [{"line": self.line, "start": start, "stop": stop, **row} for row in found]
            self.held += sum(map(held_by, found))
        self.line += 1

    def _reject(self, start: int, stop: int, outcome: NoRow, data: bytes) -> None:
        self.rejects.append(Reject(self.line, start, stop, *outcome, head=data[:HEAD]))
        self.held += HELD_BY_REJECT

    def batch(self, stop: int) -> Batch:
        """What grew so far, up to byte `stop`."""
        batch = Batch(table_of(self.rows), rejects_table(self.rejects), stop - self.start)
        self.start, self.rows, self.rejects, self.held = stop, [], [], 0
        return batch


def _content(data: bytes) -> bytes | None:
    """The content type of a START frame; None if it states none."""
    at = 12
    while at + 8 <= len(data):
        kind, size = int.from_bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8])
        if kind == 1:
            return data[at + 8 : at + 8 + size]
        at += 8 + size
    return None


def _batches(source: Source) -> Iterator[Batch]:
    frames, start, tail = Frames(), 0, b""
    while data := source.read_block():
        tail += data
        at = 0
        while (size := _size(tail, at)) and size <= LONGEST and at + size <= len(tail):
            take = frames.frame if tail[at : at + 4] != bytes(4) else frames.control
            take(tail[at : at + size], start + at, start + at + size)
            at += size
            if frames.held > MOST_HELD:
                yield frames.batch(start + at)
        start, tail = start + at, tail[at:]
        if size > LONGEST:
            yield from _rest(source, frames, start, tail, "gap")
            return
        if start > frames.start:
            yield frames.batch(start)
    if tail:
        yield from _rest(source, frames, start, tail, "truncated-record")


def _size(data: bytes, at: int) -> int:
    """Octets of the frame at `at`, those of its length included; 0 if too few are there to tell."""
    size = int.from_bytes(data[at : at + 4])
    if len(data) < at + 4 or (not size and len(data) < at + 8):
        return 0
    return size + 4 if size else int.from_bytes(data[at + 4 : at + 8]) + 8


def _rest(source: Source, frames: Frames, start: int, data: bytes, reason: str) -> Iterator[Batch]:
    """All that is left of the source as one reject."""
    for _ in source.blocks():
        pass
    frames.rejects.append(Reject(frames.line, start, source.position, REJECT, reason, data))
    yield frames.batch(source.position)


def _guess(head: Head) -> Guess | None:
    """A stream begins with a START frame that names its content."""
    data = head.data[: _size(head.data, 0)]
    if len(data) < 12 or data[:4] != bytes(4) or data[8:12] != _START.to_bytes(4) or _content(data) != CONTENT:
        return None
    return Guess(1.0, f"{TITLE}: its first frame says so")


def _read(source: Source, parameters: Mapping[str, Any]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, set())
    return Reading(LOOKUPS, _batches(source))


FORMAT = Format(PROCEDURE, TITLE, _guess, _read, unit="frame", is_text=False)
