"""dnstap: frames of every role and direction become rows, control frames are context, and broken ones say what is wrong."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings

from evidence.formats.registry import FORMATS
from evidence.reading.format import Head
from evidence.recognition import recognise
from tests.evidence.formats.packets import changed, message, name, question, record
from tests.evidence.formats.readers import Read, check_way_back, read
from tests.evidence.formats.recorded import MANIFEST, bytes_of, check_against_traffic, counts_of

FORMAT = FORMATS["parse.dnstap@1"]
TAPS = {
    "bind/bind-recursive.dnstap": "bind-views",
    "bind/bind.dnstap": "bind",
    "dnsdist/dnsdist.dnstap": "dnsdist",
    "knot/knotd.dnstap": "knotd",
    "knot/kresd.dnstap": "kresd",
    "unbound/unbound.dnstap": "unbound",
}
ROLES = {"A": "auth", "C": "client", "R": "resolver", "F": "forwarder"}
QUERY, ANSWER = message(), message(flags=0x8180, answers=[record(b"\xc0\x0c", 1, b"\xc0\0\2\1")])


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | bytes, kind: int | None = None) -> bytes:
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if kind == 5:
        return varint(number << 3 | 5) + struct.pack("<I", value)
    return varint(number << 3) + varint(value)


def inner(kind: int = 5, data: bytes = QUERY, *more: bytes) -> bytes:
    place = 10 if kind % 2 else 14
    return field(1, kind) + field(4, b"\xc0\0\2\x11") + field(6, 40000) + field(place, data) + b"".join(more)


def tap(body: bytes, kind: int = 1) -> bytes:
    return field(1, b"ns1") + field(2, b"server 1.0") + field(14, body) + field(15, kind)


def frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def control(kind: int, body: bytes = b"") -> bytes:
    return struct.pack(">III", 0, len(body) + 4, kind) + body


def start(content: bytes = b"protobuf:dnstap.Dnstap") -> bytes:
    return control(2, struct.pack(">II", 1, len(content)) + content)


def one(body: bytes) -> Read:
    return read(FORMAT, start() + frame(body) + control(3))


def reason(body: bytes) -> str:
    result = one(body)
    assert not result.rows
    return result.rejects[1]["reason"]


def test_every_tap_of_the_recordings_is_read() -> None:
    assert set(TAPS) == {path for path in MANIFEST if path.endswith(".dnstap")}


@pytest.mark.parametrize("path", TAPS)
def test_recorded_traffic_is_read_as_it_was_sent(path: str) -> None:
    result, stated = read(FORMAT, bytes_of(path)), counts_of(path)
    guess = FORMAT.guess(Head(bytes_of(path)[:4096], whole=False))
    assert guess and guess.confidence == 1.0
    found = recognise(bytes_of(path))
    assert (found.procedure, found.confidence, found.others) == (FORMAT.procedure, 1.0, ())
    assert (len(result.rows), result.counted.lines) == (stated.pop("frames"), len(result.rows) + 2)
    assert result.counted.reasons == {"stream-start": 1, "stream-stop": 1}
    for what, count in stated.items():
        role, event = ROLES[what[-2]], "query" if what[-1] == "Q" else "response"
        found = [row for row in result.rows if row["event"] == event and row["vantage"].split()[-1] == role]
        assert len(found) == count, what
    from_clients = [row for row in result.rows if row["vantage"].split()[-1] in ("auth", "client")]
    check_against_traffic(from_clients, TAPS[path])


@pytest.mark.parametrize("path", TAPS)
def test_each_row_is_made_again_from_its_own_bytes(path: str) -> None:
    assert check_way_back(FORMAT, bytes_of(path)) == len(read(FORMAT, bytes_of(path)).rows)


def test_a_tap_and_a_capture_of_one_server_agree() -> None:
    """The tap has the fragmented answer too, and shows what the server did, not what the line carried."""
    same = (
        "event",
        "client",
        "port",
        "name",
        "name_as_written",
        "type",
        "class",
        "flags",
        "transport",
        "rcode",
        "answers",
    )
    tapped = [tuple(str(row[column]) for column in same) for row in read(FORMAT, bytes_of("bind/bind.dnstap")).rows]
    caught = [
        tuple(str(row[column]) for column in same)
        for row in read(FORMATS["parse.pcap@1"], bytes_of("pcap/ethernet.pcap")).rows
    ]
    assert set(caught) <= set(tapped)
    assert len(tapped) == len(caught) + 1


@pytest.mark.parametrize("kind", range(1, 13))
def test_every_role_and_direction(kind: int) -> None:
    ends = field(5, b"\x20\x01" + bytes(13) + b"\1") + field(7, 53) + field(3, 1)
    times = field(8, 1_700_000_000) + field(9, 5_999, 5) + field(12, 1_700_000_001) + field(13, 7_000, 5)
    (row,) = one(tap(inner(kind, QUERY if kind % 2 else ANSWER, ends, times))).rows
    roles = ("auth", "resolver", "client", "forwarder", "stub", "tool")
    assert row["vantage"] == f"ns1 server 1.0 {roles[(kind - 1) // 2]}"
    assert row["event"] == ("query" if kind % 2 else "response")
    assert (row["client"], row["port"], row["server"], row["server_port"]) == ("192.0.2.17", 40000, "2001::1", 53)
    assert (row["time"].microsecond, row["time"].second) == ((5, 20) if kind % 2 else (7, 21))
    assert (row["time_digits"], row["time_zone"]) == (9, "UTC")


@pytest.mark.parametrize(
    ("number", "word"), [(1, "udp"), (2, "tcp"), (3, "tls"), (4, "https"), (5, "dnscrypt-udp"), (6, "dnscrypt-tcp"), (7, "quic"), (99, None)]
)  # fmt: skip
def test_transports(number: int, word: str | None) -> None:
    assert one(tap(inner(5, QUERY, field(3, number)))).rows[0]["transport"] == word


def test_a_frame_without_time_address_and_identity_is_a_row_all_the_same() -> None:
    (row,) = one(field(14, field(1, 5) + field(10, QUERY)) + field(15, 1)).rows
    assert (row["time"], row["client"], row["port"], row["vantage"], row["name"]) == (
        None,
        None,
        None,
        "client",
        "www.example",
    )


def test_unknown_fields_are_stepped_over_and_several_questions_are_several_rows() -> None:
    more = field(99, 5) + field(98, b"x") + varint(97 << 3 | 1) + bytes(8) + field(96, 1, 5)
    rows = one(tap(inner(5, message([question(), question(name(b"b"))]), more))).rows
    assert [(row["line"], row["name"]) for row in rows] == [(1, "www.example"), (1, "b")]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (field(1, b"ns1"), "other-payload"), (tap(inner(), kind=2), "other-payload"), (tap(field(1, 5)), "no-message"), (tap(inner(99)), "other-type"),
        (tap(inner(5, ANSWER)), "other-direction"), (tap(inner(6, QUERY)), "other-direction"), (tap(inner(13, message(flags=0x2800))), "opcode-update"),
        (tap(inner(5, b"junk")), "short-message"), (tap(inner(5, QUERY + b"x")), "trailing-bytes"),
        (tap(inner(5, QUERY, field(8, 1), field(9, 10**9, 5))), "bad-time"), (tap(inner(5, QUERY, field(8, 1 << 62))), "bad-time"),
        (tap(inner(5, QUERY, field(5, b"12345"))), "bad-address"), (tap(inner(5, QUERY, field(7, 65536))), "bad-port"),
        (tap(inner(5, QUERY, field(1, 5))), "bad-protobuf"), (tap(inner(5, QUERY, field(8, b"x"))), "bad-protobuf"),
        (tap(inner())[:-1], "bad-protobuf"), (b"\xff" * 12, "bad-protobuf"), (b"\0\0", "bad-protobuf"), (b"\x0b", "bad-protobuf"), (b"\x0a\x05abc", "bad-protobuf"),
        (b"\x78" + b"\xff" * 9 + b"\x7f", "bad-protobuf"),
    ],
)  # fmt: skip
def test_what_is_no_row_says_why(body: bytes, why: str) -> None:
    assert reason(body) == why


def test_streams_behind_each_other_and_all_control_frames() -> None:
    content = struct.pack(">II", 1, 22) + b"protobuf:dnstap.Dnstap"
    data = (
        control(4, content)
        + control(1, content)
        + start()
        + frame(tap(inner()))
        + control(3)
        + control(5)
        + start()
        + frame(tap(inner()))
    )
    result = read(FORMAT, data)
    assert [row["line"] for row in result.rows] == [1, 2]
    assert sorted(result.reasons()) == [
        "stream-accept",
        "stream-finish",
        "stream-ready",
        "stream-start",
        "stream-start",
        "stream-stop",
    ]
    assert {item["kind"] for item in result.rejects} == {"context"}
    assert read(FORMAT, start() + control(77)).reasons() == ["stream-start", "bad-control-frame"]


def test_frames_of_another_content_are_not_read() -> None:
    data = start(b"protobuf:other") + frame(tap(inner()))
    assert read(FORMAT, data).reasons() == ["stream-start", "other-content"]
    assert FORMAT.guess(Head(data)) is None


@pytest.mark.parametrize(
    ("tail", "why"),
    [(b"\0", "truncated-record"), (b"\0\0\0\0", "truncated-record"), (b"\0\0\0\x09abc", "truncated-record"), (b"\x7f\0\0\0abc", "gap"),
     (b"\0\0\0\0\x7f\0\0\0", "gap")],
)  # fmt: skip
def test_what_is_no_whole_frame_is_one_reject(tail: bytes, why: str) -> None:
    result = read(FORMAT, start() + frame(tap(inner())) + tail)
    assert (len(result.rows), result.reasons()) == (1, ["stream-start", why])


def test_frames_are_whole_across_blocks_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    from evidence.formats import dnstap
    from evidence.reading import source

    data = bytes_of("knot/kresd.dnstap")
    whole = read(FORMAT, data).rows
    monkeypatch.setattr(source, "BLOCK", 1000)
    assert read(FORMAT, data).rows == whole
    monkeypatch.setattr(dnstap, "MOST_HELD", 100)
    assert read(FORMAT, data).rows == whole


@settings(max_examples=250, deadline=None)
@given(changed([bytes_of(path)[:9000] for path in TAPS]))
def test_no_change_of_a_tap_loses_a_byte(data: bytes) -> None:
    result = read(FORMAT, data)
    assert all(row["stop"] > row["start"] for row in [*result.rows, *result.rejects])
