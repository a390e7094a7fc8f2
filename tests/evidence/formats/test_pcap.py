"""pcap captures: each packet is rows, a reject or skipped under a rule that is named, in every link type and byte order."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings

from evidence.formats.registry import FORMATS
from evidence.reading.format import HEAD, Head
from evidence.recognition import recognise
from tests.evidence.formats import packets as make
from tests.evidence.formats.packets import ACK, SYN, changed, framed, message, pcap, question, tcp, udp
from tests.evidence.formats.readers import check_way_back, read
from tests.evidence.formats.recorded import MANIFEST, bytes_of, check_against_traffic, counts_of
from tests.evidence.formats.streams import capture, earlier, plain, segments

FORMAT = FORMATS["parse.pcap@1"]
CAPTURES = sorted(path for path in MANIFEST if path.endswith(".pcap"))
WHOLE = [path for path in CAPTURES if "snapped" not in path]
QUERY = message()
LONG = message(flags=0x8180, answers=[make.record(b"\xc0\x0c", 16, b"\xff" + b"x" * 255)] * 8)


@pytest.mark.parametrize("path", CAPTURES)
def test_it_is_told_by_its_first_bytes(path: str) -> None:
    guess = FORMAT.guess(Head(bytes_of(path)[:4096], whole=False))
    assert guess and guess.confidence == 1.0
    found = recognise(bytes_of(path)[:HEAD], whole=False)
    assert (found.procedure, found.confidence, found.others) == (FORMAT.procedure, 1.0, ())


@pytest.mark.parametrize("path", WHOLE)
def test_recorded_traffic_is_read_as_it_was_sent(path: str) -> None:
    """tshark joins fragments and counts one response more."""
    result = read(FORMAT, bytes_of(path))
    stated = counts_of(path)
    events = result.counted.events
    assert (events["query"], events["response"]) == (stated["lookups"], stated["responses"] - 1)
    assert (
        sum(row["transport"] == "tcp" for row in result.rows if row["event"] == "query") == stated["lookups over TCP"]
    )
    assert result.counted.reasons == {"file-header": 1, "tcp-control": 48, "ip-fragment": 3}
    check_against_traffic(result.rows, "knotd" if "knotd" in path else "bind")


def test_counts_by_type_and_code_are_those_of_tshark() -> None:
    rows, stated = read(FORMAT, bytes_of("pcap/ethernet.pcap")).rows, counts_of("pcap/ethernet.pcap")
    queries = [row for row in rows if row["event"] == "query"]
    assert max(row["line"] for row in rows) <= stated["packets"]
    assert sum(row["type"] == "AAAA" for row in queries) == stated["lookups of type AAAA"]
    assert sum(row["type"] == "TYPE65280" for row in queries) == stated["lookups of type TYPE65280"]
    assert sum(":" in row["client"] for row in queries) == stated["lookups over IPv6"]
    assert sum("EDNS0" in (row["flags"] or "") for row in queries) == stated["lookups with EDNS"]
    assert sum(row["rcode"] == "NXDOMAIN" for row in rows) == stated["responses NXDOMAIN"]
    assert sum(row["rcode"] == "SERVFAIL" for row in rows) == stated["responses SERVFAIL"]


def test_packets_that_were_cut_are_counted_and_not_read() -> None:
    """Only the query for the root is short enough to be whole."""
    result, stated = read(FORMAT, bytes_of("pcap/snapped.pcap")), counts_of("pcap/snapped.pcap")
    assert [row["name"] for row in result.rows] == ["."]
    assert result.counted.reasons["snapped"] >= stated["lookups"] + stated["responses"] - 2
    check_against_traffic(result.rows, "bind", is_snapped=True)


@pytest.mark.parametrize("path", CAPTURES)
def test_each_row_is_made_again_from_its_own_bytes(path: str) -> None:
    assert check_way_back(FORMAT, bytes_of(path)) == len(read(FORMAT, bytes_of(path)).rows)


def test_the_same_packets_are_the_same_rows_in_either_byte_order() -> None:
    small, big = (read(FORMAT, bytes_of(f"pcap/ethernet{order}.pcap")) for order in ("", "-big-endian"))
    assert small.rows == big.rows


def test_nanoseconds_are_cut_to_microseconds_and_said() -> None:
    data = bytes_of("pcap/ethernet-nanoseconds.pcap")
    row = read(FORMAT, data).rows[0]
    seconds, nanoseconds = struct.unpack_from("<II", data, 24)
    assert (row["time_digits"], row["time_zone"]) == (9, "UTC")
    assert (int(row["time"].timestamp()), row["time"].microsecond) == (seconds, nanoseconds // 1000)
    assert read(FORMAT, bytes_of("pcap/ethernet.pcap")).rows[0]["time_digits"] == 6


IP = make.ip(udp(QUERY))
IP6 = make.ip(udp(QUERY), source="2001:db8::1", target="2001:db8::53")


@pytest.mark.parametrize(
    ("link", "packet"),
    [
        (0, b"\2\0\0\0" + IP), (0, b"\0\0\0\2" + IP), (0, b"\x1e\0\0\0" + IP6), (0, b"\0\0\0\x1c" + IP6), (108, b"\0\0\0\2" + IP),
        (12, IP), (14, IP6), (101, IP), (101, IP6), (228, IP), (229, IP6),
        (1, make.ethernet(IP)), (1, make.ethernet(IP6, 0x86DD)),
        (1, make.ethernet(IP, tags=b"\x81\0\0\x0a")), (1, make.ethernet(IP, tags=b"\x88\xa8\0\x0a\x81\0\0\x0b")),
        (1, make.ethernet(IP + bytes(6))),
        (113, bytes(14) + b"\x08\0" + IP), (113, bytes(14) + b"\x81\0\0\x0a\x86\xdd" + IP6),
        (276, b"\x08\0" + bytes(18) + IP), (276, b"\x81\0" + bytes(18) + b"\0\x0a\x86\xdd" + IP6),
    ],
)  # fmt: skip
def test_every_link_layer_leads_to_the_same_message(link: int, packet: bytes) -> None:
    (row,) = capture(packet, link=link).rows
    assert (row["name"], row["port"], row["server_port"]) == ("www.example", 40000, 53)
    assert row["client"] in (make.CLIENT, "2001:db8::1")


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (b"", "truncated-packet"), (b"\x45" + bytes(10), "truncated-packet"), (b"\x46" + IP[1:24], "truncated-packet"),
        (b"\x44" + IP[1:], "bad-ip-header"), (b"\x55" + IP[1:], "not-ip"), (IP[:2] + b"\0\x13" + IP[4:], "bad-ip-header"),
        (IP[:-1], "truncated-packet"), (make.ip(udp(QUERY), fragment=0x2000), "ip-fragment"), (make.ip(b"x", fragment=1), "ip-fragment"),
        (make.ip(b"12345678", 1), "other-protocol"), (make.ip(b"123", 17), "bad-ip-header"), (make.ip(udp(QUERY, target=5353)), "other-port"),
        (make.ip(udp(QUERY, target=853)), "encrypted"), (make.ip(tcp(b"secret", 1, target=853), 6), "encrypted"),
        (make.ip(tcp(b"", 1, target=853), 6), "tcp-control"), (make.ip(udp(QUERY)[:4] + b"\xff\xff" + udp(QUERY)[6:]), "bad-udp-length"),
        (make.ip(udp(b"")), "short-message"), (make.ip(tcp(b"", 1)[:12] + b"\x40" + tcp(b"", 1)[13:], 6), "bad-tcp-header"),
        (make.ip(tcp(b"", 1), 6), "tcp-control"), (make.ip(udp(message(flags=0x2000))), "opcode-notify"), (make.ip(udp(message([]))), "no-question"),
        (make.ip(udp(QUERY + b"x")), "trailing-bytes"),
        (IP6[:6] + b"\x2c" + IP6[7:40] + b"\x11\0\0\1\0\0\0\1" + IP6[40:], "ip-fragment"),
        (IP6[:6] + b"\0" + IP6[7:42], "truncated-packet"), (IP6[:6] + b"\x3b" + IP6[7:], "other-protocol"),
    ],
)  # fmt: skip
def test_what_is_no_row_says_why(packet: bytes, why: str) -> None:
    assert plain(capture(packet)) == [(1, why)]


def test_extension_headers_are_walked_and_a_fragment_that_is_whole_is_none() -> None:
    chain = b"\x33\0" + bytes(6) + b"\x2c\4" + bytes(22) + b"\x11" + bytes(7)
    packet = IP6[:4] + (len(IP6) - 40 + len(chain)).to_bytes(2) + b"\0" + IP6[7:40] + chain + IP6[40:]
    assert plain(capture(packet)) == [(1, "www.example")]


def test_a_length_of_nothing_that_offloading_leaves_goes_to_the_end() -> None:
    assert plain(capture(IP[:2] + b"\0\0" + IP[4:])) == [(1, "www.example")]


def test_an_unknown_link_type_is_a_reject() -> None:
    assert plain(capture(IP, link=147)) == [(1, "unknown-link")]


def test_packets_that_the_capture_cut_are_said_to_be_snapped() -> None:
    assert plain(capture(IP, IP, snap=40)) == [(1, "snapped"), (2, "snapped")]


def test_a_fraction_beyond_a_second_is_no_time() -> None:
    data = bytearray(pcap([IP, IP]))
    data[28:32] = struct.pack("<I", 1_000_000)
    assert plain(read(FORMAT, bytes(data))) == [(2, "www.example"), (1, "bad-time")]


def test_several_questions_are_several_rows_of_one_packet() -> None:
    result = capture(make.ip(udp(message([question(), question(make.name(b"b"))]))))
    assert [(row["line"], row["name"]) for row in result.rows] == [(1, "www.example"), (1, "b")]
    assert (result.counted.row_bytes, result.counted.rows) == (result.rows[0]["stop"] - result.rows[0]["start"], 2)


# Broken files


@pytest.mark.parametrize("kept", [1, 15, 16, 17, 40])
def test_a_record_that_the_file_cuts_off_is_a_reject(kept: int) -> None:
    result = read(FORMAT, pcap([IP]) + pcap([IP])[24 : 24 + kept])
    assert result.rejects[-1]["reason"] == "truncated-record"
    assert len(result.rows) == 1


def test_an_impossible_length_makes_the_rest_one_reject() -> None:
    data = bytearray(pcap([IP, IP, IP]))
    at = 24 + 16 + len(IP)
    data[at + 8 : at + 12] = b"\xff\xff\xff\x7f"
    result = read(FORMAT, bytes(data))
    assert plain(result) == [(1, "www.example"), (2, "gap")]
    assert (result.rejects[-1]["start"], result.rejects[-1]["stop"]) == (at, len(data))


@pytest.mark.parametrize("data", [b"", b"x", b"\xd4\xc3\xb2\xa1", b"no capture at all, by far"])
def test_what_is_no_capture_is_one_reject_or_nothing(data: bytes) -> None:
    result = read(FORMAT, data)
    assert result.reasons() == (["no-file-header"] if data else [])
    assert FORMAT.guess(Head(data)) is None


def test_packets_are_whole_across_blocks_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    from evidence.reading import source

    data = pcap(
        [IP] * 500
        + segments((b"", 99, SYN), (framed(LONG)[:900], 100, ACK))
        + [IP] * 500
        + segments((framed(LONG)[900:], 1000, ACK))
    )
    whole = read(FORMAT, data).rows
    monkeypatch.setattr(source, "BLOCK", 1000)
    assert read(FORMAT, data).rows == whole
    assert [row["line"] for row in whole] == [*range(1, 501), *range(503, 1004)]


@pytest.mark.parametrize("between", [1, 20, 500])
def test_a_message_behind_a_gap_is_a_row_however_far_behind_it_is_given_up(
    between: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evidence.reading import source

    data = pcap(
        segments((b"", 99, SYN), (framed(QUERY), 200, ACK)) + [IP] * between + segments((framed(QUERY), 300, ACK))
    )
    whole = read(FORMAT, data)
    assert [row["line"] for row in whole.rows] == [2, *range(3, between + 4)]
    monkeypatch.setattr(source, "BLOCK", 1000)
    parts = read(FORMAT, data)
    assert (parts.rows, parts.counted.reasons, parts.notes) == (whole.rows, whole.counted.reasons, [])
    assert check_way_back(FORMAT, data) == len(whole.rows)


def test_a_gap_that_is_filled_in_the_next_block_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from evidence.reading import source

    message = framed(LONG)
    late = segments((b"", 99, SYN), (message[900:], 1000, ACK)) + [IP] * 25 + segments((message[:900], 100, ACK))
    monkeypatch.setattr(source, "BLOCK", 3000)
    result = read(FORMAT, pcap(late))
    assert earlier(result)[-1] == (28, [1, 2])


@settings(max_examples=250, deadline=None)
@given(changed([bytes_of(path)[:9000] for path in CAPTURES]))
def test_no_change_of_a_capture_loses_a_byte(data: bytes) -> None:
    result = read(FORMAT, data)
    assert all(row["stop"] > row["start"] for row in [*result.rows, *result.rejects])
