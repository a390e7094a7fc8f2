"""Captures of TCP segments made by hand, and what was read of them in few words."""

from __future__ import annotations

from typing import Any

from evidence.formats.registry import FORMATS
from tests.evidence.formats import packets as make
from tests.evidence.formats.packets import pcap, tcp
from tests.evidence.formats.readers import Read, read

FORMAT = FORMATS["parse.pcap@1"]


def capture(*packets: bytes, link: int = 101, **more: Any) -> Read:
    return read(FORMAT, pcap(packets, link, **more))


def plain(result: Read) -> list[tuple]:
    """Number and name of each row, and number and reason of each reject."""
    rows = [(row["line"], row["name"]) for row in result.rows]
    return rows + [(item["line"], item["reason"]) for item in result.rejects if item["kind"] != "context"]


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
