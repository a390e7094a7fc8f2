"""Captures made by hand: messages, datagrams, segments, link layers, files; and changes that a capture may suffer."""

from __future__ import annotations

import ipaddress
import struct
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterable

CLIENT, SERVER = "192.0.2.17", "198.51.100.53"
SYN, ACK, FIN, RST = 2, 16, 1, 4


def name(*labels: bytes) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def question(asked: bytes = name(b"www", b"example"), kind: int = 1, class_: int = 1) -> bytes:
    return asked + struct.pack(">HH", kind, class_)


def record(owner: bytes, kind: int, data: bytes, ttl: int = 300, class_: int = 1) -> bytes:
    return owner + struct.pack(">HHIH", kind, class_, ttl, len(data)) + data


def message(
    questions: Iterable[bytes] = (question(),), answers: Iterable[bytes] = (), authority: Iterable[bytes] = (),
    additional: Iterable[bytes] = (), flags: int = 0x0100, number: int = 1,
) -> bytes:  # fmt: skip
    sections = [list(section) for section in (questions, answers, authority, additional)]
    return struct.pack(">6H", number, flags, *map(len, sections)) + b"".join(map(b"".join, sections))


def udp(data: bytes, port: int = 40000, target: int = 53) -> bytes:
    return struct.pack(">HHHH", port, target, len(data) + 8, 0) + data


def tcp(
    data: bytes, sequence: int, flags: int = ACK, port: int = 40000, target: int = 53, acknowledged: int = 0
) -> bytes:
    sequence, acknowledged = sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF
    return struct.pack(">HHIIBBHHH", port, target, sequence, acknowledged, 0x50, flags, 1000, 0, 0) + data


def framed(*messages: bytes) -> bytes:
    """As they go over TCP."""
    return b"".join(len(item).to_bytes(2) + item for item in messages)


def ip(inner: bytes, protocol: int = 17, source: str = CLIENT, target: str = SERVER, fragment: int = 0) -> bytes:
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    if ":" in source:
        return struct.pack(">IHBB", 6 << 28, len(inner), protocol, 64) + ends + inner
    return struct.pack(">BBHHHBBH", 0x45, 0, len(inner) + 20, 1, fragment, 64, protocol, 0) + ends + inner


def ethernet(inner: bytes, kind: int = 0x0800, tags: bytes = b"") -> bytes:
    return bytes(12) + tags + kind.to_bytes(2) + inner


def pcap(
    packets: Iterable[bytes], link: int = 101, order: str = "<", magic: int = 0xA1B2C3D4, snap: int = 65535
) -> bytes:
    parts = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, snap, link)]
    for number, packet in enumerate(packets):
        kept = packet[:snap]
        parts.append(struct.pack(f"{order}IIII", 1_700_000_000 + number, number, len(kept), len(packet)) + kept)
    return b"".join(parts)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 101, order: str = "<", options: bytes = b"") -> bytes:
    return block(1, struct.pack(f"{order}HHI", link, 0, 0) + options, order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def enhanced(packet: bytes, stamp: int, place: int = 0, order: str = "<") -> bytes:
    head = struct.pack(f"{order}IIIII", place, stamp >> 32, stamp & 0xFFFFFFFF, len(packet), len(packet))
    return block(6, head + packet, order)


@st.composite
def changed(draw: Any, originals: list[bytes]) -> bytes:
    """One of the originals with flipped bits, other numbers, pieces that are missing, doubled, swapped, or cut off."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 6))):
        first, second = sorted(draw(st.tuples(*2 * [st.integers(0, max(len(data) - 1, 0))])))
        match draw(st.sampled_from(["flip", "number", "cut", "double", "swap", "end"])):
            case "flip" if data:
                data[first] ^= 1 << draw(st.integers(0, 7))
            case "number":
                number = draw(st.sampled_from([0, 1, 0x7F, 0xC0, 0xFF, 0xFFFF, 0xFFFFFFFF]))
                data[first : first + 4] = number.to_bytes(4, draw(st.sampled_from(["little", "big"])))
            case "cut":
                del data[first : min(second, first + 400)]
            case "double":
                data[second:second] = data[first : min(second, first + 400)]
            case "swap":
                size = (second - first) // 2
                one, two = data[first : first + size], data[first + size : first + 2 * size]
                data[first : first + 2 * size] = two + one
            case "end":
                del data[max(second, len(data) // 2) :]
    return bytes(data)
