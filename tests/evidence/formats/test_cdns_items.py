"""Items of C-DNS: what a block says of them becomes rows, what it leaves out stays null, and what is no row says why."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.evidence.formats.cdns_files import (
    FORMAT,
    ITEM,
    SERVER,
    STORED,
    WHEN,
    block,
    file,
    refused,
    rows,
    signed,
    without,
)
from tests.evidence.formats.packets import name
from tests.evidence.formats.readers import read


def test_an_item_is_a_row_of_its_query_and_one_of_its_response() -> None:
    asked, answered = rows(ITEM, collected={9: "ns1"})
    common = {
        "line": 1, "start": asked["start"], "stop": asked["stop"], "time_digits": 6, "time_zone": "UTC",
        "client": "192.0.2.17", "port": 40000, "server": "198.51.100.53", "server_port": 53, "name": "www.example",
        "name_as_written": "wWw.example", "type": "A", "class": "IN", "transport": "udp", "answers": None, "view": None,
        "vantage": "ns1 auth", "earlier": asked["earlier"],
    }  # fmt: skip
    first = WHEN + dt.timedelta(microseconds=15)
    assert asked == common | {"event": "query", "time": first, "flags": "RD CD", "rcode": None}
    assert answered == common | {
        "event": "response", "time": first + dt.timedelta(microseconds=250), "flags": "RD", "rcode": "NXDOMAIN",
    }  # fmt: skip


def test_what_was_not_recorded_is_null() -> None:
    bare = {2: [name(b"a")], 3: [{4: 3}]}
    asked, answered = rows({4: 0, 7: 0}, tables=bare)
    for row in (asked, answered):
        known = {column for column, value in row.items() if value is not None}
        assert known == {"line", "start", "stop", "event", "name", "earlier"}


@pytest.mark.parametrize(("has", "events"), [(1, ["query"]), (2, ["response"]), (3, ["query", "response"])])
def test_halves(has: int, events: list[str]) -> None:
    found = rows(ITEM, sig=signed(has=has))
    assert [row["event"] for row in found] == events
    assert found[0]["time"] == WHEN + dt.timedelta(microseconds=15)


def test_a_response_without_a_question_beside_its_query_is_counted() -> None:
    result = read(FORMAT, file(block(ITEM, ITEM, sig=signed(has=3 | 32))))
    assert [row["event"] for row in result.rows] == ["query", "query"]
    assert result.notes == ["2 responses have no question: beside their queries they are no rows."]


@pytest.mark.parametrize(
    ("ticks", "offset", "micros", "digits"),
    [(1, 5, 5_000_000, 0), (1000, 5, 5000, 3), (10**6, 5, 5, 6), (10**9, 5999, 5, 9), (65536, 32768, 500_000, 3), (100, 7, 70_000, 0)],
)  # fmt: skip
def test_ticks(ticks: int, offset: int, micros: int, digits: int) -> None:
    row = rows(ITEM | {0: offset}, stored=STORED | {0: ticks}, preamble={0: [1_700_000_000, 0]})[0]
    assert (row["time"], row["time_digits"]) == (WHEN + dt.timedelta(microseconds=micros), digits)


def test_a_response_may_come_before_its_query() -> None:
    asked, answered = rows(ITEM | {6: -3})
    assert answered["time"] == asked["time"] - dt.timedelta(microseconds=3)
    assert rows(without(6))[1]["time"] is None
    assert {row["time"] for row in rows(ITEM, preamble={})} == {None}


@pytest.mark.parametrize(
    ("flags", "word"), [(0, "udp"), (2, "tcp"), (4, "tls"), (6, "dtls"), (8, "https"), (30, None), (34, "tcp")]
)
def test_transports(flags: int, word: str | None) -> None:
    assert rows(ITEM, sig=signed(transport=flags))[0]["transport"] == word


@pytest.mark.parametrize(
    ("address", "is_ipv6", "prefixes", "written"),
    [
        (b"\xc0\0\2\1", False, {}, "192.0.2.1"), (b"\xc0\0\2\1", None, {}, "192.0.2.1"), (b"\xc0\0\2", False, {6: 24}, "192.0.2.0/24"),
        (b"\xc0\0\2\1", False, {6: 24}, "192.0.2.1/24"), (b"\xc0\0", False, {6: 24}, "192.0.0.0/16"), (b"", False, {6: 24}, None),
        (b"\x20\x01" + bytes(13) + b"\1", True, {}, "2001::1"), (b"\x20\x01" + bytes(13) + b"\1", None, {7: 32}, "2001::1/32"),
        (b"\x20\x01\x0d\xb8", True, {7: 32}, "2001:db8::/32"), (b"\x20\x01\x0d\xb8", True, {}, "2001:db8::/32"),
    ],
)  # fmt: skip
def test_addresses(address: bytes, is_ipv6: bool | None, prefixes: dict[int, int], written: str | None) -> None:
    sig = signed(server=None, transport=None if is_ipv6 is None else int(is_ipv6))
    assert rows(ITEM, sig=sig, addresses=[address], stored=STORED | prefixes)[0]["client"] == written


def test_flags_of_both_messages_and_edns() -> None:
    options = b"\0\x0a\0\x08" + bytes(8) + b"\0\x08\0\4\0\1\0\0"
    records = [{0: 1, 1: 1, 2: 0x0100_8000, 3: 2}, {0: 1, 1: 2}]
    tables = {"names": [name(b"a"), b"\0", options], "kinds": [{0: 1, 1: 1}, {0: 41, 1: 1232}, {0: 250, 1: 255}],
              "rrlist": [[0, 1]], "rr": records}  # fmt: skip
    sig = signed(has=3 | 4 | 8, bits=0x7FFF, edns=0, options=2)
    asked, answered = rows(ITEM | {11: {3: 0}, 12: {3: 0}}, sig=sig, **tables)
    assert asked["flags"] == "AA TC RD RA AD CD EDNS0 DO TSIG COOKIE ECS"
    assert answered["flags"] == "AA TC RD RA AD CD EDNS0 DO TSIG COOKIE ECS"
    asked, answered = rows(ITEM, sig=sig, **tables)
    assert (asked["flags"], answered["flags"]) == ("AA TC RD RA AD CD EDNS0 DO COOKIE ECS", "AA TC RD RA AD CD")
    assert [row["flags"] for row in rows(ITEM, sig=signed(has=3 | 4, bits=None, edns=0))] == [None, None]


def test_answers_with_and_without_their_data() -> None:
    tables = {"names": [name(b"a"), name(b"Alias"), b"\xc0\0\2\1"], "kinds": [{0: 1, 1: 1}, {0: 5, 1: 1}, {0: 65280, 1: 1}],
              "rrlist": [[0, 1, 2]], "rr": [{0: 0, 1: 1, 2: 60, 3: 1}, {0: 1, 1: 0, 2: 5, 3: 2}, {0: 1, 1: 2}]}  # fmt: skip
    asked, answered = rows(ITEM | {12: {1: 0}}, **tables)
    assert asked["answers"] is None
    assert answered["answers"] == [
        {"name": "a", "type": "CNAME", "ttl": 60, "data": "alias"},
        {"name": "alias", "type": "A", "ttl": 5, "data": "192.0.2.1"},
        {"name": "alias", "type": "TYPE65280", "ttl": None, "data": None},
    ]


def test_several_questions_are_several_rows() -> None:
    found = rows(ITEM | {11: {0: 0}}, qlist=[[0, 0]], qrr=[{0: 1, 1: 0}], names=[name(b"a"), name(b"B")])
    assert [(row["event"], row["name"], row["name_as_written"]) for row in found] == [
        ("query", "a", None), ("query", "b", "B"), ("query", "b", "B"), ("response", "a", None),
    ]  # fmt: skip


@pytest.mark.parametrize("role", range(8))
def test_roles_are_the_vantage(role: int) -> None:
    words = ("stub", "client", "resolver", "auth", "forwarder", "tool", "update", None)
    assert rows(ITEM, sig=signed(role=role))[0]["vantage"] == words[role]


LONG = {"rrlist": [[0] * 5000], "rr": [{0: 0, 1: 0, 3: 1}], "names": [name(b"a"), bytes(60000)]}
REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (without(4), {}, "reject no-event"), (ITEM, {"sig": signed(has=None)}, "reject no-event"), (ITEM, {"sig": signed(has=4)}, "reject no-event"),
    (without(7), {}, "reject no-name"), (without(7), {"sig": signed(has=3 | 16)}, "skip no-question"), (ITEM, {"sig": signed(has=1 | 16)}, "skip no-question"),
    (ITEM, {"sig": signed(opcode=5)}, "skip opcode-update"), (ITEM, {"sig": signed(opcode=9)}, "skip opcode-9"),
    (ITEM, {"sig": signed(opcode=16)}, "reject bad-opcode"),
    (ITEM | {1: 9}, {}, "reject bad-index"), (ITEM | {4: 9}, {}, "reject bad-index"), (ITEM | {7: 1}, {}, "reject bad-index"),
    (ITEM, {"sig": signed(kind=7)}, "reject bad-index"), (ITEM | {12: {1: 0}}, {}, "reject bad-index"), (ITEM | {12: {1: 0}}, {"rrlist": [[7]]}, "reject bad-index"),
    (ITEM | {2: 65536}, {}, "reject bad-port"), (ITEM, {"sig": signed(port=65536)}, "reject bad-port"),
    (ITEM | {0: -1}, {}, "reject bad-item"), (ITEM | {0: 1 << 63}, {}, "reject bad-time"), (ITEM | {6: -(1 << 63)}, {}, "reject bad-time"), (ITEM | {6: "x"}, {}, "reject bad-item"),
    (ITEM | {1: -1}, {}, "reject bad-item"), (ITEM | {1: True}, {}, "reject bad-item"), (ITEM | {1: "x"}, {}, "reject bad-item"), (ITEM | {99: 1.5}, {}, "reject bad-item"),
    ([1, 2], {}, "reject bad-item"), (5, {}, "reject bad-item"), ({"x": 1}, {}, "reject bad-item"), (ITEM | {11: 5}, {}, "reject bad-item"), (ITEM | {99: b"x" * 70000}, {}, "reject too-long"),
    (ITEM, {"sig": [5]}, "reject bad-item"), (ITEM, {"names": [5]}, "reject bad-item"), (ITEM, {"addresses": ["x", SERVER]}, "reject bad-item"), (ITEM, {"kinds": [{0: 1}]}, "reject bad-item"),
    (ITEM, {"kinds": [{0: 65536, 1: 1}]}, "reject bad-item"), (ITEM, {"names": [b"\3ww"]}, "reject short-message"), (ITEM, {"names": [name(b"a") + b"x"]}, "reject bad-name"),
    (ITEM, {"names": [b"\xc0\x0c"]}, "reject bad-pointer"), (ITEM, {"names": [b"\1a" * 128 + b"\0"]}, "reject bad-name"),
    (ITEM, {"addresses": [b"12345", SERVER]}, "reject bad-address"), (ITEM, {"addresses": [b"123", SERVER], "sig": signed(transport=None)}, "reject bad-address"),
    (ITEM | {11: {0: 0}}, {"qlist": [[0] * 32], "qrr": [{0: 0, 1: 0}]}, "reject too-many-questions"), (ITEM | {11: {0: 0}}, {"qlist": [[0]], "qrr": [{0: 0}]}, "reject bad-item"),
    (ITEM | {11: {0: 0}}, {"qlist": [[-1]], "qrr": []}, "reject bad-item"), (ITEM | {11: {0: 0}}, {"qlist": [5]}, "reject bad-item"),
    (ITEM | {12: {1: 0}}, LONG, "reject too-many-records"), (ITEM | {12: {1: 0}}, LONG | {"rrlist": [[0] * 6000]}, "reject too-many-records"),
    (ITEM | {12: {1: 0}}, LONG | {"rrlist": [[0] * 140_000]}, "reject too-long"), (ITEM | {12: {1: 0}}, {"rrlist": [[0]], "rr": [{0: 0}]}, "reject bad-item"),
    (ITEM | {12: {1: 0}}, {"rrlist": [[0]], "rr": [{0: 0, 1: 0, 2: 1 << 32}]}, "reject bad-item"),
    (ITEM, {"sig": signed(has=7, edns=0, options=1), "names": [name(b"a"), b"\0\1\0\5"]}, "reject bad-edns"), (ITEM, {"sig": signed(has=7, edns=256)}, "reject bad-item"),
    (ITEM, {"preamble": {0: [1 << 40, 0]}}, "reject bad-time"), (ITEM, {"preamble": {1: 7}}, "reject bad-parameters"),
    (ITEM, {"stored": STORED | {0: 0}}, "reject bad-parameters"), (ITEM, {"stored": {}}, "reject bad-parameters"), (ITEM, {"stored": STORED | {11: 5, 5: 1}}, "reject bad-parameters"),
    (ITEM, {"stored": STORED | {3: [0, 5]}, "sig": signed(opcode=None)}, "reject no-opcode"),
]  # fmt: skip


@pytest.mark.parametrize(("item", "changes", "why"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_row_says_why(item: Any, changes: dict[str, Any], why: str) -> None:
    assert " ".join(refused(item, **changes)) == why


def test_an_item_that_is_refused_costs_no_other() -> None:
    result = read(FORMAT, file(block(ITEM, {1: 1.5}, ITEM, [], ITEM)))
    assert [row["line"] for row in result.rows] == [1, 1, 3, 3, 5, 5]
    assert result.reasons().count("bad-item") == 2
