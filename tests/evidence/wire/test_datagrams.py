"""The plain packets of a capture are read many at once, and as they would be one by one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.formats.registry import FORMATS
from evidence.reading.batch import rejects_table
from evidence.reading.source import Source
from evidence.table.schema import LOOKUPS
from evidence.wire import capture, message_columns, name_columns, streams
from evidence.wire.datagram_rows import Found, plain_rows
from tests.evidence.formats import packets as make
from tests.evidence.formats.packets import changed, framed, message, name, pcap, question, record, udp
from tests.evidence.formats.readers import Read, read
from tests.evidence.formats.recorded import MANIFEST, bytes_of

if TYPE_CHECKING:
    from evidence.wire.capture import Piece

CAPTURES = sorted(path for path in MANIFEST if path.endswith((".pcap", ".pcapng")))
FORMAT, NG = FORMATS["parse.pcap@1"], FORMATS["parse.pcapng@1"]
OWN = b"\xc0\x0c"


def opt(flags: int = 0, options: bytes = b"", code: int = 0, version: int = 0) -> bytes:
    return b"\0" + struct.pack(">HHBBHH", 41, 1232, code, version, flags, len(options)) + options


def one_by_one(form: Any, data: bytes) -> Read:
    def none(piece: Piece) -> tuple:
        left = np.arange(len(piece.starts))
        return piece, [Found(LOOKUPS.empty_table(), rejects_table([]), left, piece.start + piece.size)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capture, "with_plain_rows", none)
        return read(form, data)


def both(data: bytes, form: Any = FORMAT) -> Read:
    many, single = read(form, data), one_by_one(form, data)
    assert many.rows == single.rows
    assert many.rejects == single.rejects
    assert many.notes == single.notes
    return many


def found_in(data: bytes, tmp_path: Any) -> list[Found]:
    from evidence.formats import pcap as reader

    (tmp_path / "capture").write_bytes(data)
    with (tmp_path / "capture").open("rb") as file:
        return [found for piece in reader.pieces(Source(file.fileno())) for found in plain_rows(piece)]


def plain_count(data: bytes, tmp_path: Any) -> int:
    return sum(len(found.rows) for found in found_in(data, tmp_path))


@pytest.mark.parametrize("path", CAPTURES)
def test_recordings_are_read_the_same_in_both_ways(path: str) -> None:
    both(bytes_of(path), NG if path.endswith("ng") else FORMAT)


@pytest.mark.parametrize(
    "path", ["ethernet", "vlan", "linux-cooked-v1", "linux-cooked-v2", "raw-ip", "ethernet-big-endian"]
)
def test_most_of_a_recording_is_plain(path: str, tmp_path: Any) -> None:
    assert plain_count(bytes_of(f"pcap/{path}.pcap"), tmp_path) > 80


PLAIN = [
    message(),
    message([question(name(b"WwW", b"a_b-c!"), 65280, 3)], flags=0x0110),
    message(flags=0x8583),
    message(answers=[record(OWN, 1, b"\xc0\0\2\1", 60), record(OWN, 28, bytes(15) + b"\1")], flags=0x8180),
    message(additional=[opt()]),
    message(additional=[opt(0x8000, struct.pack(">HH8s", 10, 8, b"cookieco") + struct.pack(">HHI", 8, 4, 65536))]),
    message(additional=[opt(code=1)], flags=0x8100),
    message(authority=[record(b"\xc0\x10", 6, b"any")], additional=[record(b"\0", 99, b""), opt()], flags=0x8183),
    message([question(name(*[b"x" * 63] * 3, b"y" * 61))]),
    message(answers=[record(OWN, 5, name(b"Other", b"net")), record(b"\xc0\x29", 1, b"\1\2\3\4", 0), record(b"\xc0\x29", 1, b"\5\6\7\x08")]),
    message(answers=[record(b"\xc0\x10", 2, b"\2ns\xc0\x10"), record(name(b"WWW", b"example"), 12, b"\xc0\x0c")]),
    message(answers=[record(OWN, 15, b"\0\x0a\4mail\xc0\x10"), record(OWN, 16, b'\4a"\xff '), record(OWN, 65280, b"\0\1")]),
    message(answers=[record(OWN, 1, b"\1\2\3")]), message(answers=[record(OWN, 1, b"\1\2\3\4", class_=3)]),
    message(answers=[record(OWN, 5, b"\0")]), message(answers=[record(OWN, 5, b"\3a.b\0"), record(OWN, 5, b"\1")]),
    message(answers=[record(OWN, 5, b"\1x\0\0"), record(OWN, 5, b"\xc0\xff"), record(OWN, 5, b""), record(OWN, 5, b"\1x\xc0")]),
    message(answers=[record(OWN, 1, b"\1\2\3\4")] * 32), message(authority=[record(b"\7example\0", 6, b"")] * 2),
    message(authority=[record(b"\0", 41, b"x")]),
    message([question(name(*[b"x" * 63] * 3))], answers=[record(OWN, 5, OWN)] * 12),
    message(answers=[record(OWN, 15, b"\0\1" + OWN)] * 8),
]  # fmt: skip
UNUSUAL = [
    message([question(b"\0", 2)]), message([question(name(b"a.b"))]), message([question(name(b"a\0b"))]), message([question(name(b"back\\"))]),
    message([question(), question()]), message([]), message(flags=0x2800), message() + b"x", message()[:-1], message([question(b"\xc0\x0c")]),
    message([question(name(*[b"x" * 63] * 3, b"y" * 62))]), message([question(b"\x40" + b"x" * 64 + b"\0")]),
    message(answers=[record(b"\xc0\x0d", 1, b"\1\2\3\4")], flags=0x8180), message(authority=[record(b"\xc0\x0d", 1, b"")], flags=0x8180),
    message(authority=[record(b"\xc0\x00", 1, b"")], flags=0x8180), message(authority=[record(b"\xc0\xff", 1, b"")], flags=0x8180),
    message(answers=[record(b"\0", 2, name(b"ns"))]), message(answers=[record(name(b"a b"), 1, b"\1\2\3\4")]),
    message(answers=[record(name(b"a.b"), 1, b"\1\2\3\4")]), message(authority=[record(b"\x80", 1, b"")]),
    message(authority=[record(b"\1x" * 127 + b"\1x\0", 1, b"")]), message(authority=[record(b"\1x" * 49 + b"\0", 1, b"")]),
    message(additional=[opt(), opt()]), message(additional=[opt(version=1)]), message(additional=[opt(options=b"\0\x0a\0\x09abc")]),
    message(additional=[opt(options=b"\0\x0a\0")]), message(additional=[opt(options=bytes(4) * 9)]), message(additional=[record(OWN, 41, b"")]),
    message(additional=[record(OWN, 250, b"")]), message(answers=[record(OWN, 1, b"\1\2\3\4")] * 65, flags=0x8180),
    message(answers=[record(b"\0", 41, b"")]),
]  # fmt: skip


@pytest.mark.parametrize("data", PLAIN)
@pytest.mark.parametrize("is_six", [False, True])
def test_plain_messages_are_taken(data: bytes, is_six: bool, tmp_path: Any) -> None:
    ends = {"source": "2001:db8::1", "target": "2001:db8::53"} if is_six else {}
    file = pcap([make.ethernet(make.ip(udp(data), **ends), 0x86DD if is_six else 0x0800)] * 3, 1)
    assert plain_count(file, tmp_path) == 3
    assert len(both(file).rows) == 3


@pytest.mark.parametrize("octet", b" !-.@AZ[\\]`az{~\x7f\xff")
def test_names_with_an_octet_next_to_those_that_are_changed_are_read_the_same_in_both_ways(octet: int) -> None:
    both(pcap([make.ip(udp(message([question(name(b"host", bytes([octet]), b"net"))])))]))


@pytest.mark.parametrize("data", UNUSUAL)
def test_unusual_messages_are_left(data: bytes, tmp_path: Any) -> None:
    file = pcap([make.ip(udp(PLAIN[0])), make.ip(udp(data)), make.ip(udp(PLAIN[3], 53, 40000))])
    both(file)
    assert plain_count(file, tmp_path) == 2


@st.composite
def files(draw: Any) -> bytes:
    """Captures of plain and unusual messages, in several layers, some with octets that were changed."""
    packets = []
    link = draw(st.sampled_from([1, 113, 276, 101]))
    for _ in range(draw(st.integers(1, 8))):
        data = draw(st.sampled_from(PLAIN + PLAIN + UNUSUAL))
        ports = draw(st.sampled_from([(40000, 53), (53, 40000), (53, 53), (5353, 5353)]))
        ends = draw(st.sampled_from([{}, {"source": "2001:db8::1", "target": "2001:db8::53"}]))
        inner = make.ip(udp(data, *ports), fragment=draw(st.sampled_from([0, 0, 0, 0x2000, 0x4000])), **ends)
        kind = b"\x86\xdd" if ends else b"\x08\0"
        tags = draw(st.sampled_from([b"", b"", b"\x81\0\0\1", b"\x88\xa8\0\1\x81\0\0\2", b"\x81\0\0\1" * 3]))
        if link == 276:
            full = tags + kind
            packet = full[:2] + bytes(18) + full[2:] + inner
        else:
            packet = {1: bytes(12) + tags + kind, 113: bytes(14) + tags + kind, 101: b""}[link] + inner
        if draw(st.booleans()):
            packet = draw(changed([packet]))
        packets.append(packet + bytes(draw(st.sampled_from([0, 0, 4]))))
    return pcap(packets, link, draw(st.sampled_from("<>")), snap=draw(st.sampled_from([65535, 65535, 80])))


LABELS = [b"www", b"Mail", b"example", b"a.b", b"_dmarc", b"\xff", b"x" * 63]
DATA = {
    1: [b"\1\2\3\4"], 28: [bytes(16), bytes(15) + b"\1"], 16: [b"\3abc", b"\0", b"\4no"], 65280: [b"", b"\0\1"], 41: [b""],
    257: [b"\0\5issueca.example"], 250: [b""],
}  # fmt: skip
AROUND_NAMES = {
    2: (b"", b""),
    5: (b"", b""),
    12: (b"", b""),
    39: (b"", b"\0"),
    15: (b"\0\1", b""),
    6: (b"\0", bytes(20)),
}
"""By type: what stands before and behind a name in its data."""


@st.composite
def names_at(draw: Any, at: int) -> bytes:
    """Labels, and the root or a pointer, mostly to where a name may be."""
    labels = b"".join(bytes([len(label)]) + label for label in draw(st.lists(st.sampled_from(LABELS), max_size=3)))
    targets = st.sampled_from([12, 12, 16]) | st.integers(0, at + 2)
    return labels + draw(st.just(b"\0") | targets.map(lambda target: (0xC000 | target).to_bytes(2)))


@st.composite
def responses(draw: Any) -> bytes:
    """Responses whose names are compressed in every way, some of them wrongly."""
    asked = draw(st.sampled_from([name(b"www", b"example"), name(b"WwW", b"x" * 63, b"x" * 63, b"x" * 63)]))
    sections, at = ([], [], []), 12 + len(asked) + 4
    for section in sections:
        for _ in range(draw(st.sampled_from([0, 1, 2, 5]))):
            owner = draw(st.just(OWN) | names_at(at))
            kind = draw(st.sampled_from([*DATA, *AROUND_NAMES, 5, 5, 1]))
            before, behind = AROUND_NAMES.get(kind, (b"", b""))
            here = names_at(at + len(owner) + 10 + len(before)).map(lambda text, ends=(before, behind): text.join(ends))
            data = draw(here if kind in AROUND_NAMES else st.sampled_from(DATA[kind]))
            section.append(record(owner, kind, data, class_=draw(st.sampled_from([1, 1, 1, 3]))))
            at += len(section[-1])
    return message([question(asked)], *sections, flags=0x8180)


@settings(max_examples=300, deadline=None)
@given(st.lists(responses(), min_size=1, max_size=6))
def test_any_responses_are_read_the_same_in_both_ways(messages: list[bytes]) -> None:
    both(pcap([make.ip(udp(data, 53, 40000)) for data in messages]))


@settings(max_examples=200, deadline=None)
@given(files())
def test_any_capture_is_read_the_same_in_both_ways(data: bytes) -> None:
    both(data)


@settings(max_examples=100, deadline=None)
@given(changed([bytes_of(path)[:12000] for path in CAPTURES if path.endswith(".pcap")]))
def test_changed_recordings_are_read_the_same_in_both_ways(data: bytes) -> None:
    both(data)


@settings(max_examples=50, deadline=None)
@given(changed([bytes_of(path)[:12000] for path in CAPTURES if path.endswith(".pcapng")]))
def test_changed_pcapng_recordings_are_read_the_same_in_both_ways(data: bytes) -> None:
    both(data, NG)


QUERY = make.ip(udp(message()))
SIX = make.ip(udp(message(), 40000, 443), source="2001:db8::1", target="2001:db8::53")
OTHERS = [
    make.ip(make.tcp(b"hello" * 4, 1, port=50000, target=443), 6), make.ip(make.tcp(b"", 1, port=50000, target=53), 6),
    make.ip(make.tcp(b"x" * 20, 1, port=853), 6), make.ip(make.tcp(b"x" * 20, 1, port=53), 6), make.ip(udp(b"x" * 40, 443, 5353)),
    make.ip(b"x" * 40, 1), make.ip(b"x" * 40, 58, fragment=0x2000), make.ip(udp(b"x" * 40, 443, 5353), fragment=1), make.ip(b"x" * 19, 6),
    make.ip(b"x" * 40, 17)[:30], QUERY[:2] + b"\0\0" + QUERY[4:], QUERY[:2] + b"\0\x13" + QUERY[4:], b"\x46" + QUERY[1:], SIX,
    SIX[:6] + b"\x3b" + SIX[7:], SIX[:6] + b"\0" + SIX[7:], SIX[:6] + b"\x2c" + SIX[7:], SIX[:4] + b"\0\0" + SIX[6:], SIX[:4] + b"\0\4" + SIX[6:],
]  # fmt: skip
"""Packets that carry no DNS, and some that only look so."""


def frame(packet: bytes, kind: int | None) -> bytes:
    return make.ethernet(packet, kind or (0x86DD if packet[:1] >= b"`" else 0x0800)) + bytes(30)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([*OTHERS, QUERY]), st.sampled_from([None, None, None, 0x0806, 0x8100, 0x22])),
        max_size=20,
    )
)
def test_packets_without_dns_are_skipped_the_same_in_both_ways(sent: list[tuple[bytes, int | None]]) -> None:
    both(pcap([frame(*item) for item in sent], 1))


def test_packets_without_dns_are_not_read_one_by_one(tmp_path: Any) -> None:
    data = pcap([frame(OTHERS[0], None), frame(OTHERS[5], None), frame(SIX, None), frame(QUERY, 0x0806)] * 2, 1)
    result = both(data)
    assert result.reasons()[1:] == ["other-port", "other-protocol", "other-port", "not-ip"] * 2
    assert sum(len(found.left) for found in found_in(data, tmp_path)) == 0


CLIENTS = st.sampled_from(
    [{}, {"source": make.SERVER, "target": make.CLIENT}, {"source": "2001:db8::1", "target": "2001:db8::53"}]
)
FLAGS = st.sampled_from([make.ACK, make.ACK, make.SYN, make.FIN | make.ACK, make.RST])


@st.composite
def segment(draw: Any, expected: dict[int, int]) -> bytes:
    """Most are one message and in turn, or empty; some are anything else."""
    inner = draw(st.sampled_from([*PLAIN[:6], PLAIN[0], UNUSUAL[0], UNUSUAL[7], UNUSUAL[3]]))
    data = draw(
        st.sampled_from(
            4 * [framed(inner)] + 3 * [b""] + [framed(inner, inner), framed(inner)[:9], b"\0" + framed(inner)]
        )
    )
    ends, way, flags = draw(CLIENTS), draw(st.integers(0, 2)), draw(FLAGS)
    key = (way, str(ends))
    sequence = expected.get(key, 1000) + draw(st.sampled_from([0] * 9 + [5, -5, len(data), -len(data), 1 << 21]))
    expected[key] = sequence + len(data) + bool(flags & make.SYN)
    ports = ((40000, 53), (53, 40000), (53, 53))[way]
    return make.ip(make.tcp(data, sequence, flags, *ports, acknowledged=draw(st.integers(990, 1300))), 6, **ends)


@st.composite
def connections(draw: Any) -> list[bytes]:
    expected: dict[Any, int] = {}
    return [draw(segment(expected)) for _ in range(draw(st.integers(1, 14)))]


@settings(max_examples=400, deadline=None)
@given(connections(), st.sampled_from([1, 2, 1 << 15]))
def test_any_segments_are_read_the_same_in_both_ways(sent: list[bytes], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "MOST_STREAMS", most)
        both(pcap([frame(packet, None) for packet in sent], 1))


def test_segments_in_turn_are_not_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    query, answer = framed(PLAIN[0]), framed(PLAIN[3])
    back = {"source": make.SERVER, "target": make.CLIENT}
    once = [
        make.ip(make.tcp(b"", 99, make.SYN), 6), make.ip(make.tcp(b"", 499, make.SYN | make.ACK, 53, 40000), 6, **back),
        make.ip(make.tcp(query, 100), 6), make.ip(make.tcp(answer, 500, make.ACK, 53, 40000), 6, **back),
        make.ip(make.tcp(query, 100 + len(query), make.FIN | make.ACK), 6), make.ip(make.tcp(b"", 500 + len(answer), make.RST, 53, 40000), 6, **back),
    ]  # fmt: skip
    file = pcap([frame(packet, None) for packet in once * 3], 1)
    assert [row["line"] for row in both(file).rows] == [3, 4, 5, 9, 10, 11, 15, 16, 17]
    monkeypatch.delattr(capture.Capture, "_take")
    assert len(read(FORMAT, file).rows) == 9


def test_batches_that_end_early_for_their_text_hold_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pcap([frame(OTHERS[0], None), frame(make.ip(udp(UNUSUAL[1])), None), frame(QUERY, None)] * 5, 1)
    whole = both(data)
    monkeypatch.setattr(capture, "MOST_HELD", 5)
    assert (parts := both(data)).rows == whole.rows
    assert parts.rejects == whole.rejects


@settings(max_examples=50, deadline=None)
@given(st.lists(responses() | st.sampled_from(UNUSUAL), max_size=9))
def test_rows_are_the_same_in_however_many_parts_a_piece_is_read(messages: list[bytes]) -> None:
    file = pcap([make.ip(udp(data, 53, 40000)) for data in messages])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(message_columns, "MOST_UNFOLDED", 600)
        patch.setattr(message_columns, "_MOST_RECORDS", 4)
        both(file)


def test_what_unfolds_is_made_in_parts_of_few_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    long = name(*[b"x" * 63] * 3, b"y" * 61)
    sent = [
        message([question(long)], [record(OWN, 5, OWN)] * 20),
        message([question(name(b"a"))], [record(OWN, 17, long[:190] + b"\0" + b"\xc0\x1d")] + [record(OWN, 17, b"\xc0\x1d" * 2)] * 20),
        message([question(name(b"a"))], [record(OWN, 2, b"\x3f" + b"\xff" * 63 + b"\0")] + [record(OWN, 2, b"\xc0\x1f")] * 30),
        message([question(name(b"a"))], [record(OWN, 16, b"\xff" + b"\0" * 255)] * 3),
    ]  # fmt: skip
    file = pcap([make.ip(udp(data, 53, 40000)) for data in sent] * 40)
    monkeypatch.setattr(message_columns, "MOST_UNFOLDED", 100_000)
    found = found_in(file, tmp_path)
    sizes = [part.rows.nbytes for part in found]
    assert sum(len(part.rows) for part in found) == 160
    assert max(sizes) < 100_000
    assert sum(sizes) > 4 * 100_000


@settings(max_examples=50, deadline=None)
@given(st.lists(responses(), min_size=1, max_size=6))
def test_names_are_the_same_however_many_are_made_at_once(messages: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(name_columns, "_AT_ONCE", 2)
        both(pcap([make.ip(udp(data, 53, 40000)) for data in messages]))
