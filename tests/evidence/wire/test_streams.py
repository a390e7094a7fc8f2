"""Messages out of TCP segments, however these are cut, ordered, repeated or lost; each names the packets that it needs."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.wire.capture import Capture
from tests.evidence.formats import packets as make
from tests.evidence.formats.packets import ACK, FIN, SYN, framed, message, pcap, question, tcp
from tests.evidence.formats.readers import check_way_back, read
from tests.evidence.formats.streams import FORMAT, capture, earlier, plain, segments

QUERY, ANSWER = message(), message(flags=0x8180, answers=[make.record(b"\xc0\x0c", 1, b"\xc0\0\2\1")])
LONG = message(flags=0x8180, answers=[make.record(b"\xc0\x0c", 16, b"\xff" + b"x" * 255)] * 8)


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


def test_octets_that_are_too_few_to_tell_need_the_packets_before_them_too() -> None:
    data = framed(LONG)
    size = len(data) - 7
    packets = segments(
        (b"", 99, SYN), (data[:size], 100, ACK), (data[size:], 100 + size, ACK),
        (data[-1:] + framed(ANSWER), 99 + len(data), ACK), (framed(ANSWER, ANSWER), 100 + len(data), ACK), back=True,
    )  # fmt: skip
    assert earlier(capture(*packets)) == [(3, [2]), (4, [2, 3]), (5, [4])]
    assert check_way_back(FORMAT, pcap(packets)) == 3


def test_the_packet_that_ends_what_waited_is_looked_at_and_not_the_one_that_came_last() -> None:
    data = framed(LONG)
    size = len(data) - 7
    packets = segments(
        (b"", 99, SYN), (data[:900], 100, ACK), (data[size:], 100 + size, ACK), (data[900:size], 1000, ACK),
        (data[-1:] + framed(ANSWER), 99 + len(data), ACK), back=True,
    )  # fmt: skip
    assert earlier(capture(*packets)) == [(4, [2, 3]), (5, [2, 3, 4])]
    assert check_way_back(FORMAT, pcap(packets)) == 2


@pytest.mark.parametrize(
    ("first", "count"),
    [(message([question()] * 2), 3), (message([question()], flags=0x2800), 1)],
    ids=["two", "update"],
)
def test_a_message_that_is_taken_for_none_in_the_midst_needs_the_packet_before_it(first: bytes, count: int) -> None:
    data = framed(first, QUERY)
    cut = len(framed(first)) + 10
    packets = segments((b"", 99, SYN), (data[:cut], 100, ACK), (data[cut:], 100 + cut, ACK))
    assert earlier(capture(*packets))[-1] == (3, [1, 2])
    assert check_way_back(FORMAT, pcap(packets)) == count


def test_a_packet_that_waits_for_two_others_needs_all_that_tell_where_it_belongs() -> None:
    data = framed(QUERY, QUERY)
    size = len(data) // 2
    cuts = [(0, 1), (size + 1, size + 2), (1, size), (size, size + 1), (size + 2, 2 * size)]
    packets = segments((b"", 99, SYN), *((data[first:last], 100 + first, ACK) for first, last in cuts))
    assert earlier(capture(*packets)) == [(4, [2]), (6, [2, 3, 4, 5])]
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


def assert_counted(data: bytes) -> None:
    """What all streams hold is the sum of what each does, whenever it is looked at."""
    counted = []

    def collect(self: Capture) -> None:
        counted.append(self._streams._held - sum(one.held for one in self._streams._streams.values()))
        before(self)

    before = Capture._collect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Capture, "_collect", collect)
        read(FORMAT, data)
    assert counted
    assert not any(counted)


@settings(max_examples=100, deadline=None)
@given(cut_streams(), st.integers(0, 3))
def test_what_streams_hold_is_counted_as_it_comes_and_goes(stream: tuple[list[bytes], int], left_out: int) -> None:
    assert_counted(pcap([packet for number, packet in enumerate(stream[0]) if number % 7 != 3 + left_out]))


def test_what_an_anchor_holds_is_counted_until_a_whole_message_or_another_connection_follows() -> None:
    data, size = framed(LONG), len(framed(LONG)) - 7
    begun = ((b"", 99, SYN), (data[:size], 100, ACK), (data[size:], 100 + size, ACK))
    behind = 100 + len(data)
    for then in ((framed(QUERY), behind, ACK), (b"", 5000, SYN)):
        assert_counted(pcap(segments(*begun, then, (framed(QUERY)[:9], behind + 2000, ACK), back=True)))


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
