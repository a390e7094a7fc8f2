"""C-DNS files made by hand, each a block or more that a test changes in one place."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

from cbor2 import CBOREncoder

from evidence.formats.registry import FORMATS
from tests.evidence.formats.packets import name
from tests.evidence.formats.readers import read

FORMAT = FORMATS["parse.cdns@1"]
STORED = {0: 10**6, 1: 5000, 2: {}, 3: [0], 4: [1]}
CLIENT, SERVER = b"\xc0\0\2\x11", b"\xc6\x33\x64\x35"
SIGNATURE = {0: 1, 1: 53, 2: 0, 3: 3, 4: 3, 5: 0, 6: 0x1091, 8: 0, 16: 3}
TABLES = {0: [CLIENT, SERVER], 1: [{0: 1, 1: 1}], 2: [name(b"wWw", b"example")], 3: [SIGNATURE]}
ITEM = {0: 5, 1: 0, 2: 40000, 3: 7, 4: 0, 6: 250, 7: 0}
PREAMBLE = {0: [1_700_000_000, 10]}
WHEN = dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)


def encoded(value: object, *, is_open: bool = False) -> bytes:
    out = io.BytesIO()
    CBOREncoder(out, indefinite_containers=is_open).encode(value)
    return out.getvalue()


def file(*blocks: object, stored: Any = STORED, collected: Any = None, is_open: bool = False, **other: Any) -> bytes:
    parameters = {0: stored, **({} if collected is None else {1: collected})}
    preamble = {0: other.get("version", 1), 1: 0, 3: other.get("parameters", [parameters])}
    return encoded(["C-DNS", preamble, list(blocks)], is_open=is_open)


def block(*items: object, tables: Any = None, preamble: Any = None, **changes: Any) -> dict[int, Any]:
    """Changes of tables by their names: `sig`, `names`, …"""
    places = {"addresses": 0, "kinds": 1, "names": 2, "sig": 3, "qlist": 4, "qrr": 5, "rrlist": 6, "rr": 7}
    changed_tables = {places[what]: value for what, value in changes.items()}
    return {0: PREAMBLE if preamble is None else preamble, 2: (tables or TABLES) | changed_tables, 3: list(items)}


def rows(*items: object, stored: Any = STORED, collected: Any = None, **changes: Any) -> list[dict[str, Any]]:
    return read(FORMAT, file(block(*items, **changes), stored=stored, collected=collected)).rows


def refused(item: object, *, stored: Any = STORED, **changes: Any) -> tuple[str, str]:
    """Kind and reason of an item that is no row."""
    result = read(FORMAT, file(block(item, **changes), stored=stored))
    assert not result.rows
    found = next(each for each in result.rejects if each["start"] == result.rejects[-1]["start"])
    return found["kind"], found["reason"]


def signed(**changes: Any) -> list[dict[int, Any]]:
    """The signature, changed by `has`, `bits`, … or without what is None."""
    places = {"server": 0, "port": 1, "transport": 2, "role": 3, "has": 4, "opcode": 5, "bits": 6, "kind": 8, "edns": 13, "options": 15, "rcode": 16}  # fmt: skip
    made = SIGNATURE | {places[what]: value for what, value in changes.items()}
    return [{key: value for key, value in made.items() if value is not None}]


def without(*keys: int, **_: Any) -> dict[int, Any]:
    return {key: value for key, value in ITEM.items() if key not in keys}
