"""A client of DNS messages that sends exactly the bytes of `traffic` and notes what came back. Standard library only."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass

from tests.recordings.traffic import CLASSES, FIRST_ID, FIRST_PORT, QUERIES, TYPES, Query, wire_name

PATIENCE = 10.0  # seconds to wait for one answer; a recursor that gives up takes up to five
SERVER_V4 = "127.0.0.53"
SERVER_PORT = 53


@dataclass(frozen=True, slots=True)
class Answer:
    """What the header of one response says; times are Unix seconds of the client's clock."""

    asked: float
    answered: float
    rcode: int
    truncated: bool
    answers: int
    length: int


def message(number: int, query: Query) -> bytes:
    """The query message, RFC 1035 section 4.1 and RFC 6891 section 6.1.2."""
    flags = 0x0100 * query.recursion_desired | 0x0010 * query.checking_disabled
    header = struct.pack(">6H", FIRST_ID + number, flags, 1, 0, 0, query.edns is not None)
    question = wire_name(query.labels) + struct.pack(">HH", TYPES[query.type], CLASSES[query.class_])
    if query.edns is None:
        return header + question
    return header + question + struct.pack(">BHHIH", 0, 41, query.edns, 0x8000 * query.dnssec_ok, 0)


def ask_all() -> list[dict[str, object]]:
    """Send everything in order, each after the answer to the one before; one row a message that was sent."""
    rows: list[dict[str, object]] = []
    for number, query in enumerate(QUERIES):
        for attempt, answer in enumerate(_ask(number, query)):
            rows.append({"sequence": number, "attempt": attempt} | _row(answer))
    return rows


def _row(answer: Answer | None) -> dict[str, object]:
    if answer is None:
        return {"answered": None}
    return {field: getattr(answer, field) for field in Answer.__slots__}


def _ask(number: int, query: Query) -> list[Answer | None]:
    kind = socket.SOCK_DGRAM if query.transport == "udp" else socket.SOCK_STREAM
    family = socket.AF_INET6 if query.ip_version == 6 else socket.AF_INET
    with socket.socket(family, kind) as connection:
        connection.settimeout(PATIENCE)
        connection.bind(_address(query.client, FIRST_PORT + number, family))
        server = query.client if query.ip_version == 6 else SERVER_V4
        connection.connect(_address(server, SERVER_PORT, family))
        exchange = _datagram if query.transport == "udp" else _stream
        return [_timed(exchange, connection, message(number, query)) for _ in range(query.sent)]


def _address(host: str, port: int, family: socket.AddressFamily) -> tuple[object, ...]:
    return tuple(socket.getaddrinfo(host, port, family, flags=socket.AI_NUMERICHOST)[0][4])


def _timed(exchange: object, connection: socket.socket, query: bytes) -> Answer | None:
    asked = time.time()
    try:
        response = exchange(connection, query)  # type: ignore[operator]
    except OSError:
        return None  # no answer, a closed connection, or nobody listens on this address
    flags, _, answers = struct.unpack(">3H", response[2:8])
    return Answer(asked, time.time(), flags & 15, bool(flags & 0x0200), answers, len(response))


def _datagram(connection: socket.socket, query: bytes) -> bytes:
    connection.send(query)
    while True:
        response = connection.recv(65535)
        if response[:2] == query[:2]:
            return response


def _stream(connection: socket.socket, query: bytes) -> bytes:
    """Over TCP a message follows its length (RFC 1035 section 4.2.2)."""
    connection.sendall(struct.pack(">H", len(query)) + query)
    (length,) = struct.unpack(">H", _exactly(connection, 2))
    return _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    got = b""
    while len(got) < length:
        piece = connection.recv(length - len(got))
        if not piece:
            raise ConnectionError("the server closed the connection before its answer was whole")
        got += piece
    return got
