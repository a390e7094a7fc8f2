"""pcap captures: each packet is rows, a reject or skipped under a rule that is named, in every link type and byte order."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.formats.registry import FORMATS
from evidence.reading.format import HEAD, Head
from evidence.recognition import recognise
from tests.evidence.formats import packets as make
from tests.evidence.formats.packets import ACK, FIN, SYN, changed, framed, message, pcap, question, tcp, udp
from tests.evidence.formats.readers import Read, check_way_back, read
from tests.evidence.formats.recorded import MANIFEST, bytes_of, check_against_traffic, counts_of

FORMAT = FORMATS["parse.pcap@1"]
CAPTURES = sorted(path for path in MANIFEST if path.endswith(".pcap"))
WHOLE = [path for path in CAPTURES if "snapped" not in path]
QUERY, ANSWER = message(), message(flags=0x8180, answers=[make.record(b"\xc0\x0c", 1, b"\xc0\0\2\1")])
LONG = message(flags=0x8180, answers=[make.record(b"\xc0\x0c", 16, b"\xff" + b"x" * 255)] * 8)


def capture(*packets: bytes, link: int = 101, **more) -> Read:
    return read(FORMAT, pcap(packets, link, **more))


def plain(result: Read) -> list[tuple]:
    """Number and name of each row, and number and reason of each reject."""
    rows = [(row["line"], row["name"]) for row in result.rows]
    return rows + [(item["line"], item["reason"]) for item in result.rejects if item["kind"] != "context"]


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


# TCP


def segments(*parts: tuple, back: bool = False) -> list[bytes]:
    """Packets from (octets, sequence, flags, acknowledged)."""
    ends = {"port": 53, "target": 40000} if back else {}
    hosts = {"source": make.SERVER, "target": make.CLIENT} if back else {}
    return [
        make.ip(tcp(data, sequence, flags, acknowledged=more[0] if more else 0, **ends), 6, **hosts)
        for data, sequence, flags, *more in parts
    ]


def spans(result: Read) -> dict[int, tuple[int, int]]:
    return {item["line"]: (item["start"], item["stop"]) for item in [*result.rows, *result.rejects]}


def earlier(result: Read) -> list[tuple[int, list[int]]]:
    """Number of each row, and numbers of the packets that it needs."""
    numbers = {span: number for number, span in spans(result).items()}
    return [
        (row["line"], [numbers[item["start"], item["stop"]] for item in row["earlier"] or ()]) for row in result.rows
    ]


def test_a_message_of_several_segments_is_a_row_of_the_last_and_names_the_others() -> None:
    data = framed(LONG)
    packets = segments(
        (b"", 99, SYN), (data[:1], 100, ACK), (data[1:900], 101, ACK), (data[900:], 1000, ACK), back=True
    )
    result = capture(*packets)
    assert earlier(result) == [(4, [2, 3])]
    assert plain(result)[1:] == [(1, "tcp-control"), (2, "tcp-segment"), (3, "tcp-segment")]
    assert check_way_back(FORMAT, pcap(packets)) == 1


def test_several_messages_of_one_segment_are_rows_of_one_packet() -> None:
    data = framed(QUERY, QUERY, LONG)
    packets = segments(
        (b"", 99, SYN),
        (data[:200], 100, ACK),
        (data[200:] + framed(ANSWER)[:9], 300, ACK),
        (framed(ANSWER)[9:], 109 + len(data), ACK),
    )
    result = capture(*packets)
    assert earlier(result) == [(2, []), (2, []), (3, [2]), (4, [2, 3])]
    assert check_way_back(FORMAT, pcap(packets)) == 4


@pytest.mark.parametrize("begin", [100, 0xFFFFFFF0])
def test_order_repeats_and_overlaps_do_not_matter(begin: int) -> None:
    data = framed(QUERY, LONG, QUERY)
    cuts = [(300, 700), (0, 300), (0, 300), (250, 800), (1200, len(data)), (700, 1300), (0, len(data))]
    packets = segments((b"", begin - 1, SYN), *((data[first:last], begin + first, ACK) for first, last in cuts))
    result = capture(*packets)
    assert [row["line"] for row in result.rows] == [3, 7, 7]
    assert plain(result)[3:] == [
        (1, "tcp-control"),
        (2, "tcp-segment"),
        (4, "tcp-repeat"),
        (5, "tcp-segment"),
        (6, "tcp-segment"),
        (8, "tcp-repeat"),
    ]
    assert check_way_back(FORMAT, pcap(packets)) == 3


def test_a_message_behind_octets_that_were_seen_needs_the_packet_that_had_them() -> None:
    data = framed(ANSWER)
    packets = segments((b"", 99, SYN), (data, 100, ACK), (data[-1:] + data, 99 + len(data), ACK), back=True)
    assert earlier(capture(*packets)) == [(2, []), (3, [2])]
    assert check_way_back(FORMAT, pcap(packets)) == 2


@st.composite
def cut_streams(draw) -> tuple[list[bytes], int]:
    """Messages of one connection, cut anywhere, some parts sent again or in another order; and how many messages."""
    sizes = draw(st.lists(st.sampled_from([0, 1, 4, 8]), min_size=1, max_size=8))
    messages = [message([question(make.name(b"n%d" % number))], [make.record(b"\xc0\x0c", 16, b"\x40" + b"x" * 64)] * size, flags=0x8000)
                for number, size in enumerate(sizes)]  # fmt: skip
    data = framed(*messages)
    edges = [0, *sorted(draw(st.sets(st.integers(1, len(data) - 1), max_size=8))), len(data)]
    parts = list(itertools.pairwise(edges))
    if draw(st.booleans()):
        parts = draw(st.permutations(parts))
    for _ in range(draw(st.integers(0, 3))):
        first, last = draw(st.sampled_from(parts))
        parts.insert(draw(st.integers(0, len(parts))), (max(0, first - draw(st.integers(0, 9))), last))
    begin = draw(st.sampled_from([1, 0xFFFFFFF0]))
    sent = segments(
        (b"", begin - 1, SYN), *((data[first:last], begin + first, ACK) for first, last in parts), back=True
    )
    return sent, len(messages)


@settings(max_examples=200, deadline=None)
@given(cut_streams())
def test_however_a_stream_is_cut_each_message_is_read_once_and_made_again(stream: tuple[list[bytes], int]) -> None:
    sent, count = stream
    result = read(FORMAT, pcap(sent))
    assert [row["name"] for row in result.rows] == [f"n{number}" for number in range(count)]
    assert check_way_back(FORMAT, pcap(sent)) == count


def test_a_gap_that_the_other_side_acknowledged_is_left() -> None:
    size = len(framed(QUERY))
    forth = segments((b"", 99, SYN), (framed(QUERY), 100, ACK), (framed(QUERY), 100 + 2 * size, ACK))
    back = segments((framed(ANSWER), 500, ACK, 100 + 2 * size), back=True)
    packets = [*forth[:2], *back, forth[2]]
    assert [row["line"] for row in capture(*packets).rows] == [2, 3, 4]
    assert check_way_back(FORMAT, pcap(packets)) == 3


def test_what_waits_behind_a_gap_is_read_in_its_own_place_at_the_end() -> None:
    size = len(framed(QUERY))
    packets = segments((b"", 99, SYN), (framed(QUERY), 100 + size, ACK), (framed(LONG)[:50], 100 + 2 * size, ACK))
    assert plain(capture(*packets)) == [(2, "www.example"), (1, "tcp-control"), (3, "tcp-incomplete")]


def test_a_message_that_never_becomes_whole_is_counted() -> None:
    packets = segments((b"", 99, SYN), (framed(LONG)[:900], 100, ACK), (b"", 1000, ACK | FIN))
    assert plain(capture(*packets)) == [(1, "tcp-control"), (2, "tcp-incomplete"), (3, "tcp-control")]


def test_a_capture_may_begin_within_a_connection() -> None:
    packets = segments((framed(LONG)[700:], 5000, ACK), (framed(QUERY), 5000 + len(framed(LONG)) - 700, ACK))
    assert plain(capture(*packets)) == [(2, "www.example"), (1, "tcp-out-of-step")]


def test_the_same_ports_are_used_again() -> None:
    once = segments((b"", 99, SYN), (framed(QUERY), 100, ACK), (b"", 100 + len(framed(QUERY)), FIN | ACK))
    later = segments((b"", 70_000_000, SYN), (framed(QUERY), 70_000_001, ACK))
    assert [row["line"] for row in capture(*once, *once, *later).rows] == [2, 5, 8]


def test_a_message_that_cannot_be_read_is_a_reject_and_the_next_is_read() -> None:
    data = framed(b"nonsense", QUERY)
    packets = segments((b"", 99, SYN), (data[:10], 100, ACK), (data[10:], 110, ACK))
    assert plain(capture(*packets)) == [(3, "www.example"), (1, "tcp-control"), (2, "short-message")]
    together = segments((b"", 99, SYN), (data, 100, ACK))
    result = capture(*together)
    assert plain(result) == [(2, "www.example"), (1, "tcp-control")]
    assert result.notes == ["1 messages cannot be read; their packets hold rows of other messages."]


def test_what_waits_is_bounded_and_the_oldest_connection_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    from evidence.wire import streams

    monkeypatch.setattr(streams, "MOST_WAITING_SEGMENTS", 3)
    monkeypatch.setattr(streams, "MOST_STREAMS", 2)
    waiting = segments((b"", 99, SYN), *((framed(QUERY), 1000 + number * 100, ACK) for number in range(5)))
    others = [make.ip(tcp(framed(QUERY)[:4], 1, ACK, port=port), 6) for port in (1, 2, 3)]
    result = capture(*waiting, *others)
    assert [row["line"] for row in result.rows] == [2, 3, 4, 5, 6]
    assert [reason for _, reason in plain(result)[5:]] == ["tcp-control"] + 3 * ["tcp-incomplete"]


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
