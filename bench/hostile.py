"""What a file made to be costly costs: the most memory of the reader, and its processor time.

    .venv/bin/python bench/hostile.py [--mb 40] [--captures aliases new-members …]

Each capture is of one kind of packets that take much more than they are long: names that are compressed, escaped or
many, streams that are cut small, out of order, many or never whole. Lines of JSON have members that no line before had,
from the middle of a piece on. The reader runs as it does in the archive, in a process of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import struct
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.formats import eve, zeek_json
from bench.pcap import measure
from tests.evidence.formats.packets import (
    ACK,
    CLIENT,
    SERVER,
    SYN,
    block,
    ethernet,
    framed,
    interface,
    ip,
    message,
    name,
    question,
    record,
    section,
    tcp,
    udp,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OWN, CNAME, RP, NULL = b"\xc0\x0c", 5, 17, 10
LONGEST_TCP = 65535


def longest(number: int, octet: bytes = b"x") -> bytes:
    """A name of 255 octets, another one for each number."""
    return name(b"%08d" % number + octet * 55, octet * 63, octet * 63, octet * 60)


def response(packet: bytes) -> bytes:
    return ethernet(ip(udp(packet, 53, 40000), source=SERVER, target=CLIENT))


def segment(data: bytes, sequence: int, flags: int = ACK, port: int = 40000, host: int = 1) -> bytes:
    return ethernet(ip(tcp(data, sequence, flags, port), 6, f"10.{host >> 16}.{host >> 8 & 255}.{host & 255}"))


def alias(at: int) -> bytes:
    """A name of one label before the one at `at`."""
    return b"\1a" + struct.pack(">H", 0xC000 | at)


def aliases(count: int) -> Iterator[bytes]:
    """Each alias is one of the longest names, and leads to the next."""
    for number in itertools.count():
        yield response(message([question(longest(number))], [record(OWN, CNAME, OWN)] * count, flags=0x8180))


def chains() -> Iterator[bytes]:
    """Over TCP: as many aliases as a message can hold, each a label and a pointer to the name before it."""
    for number in itertools.count():
        asked, records = question(name(b"%d" % number)), []
        at, before = 12 + len(asked), 12
        while at < LONGEST_TCP - 40 and at + 12 < 1 << 14:
            records.append(record(OWN, CNAME, alias(before)))
            before = at + 12 if len(records) % 110 else 12
            at += len(records[-1])
        records += [record(OWN, CNAME, struct.pack(">H", 0xC000 | before))] * ((LONGEST_TCP - 40 - at) // 14)
        data = framed(message([asked], records, flags=0x8180))
        yield segment(data[:40000], 1, SYN, number & 0xFFFF)
        yield segment(data[40000:], 40002, ACK, number & 0xFFFF)


def escapes() -> Iterator[bytes]:
    """Names of octets that are written as four characters, two a record."""
    for number in itertools.count():
        first = record(OWN, RP, longest(number, b"\xff") + b"\0")
        at = 12 + 13 + 4 + 12
        records = [first] + [record(OWN, RP, 2 * struct.pack(">H", 0xC000 | at))] * 7
        yield response(message([question(name(b"www", b"example"))], records, flags=0x8180))


def nothings() -> Iterator[bytes]:
    """As many records as a message of UDP holds, each of eleven octets."""
    packet = response(message([question()], [record(b"\0", NULL, b"")] * 100, flags=0x8180))
    return itertools.repeat(packet)


def owners() -> Iterator[bytes]:
    """Records that are plain and as short as such can be."""
    return itertools.repeat(response(message([question(name(b"a"))], [record(OWN, NULL, b"")] * 60, flags=0x8180)))


def tiny() -> Iterator[bytes]:
    """One octet a segment, in order."""
    data = framed(message())
    for number in itertools.count():
        yield segment(data[number % len(data)].to_bytes(), number + 2 if number else 1, ACK if number else SYN)


def waiting() -> Iterator[bytes]:
    """Segments behind a gap, as many connections as there can be."""
    for number in itertools.count():
        host, part = number % 30000, number // 30000
        yield segment(b"", 0, SYN, host=host) if not part else segment(b"x", 2 + 2 * part, host=host)


def unfinished() -> Iterator[bytes]:
    """Messages that are never whole, in many connections, an octet a segment."""
    data = framed(bytes(400))
    for number in itertools.count():
        host, part = number % 30000, number // 30000
        flags = ACK if part else SYN
        yield segment(data[part % 400].to_bytes(), part + bool(part), flags, host=host)


def opened() -> Iterator[bytes]:
    """Connections that are opened and say nothing."""
    return (segment(b"", 0, SYN, number & 0xFFFF, number >> 16) for number in itertools.count())


def earlier() -> Iterator[bytes]:
    """128 segments are needed to find where each of the many messages of a segment begins."""
    data = framed(*[message([question(name(b"a"))])] * 2000)
    for number in itertools.count():
        port = number & 0xFFFF
        yield segment(data[:1], 1, SYN, port)
        yield from (segment(data[at : at + 1], at + 2, ACK, port) for at in range(1, 127))
        yield segment(data[127:], 129, ACK, port)


def reversed_order() -> Iterator[bytes]:
    """Each message of 60 segments comes last part first."""
    data = framed(message([question(longest(0))]))
    cuts = range(0, len(data), 5)
    for number in itertools.count():
        yield segment(b"", 0, SYN, number & 0xFFFF)
        yield from (segment(data[at : at + 5], at + 1, ACK, number & 0xFFFF) for at in reversed(cuts))


def fragments() -> Iterator[bytes]:
    """First fragments of datagrams of which no other comes."""
    return itertools.repeat(ethernet(ip(udp(message()), fragment=0x2000)))


def blocks() -> Iterator[bytes]:
    """As many blocks of pcapng as there can be, none of which is a packet."""
    return itertools.chain([section(), interface(1)], itertools.repeat(block(99, b"")))


def short() -> Iterator[bytes]:
    """Datagrams that hold no message, as many as there can be."""
    return itertools.repeat(ethernet(ip(udp(b""))))


CAPTURES: dict[str, Callable[[], Iterator[bytes]]] = {
    "aliases": lambda: aliases(20), "plain-aliases": lambda: aliases(3), "chains": chains, "escapes": escapes,
    "nothings": nothings, "owners": owners, "tiny": tiny, "waiting": waiting, "unfinished": unfinished,
    "opened": opened, "earlier": earlier, "reversed": reversed_order, "fragments": fragments, "short": short,
    "blocks": blocks,
}  # fmt: skip


def later(members: int, each: int = 1) -> Iterator[bytes]:
    """Zeek's records: in the second half of each 20,000 each, or each so many-th, has so many new members."""
    for number in itertools.count():
        new = members if number % 20_000 >= 10_000 and number % each == 0 else 0
        names = "".join(f',"m{number * members + at}":1' for at in range(new))
        yield zeek_json(number)[:-2].encode() + names.encode() + b"}\n"


def nested() -> Iterator[bytes]:
    """EVE's events, the second half of each 20,000 with new members in their objects and in the lists of these."""
    for number in itertools.count():
        record = json.loads(eve(2 * number + 1))
        if number % 20_000 >= 10_000:
            record["dns"] |= {f"m{3 * number + at}": 1 for at in range(3)}
            record["dns"]["answers"][0] |= {f"m{3 * number + at}": 1 for at in range(3)}
        yield json.dumps(record, separators=(",", ":")).encode() + b"\n"


LINES: dict[str, tuple[str, Callable[[], Iterator[bytes]]]] = {
    "new-members": (".zeek_json", lambda: later(3)), "many-new-members": (".zeek_json", lambda: later(20)),
    "some-new-members": (".zeek_json", lambda: later(1, 100)), "nested-members": (".eve", nested),
}  # fmt: skip


def write_lines(path: Path, lines: Iterator[bytes], size: int) -> int:
    count = 0
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(next(lines))
            count += 1
    return count


def write(path: Path, packets: Iterator[bytes], size: int) -> int:
    count = 0
    is_ng = path.suffix == ".pcapng"
    with path.open("wb") as file:
        file.write(b"" if is_ng else struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1))
        for packet in packets:
            stamp = (1_700_000_000 + count // 1000, 0, len(packet), len(packet))
            file.write((b"" if is_ng else struct.pack("<IIII", *stamp)) + packet)
            count += 1
            if file.tell() >= size:
                return count
    return count


def made(kind: str, folder: Path, size: int) -> tuple[Path, int]:
    if kind in LINES:
        suffix, lines = LINES[kind]
        path = folder / f"hostile{suffix}"
        return path, write_lines(path, lines(), size)
    path = folder / ("hostile.pcapng" if kind == "blocks" else "hostile.pcap")
    return path, write(path, CAPTURES[kind](), size)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=float, default=40)
    parser.add_argument("--captures", nargs="+", default=[*CAPTURES, *LINES], choices=[*CAPTURES, *LINES])
    said = parser.parse_args()
    for kind in said.captures:
        with tempfile.TemporaryDirectory() as folder:
            path, count = made(kind, Path(folder), int(said.mb * 1_000_000))
            got = measure("ours", path)
            print(
                f"{kind}: {count:,} packets or lines, {got['used']:.1f} s of processor, {got['seconds']:.1f} s, "
                f"peak {got['peak_mib']:,.0f} MiB; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
