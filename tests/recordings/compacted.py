"""The traffic as C-DNS (RFC 8618), which no program in Debian writes: put together after the RFC, encoded by cbor2.

Three files of the same queries and of what the client saw of BIND's answers: in one block, with all lengths stated; in
two blocks of their own parameters, by transport, with all lengths left open, as DNS-STATS compactor writes them; and as
a recorder writes them that keeps prefixes of addresses, and neither ports nor the time of answers.
"""

from __future__ import annotations

import io
import json
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbor2 import CBOREncoder

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

HERE = Path(__file__).parent
FOLDER = HERE / "documentation"
SERVERS = {4: "127.0.0.53", 6: "::1"}
HINTS = {0: 0x3FF, 1: 0x1FFFF, 2: 0, 3: 3}
FLAGS = {"CD": 1, "RD": 1 << 4, "DO": 1 << 7}
RD_BACK, TC_BACK = 1 << 12, 1 << 13
HAS_BOTH, HAS_OPT = 3, 4


def compact() -> None:
    """Writes the three files; the same bytes each time."""
    seen = exchanges()
    over = {transport: [each for each in seen if each[0]["transport"] == transport] for transport in ("udp", "tcp")}
    files = {
        "cdns-one-block.cdns": encoded([storage(10**6)], [block(seen, 0, 10**6)]),
        "cdns-two-blocks.cdns": encoded(
            [storage(10**6), storage(10**9, host="ns1")],
            [block(over["udp"], 0, 10**6), block(over["tcp"], 1, 10**9)],
            is_open=True,
        ),
        "cdns-prefixes.cdns": encoded([storage(1000, prefixes=True)], [block(seen, 0, 1000, is_cut=True)]),
    }
    for name, data in files.items():
        (FOLDER / name).write_bytes(data)


def exchanges() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each query with what the client saw of an answer to it."""
    sent = json.loads((HERE / "traffic.json").read_bytes())
    return [(sent[each["sequence"]], each) for each in json.loads((HERE / "seen/bind.json").read_bytes())]


def encoded(parameters: list[Any], blocks: list[Any], *, is_open: bool = False) -> bytes:
    out = io.BytesIO()
    file = ["C-DNS", {0: 1, 1: 0, 3: parameters}, blocks]
    CBOREncoder(out, indefinite_containers=is_open).encode(file)
    return out.getvalue()


def storage(ticks: int, host: str | None = None, *, prefixes: bool = False) -> dict[int, Any]:
    cut = {5: 1, 6: 24, 7: 60, 11: "prefixes"} if prefixes else {}
    stored = {0: ticks, 1: 5000, 2: HINTS, 3: [0], 4: [1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 43, 64, 65, 255, 257], **cut}
    return {0: stored, 1: {2: 65535, **({} if host is None else {9: host})}}


@dataclass
class Tables:
    """Tables of a block as they fill: each entry stands once."""

    entries: dict[int, list[Any]] = field(default_factory=dict)
    places: dict[tuple[int, Hashable], int] = field(default_factory=dict)

    def place(self, table: int, entry: Any, key: Hashable | None = None) -> int:
        known = (table, entry if key is None else key)
        if known not in self.places:
            self.entries.setdefault(table, []).append(entry)
            self.places[known] = len(self.entries[table]) - 1
        return self.places[known]


def block(
    seen: Iterable[tuple[dict[str, Any], dict[str, Any]]], parameters: int, ticks: int, *, is_cut: bool = False
) -> dict[int, Any]:
    both = list(seen)
    first, tables = min(round(answer["asked"] * 10**6) for _, answer in both), Tables()
    items = [item(query, answer, first, ticks, tables, is_cut=is_cut) for query, answer in both]
    events = [{0: 0, 2: tables.place(0, socket.inet_aton("192.0.2.99")), 4: 7}]
    malformed = [{0: 5, 2: 40000, 3: 0}]
    earliest = [first // 10**6, first % 10**6 * ticks // 10**6]
    return {
        0: {0: earliest, 1: parameters}, 1: {0: 2 * len(items), 1: len(items)},
        2: {**tables.entries, 8: [{3: b"\x12\x34junk"}]}, 3: items, 4: events, 5: malformed,
    }  # fmt: skip


def item(
    query: dict[str, Any], answer: dict[str, Any], first: int, ticks: int, tables: Tables, *, is_cut: bool
) -> dict[int, Any]:
    asked, answered = (round(answer[what] * 10**6) for what in ("asked", "answered"))
    version, host = query["ip_version"], query["client"].partition("%")[0]
    address = socket.inet_pton(socket.AF_INET if version == 4 else socket.AF_INET6, host)
    found = {
        0: (asked - first) * ticks // 10**6, 1: tables.place(0, cut(address, version) if is_cut else address),
        4: tables.place(3, *signature(query, answer, tables)), 7: tables.place(2, bytes.fromhex(query["name_wire_hex"])),
    }  # fmt: skip
    whole = {2: query["client_port"], 3: query["id"], 6: (answered - asked) * ticks // 10**6, 9: answer["length"]}
    return found if is_cut else dict(sorted({**found, **whole}.items()))


def cut(address: bytes, version: int) -> bytes:
    """The first 24 bits of an address of IPv4, the first 60 of one of IPv6."""
    return address[:3] if version == 4 else address[:7] + bytes([address[7] & 0xF0])


def signature(query: dict[str, Any], answer: dict[str, Any], tables: Tables) -> tuple[dict[int, Any], str]:
    """With a key of its own: maps are not hashable."""
    version, flags = query["ip_version"], query["flags"]
    server = socket.inet_pton(socket.AF_INET if version == 4 else socket.AF_INET6, SERVERS[version])
    bits = sum(bit for word, bit in FLAGS.items() if flags[word]) | (RD_BACK if flags["RD"] else 0)
    kind = (query["type_number"], 1)
    made = {
        0: tables.place(0, server), 1: 53, 2: (version == 6) | (query["transport"] == "tcp") << 1, 3: 3,
        4: HAS_BOTH | (HAS_OPT if flags["EDNS"] else 0), 5: 0, 6: bits | (TC_BACK if answer["truncated"] else 0),
        8: tables.place(1, {0: kind[0], 1: kind[1]}, kind), 9: 1,
        **({13: 0, 14: flags["UDP_size"]} if flags["EDNS"] else {}), 16: answer["rcode"],
    }  # fmt: skip
    return made, json.dumps(made)


if __name__ == "__main__":
    compact()
