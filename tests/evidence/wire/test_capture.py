"""What is held of a capture until it is handed on is bounded, however small, compressed or out of order its packets are."""

from __future__ import annotations

import pytest

from evidence.formats.pcap import pieces
from evidence.formats.registry import FORMATS
from evidence.wire import capture, streams
from evidence.wire.packet import Segment
from tests.evidence.formats import packets as make
from tests.evidence.formats.packets import (
    ACK,
    block,
    enhanced,
    framed,
    interface,
    message,
    option,
    pcap,
    question,
    record,
    section,
    tcp,
    udp,
)
from tests.evidence.formats.readers import as_file, read

FORMAT, NG = FORMATS["parse.pcap@1"], FORMATS["parse.pcapng@1"]
LONG = message(flags=0x8180, answers=[record(b"\xc0\x0c", 16, b"\xff" + b"x" * 255)] * 8)


def test_answers_that_unfold_end_a_batch_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "MOST_HELD", 1000)
    result = read(FORMAT, pcap([make.ip(udp(LONG, 53, 40000))] * 9))
    assert [row["line"] for row in result.rows] == list(range(1, 10))


def test_a_batch_holds_as_many_packets_as_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "MOST_HELD", 50_000)
    tiny = [make.ip(tcp(b"x", 100 + number), 6) for number in range(400)]
    many = [make.ip(udp(message([question()], [record(b"\0", 10, b"")] * 40, flags=0x8180), 53, 40000))] * 20
    for packets, most in ((tiny, 50), (many, 5)):
        with as_file(pcap(packets)) as source:
            batches = list(FORMAT.read(source, {}).batches)
        assert sum(len(batch.rows) + len(batch.rejects) for batch in batches) == len(packets) + 1
        assert max(len(batch.rows) + len(batch.rejects) for batch in batches) <= most


def test_what_is_kept_of_a_reject_ends_with_the_file() -> None:
    whole = pcap([b"abc", b"abc"])
    assert [len(reject["head"]) for reject in read(FORMAT, whole).rejects] == [32, 32, 19]
    assert [reject["head"] for reject in read(FORMAT, whole[:24]).rejects] == [whole[:24]]


@pytest.mark.parametrize("asked", [b"www", b"a.b"])
def test_the_name_of_an_interface_is_held_once_however_many_packets_it_has(asked: bytes) -> None:
    """Those of the second name are read one by one."""
    name = b"n" * 65_000
    sent = enhanced(make.ip(udp(message([question(make.name(asked))]))), 0)
    with as_file(section() + interface(options=option(2, name) + option(0, b"")) + sent * 3000) as source:
        batches = [batch.rows for batch in NG.read(source, {}).batches]
    assert sum(rows.nbytes for rows in batches) < 2_000_000
    assert [len(rows) for rows in batches] == [3000]
    assert batches[0]["vantage"].slice(2999).to_pylist() == [name.decode()]


def test_only_a_batch_in_which_a_segment_waits_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "MOST_HELD", 1)
    whole, begun, ended = (
        make.ip(part, protocol)
        for part, protocol in (
            (udp(message([question(b"\0")])), 17), (tcp(framed(LONG)[:40], 100), 6), (tcp(framed(LONG)[40:], 140), 6)
        )
    )  # fmt: skip
    reader = capture.Capture()
    with as_file(pcap([whole, whole, begun, ended, whole, whole])) as source:
        held = [(batch.rows["line"].to_pylist(), len(reader._parts)) for batch in reader.read(pieces(source))]
    assert held == [([1], 0), ([2], 0), ([], 1), ([4], 0), ([5], 0), ([6], 0)]


def test_streams_that_wait_are_given_up_by_what_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_HELD", 100_000)
    for ahead in (False, True):
        found = streams.Streams()
        for number in range(5000):
            port, part = number % 200, number // 200
            segment = Segment("192.0.2.1", port, "192.0.2.2", 53, b"\1", 2 * part if ahead else part, 0, ACK)
            found.add(segment, 0, (number * 60, number * 60 + 60))
        held = found._streams.values()
        kept = sum(len(stream.chain) + len(stream.waiting) for stream in held)
        assert 200 < kept < 100_000 / 160


def test_blocks_that_are_no_packets_are_held_in_small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    from evidence.formats import pcapng

    monkeypatch.setattr(pcapng, "_MOST_OTHERS", 10)
    data = make.section() + make.interface() + block(99, b"") * 95 + make.enhanced(make.ip(udp(message())), 1)
    with as_file(data) as source:
        pieces = list(pcapng.pieces(source))
    assert [len(piece.others) for piece in pieces] == [*[10] * 9, 7]
    assert [row["line"] for row in read(NG, data).rows] == [1]
