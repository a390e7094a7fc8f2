"""pcapng captures: sections of both byte orders, interfaces with their own clocks, three kinds of packets."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings

from evidence.formats.registry import FORMATS
from evidence.reading.format import HEAD, Head
from evidence.recognition import recognise
from tests.evidence.formats import packets as make
from tests.evidence.formats.packets import block, changed, enhanced, interface, message, option, section, udp
from tests.evidence.formats.readers import check_way_back, read
from tests.evidence.formats.recorded import MANIFEST, bytes_of, check_against_traffic, counts_of

FORMAT = FORMATS["parse.pcapng@1"]
CAPTURES = sorted(path for path in MANIFEST if path.endswith(".pcapng"))
IP = make.ip(udp(message()))
SECOND = 1_700_000_000


@pytest.mark.parametrize("path", CAPTURES)
def test_it_is_told_by_its_first_bytes(path: str) -> None:
    guess = FORMAT.guess(Head(bytes_of(path)[:4096], whole=False))
    assert guess and guess.confidence == 1.0
    found = recognise(bytes_of(path)[:HEAD], whole=False)
    assert (found.procedure, found.confidence, found.others) == (FORMAT.procedure, 1.0, ())


@pytest.mark.parametrize("path", CAPTURES)
def test_recorded_traffic_is_read_as_it_was_sent(path: str) -> None:
    result, stated = read(FORMAT, bytes_of(path)), counts_of(path)
    captures = 2 if "two" in path else 1
    assert result.counted.events == {"query": stated["lookups"], "response": stated["responses"] - captures}
    assert (
        sum(row["transport"] == "tcp" for row in result.rows if row["event"] == "query") == stated["lookups over TCP"]
    )
    assert result.counted.reasons == {
        "section-header": 1, "interface-description": captures, "tcp-control": 48 * captures, "ip-fragment": 3 * captures
    }  # fmt: skip
    assert check_way_back(FORMAT, bytes_of(path)) == len(result.rows)


@pytest.mark.parametrize("kind", ["ethernet", "ethernet-nanoseconds"])
def test_it_has_the_rows_of_the_capture_that_it_was_made_from(kind: str) -> None:
    place = ("start", "stop", "earlier")
    ours = read(FORMAT, bytes_of(f"pcap/{kind}.pcapng")).rows
    theirs = read(FORMATS["parse.pcap@1"], bytes_of(f"pcap/{kind}.pcap")).rows
    assert [row | dict.fromkeys(place) for row in ours] == [row | dict.fromkeys(place) for row in theirs]
    check_against_traffic(ours, "bind")


def test_each_of_two_interfaces_has_the_traffic_of_its_server() -> None:
    rows = read(FORMAT, bytes_of("pcap/two-interfaces.pcapng")).rows
    begin = [number for number, row in enumerate(rows) if row["port"] == 20000 and row["event"] == "query"][1]
    check_against_traffic(rows[:begin], "bind")
    check_against_traffic(rows[begin:], "knotd")


@pytest.mark.parametrize("order", ["<", ">"])
def test_sections_of_either_byte_order_and_their_own_interfaces(order: str) -> None:
    named = interface(1, order, option(2, b"eth0\0", order) + option(9, b"\x09", order) + option(0, b"", order))
    first = section() + interface() + enhanced(IP, SECOND * 1_000_000 + 5)
    second = section(order) + named + enhanced(make.ethernet(IP), SECOND * 10**9 + 7_001, order=order)
    rows = read(FORMAT, first + second).rows
    assert [(row["line"], row["vantage"], row["time_digits"], row["time"].microsecond) for row in rows] == [
        (1, None, 6, 5), (2, "eth0", 9, 7)
    ]  # fmt: skip
    assert check_way_back(FORMAT, first + second) == 2


@pytest.mark.parametrize(
    ("options", "stamp", "digits"),
    [
        (option(9, b"\0"), SECOND, 0),
        (option(9, b"\3"), SECOND * 1000, 3),
        (option(9, b"\x8a"), SECOND * 1024, 3),
        (option(9, b"\x0c"), 1_700_000_000_000_000_000, 9),
        (option(14, struct.pack("<q", SECOND)), 0, 6),
    ],
)
def test_an_interface_says_how_its_times_are_written(options: bytes, stamp: int, digits: int) -> None:
    (row,) = read(FORMAT, section() + interface(options=options) + enhanced(IP, stamp)).rows
    assert (row["time_digits"], row["time_zone"]) == (digits, "UTC")
    assert int(row["time"].timestamp()) in (SECOND, 1_700_000)


def test_older_and_simple_packets_are_read_and_a_simple_one_has_no_time() -> None:
    older = block(2, struct.pack("<HHIIII", 0, 0, 0, 7, len(IP), len(IP)) + IP)
    simple = block(3, struct.pack("<I", len(IP)) + IP)
    rows = read(FORMAT, section() + interface() + older + simple).rows
    assert [row["name"] for row in rows] == ["www.example", "www.example"]
    assert rows[0]["time"].microsecond == 7
    assert (rows[1]["time"], rows[1]["time_digits"], rows[1]["time_zone"]) == (None, None, None)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (block(4, b""), "name-resolution"), (block(5, bytes(12)), "interface-statistics"), (block(10, bytes(8)), "decryption-secrets"),
        (block(0xBAD, b"custom"), "other-block"), (enhanced(IP, 0, place=1), "bad-block"), (block(6, b"1234"), "bad-block"),
        (enhanced(IP, 0)[:20] + b"\xff\xff\0\0" + enhanced(IP, 0)[24:], "bad-block"), (block(1, b"1234"), "bad-block"),
        (enhanced(IP, 1 << 63), "bad-time"), (block(3, b""), "bad-block"), (enhanced(IP, 1)[:-1], "truncated-record"), (b"\6\0", "truncated-record"),
        (b"\6\0\0\0\x0b\0\0\0" + bytes(8), "gap"), (b"\6\0\0\0\0\0\0\x7f" + bytes(8), "gap"), (enhanced(IP, 1)[:-4] + bytes(4), "gap"),
    ],
)  # fmt: skip
def test_what_is_no_packet_says_what_it_is(data: bytes, why: str) -> None:
    result = read(FORMAT, section() + interface() + enhanced(IP, 1) + data)
    assert result.reasons() == ["section-header", "interface-description", why]
    assert len(result.rows) == 1


@pytest.mark.parametrize("data", [b"", b"\x0a\x0d\x0d\x0a", b"text"])
def test_what_is_no_capture_is_one_reject_or_nothing(data: bytes) -> None:
    assert read(FORMAT, data).reasons() == (["no-section-header"] if data else [])
    assert FORMAT.guess(Head(data)) is None


def test_interfaces_whose_names_would_fill_the_memory_are_not_taken() -> None:
    size = 60_000
    named = interface(options=option(2, b"x" * size))
    taken = (1 << 24) // size
    data = section() + named * (taken + 2) + interface() + enhanced(IP, 1, taken - 1) + enhanced(IP, 1, taken)
    result = read(FORMAT, data)
    assert [len(row["vantage"]) for row in result.rows] == [size]
    assert result.counted.reasons == {"section-header": 1, "interface-description": taken, "bad-block": 4}


def test_connections_of_two_interfaces_are_not_mixed() -> None:
    data = make.framed(message(), message())
    packets = [
        (make.ip(make.tcp(data[:40], 1), 6), 0),
        (make.ip(make.tcp(data, 1), 6), 1),
        (make.ip(make.tcp(data[40:], 41), 6), 0),
    ]
    blocks = [enhanced(packet, 1, place) for packet, place in packets]
    rows = read(FORMAT, section() + interface() + interface() + b"".join(blocks)).rows
    assert [row["line"] for row in rows] == [1, 2, 2, 3]


def test_blocks_are_whole_across_blocks_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    from evidence.reading import source

    data = bytes_of("pcap/two-interfaces.pcapng")
    whole = read(FORMAT, data).rows
    monkeypatch.setattr(source, "BLOCK", 1000)
    assert read(FORMAT, data).rows == whole


@settings(max_examples=200, deadline=None)
@given(changed([bytes_of(path)[:9000] for path in CAPTURES]))
def test_no_change_of_a_capture_loses_a_byte(data: bytes) -> None:
    result = read(FORMAT, data)
    assert all(row["stop"] > row["start"] for row in [*result.rows, *result.rejects])
