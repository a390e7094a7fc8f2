"""C-DNS: what the RFC lets a block say becomes rows, what it leaves out stays null, and no block loses a byte."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
from cbor2 import CBOREncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.formats import cdns, cdns_tables
from evidence.formats.registry import FORMATS
from evidence.reading import source
from evidence.reading.format import Head
from evidence.reading.names import canonical_name
from evidence.recognition import recognise
from evidence.wire import cbor
from tests.evidence.formats.packets import changed, name
from tests.evidence.formats.readers import Read, check_way_back, read
from tests.evidence.formats.recorded import MANIFEST, RCODES, bytes_of, counts_of, sent_flags
from tests.recordings import compacted

FORMAT = FORMATS["parse.cdns@1"]
SAMPLES = sorted(path for path in MANIFEST if path.endswith(".cdns"))
WHOLE = [path for path in SAMPLES if "prefixes" not in path]
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


def test_the_samples_are_those_that_the_script_makes(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacted, "FOLDER", tmp_path)
    compacted.compact()
    assert {f"documentation/{path.name}": path.read_bytes() for path in tmp_path.iterdir()} == {
        path: bytes_of(path) for path in SAMPLES
    }


@pytest.mark.parametrize("path", SAMPLES)
def test_a_sample_is_told_and_counted_as_another_decoder_counts_it(path: str) -> None:
    result, stated = read(FORMAT, bytes_of(path)), counts_of(path)
    found = recognise(bytes_of(path))
    assert (found.procedure, found.confidence, found.others) == (FORMAT.procedure, 1.0, ())
    assert len({row["start"] for row in result.rows}) == stated["query/response items"]
    assert result.counted.counts()["queries"] == result.counted.counts()["responses"] == len(result.rows) // 2
    reasons = result.counted.reasons
    assert (reasons["address-event"], reasons["malformed-message"]) == (stated["address events"], stated["malformed messages"])  # fmt: skip
    assert reasons["block-tables"] == stated["blocks"]


@pytest.mark.parametrize("path", SAMPLES)
def test_rows_agree_with_the_traffic_that_was_sent(path: str) -> None:
    seen, found = compacted.exchanges(), read(FORMAT, bytes_of(path)).rows
    if "two-blocks" in path:
        seen.sort(key=lambda both: both[0]["transport"] == "tcp")
    for (query, answer), asked, answered in zip(seen, found[::2], found[1::2], strict=True):
        assert (asked["event"], answered["event"]) == ("query", "response")
        assert {(row["type"], row["class"], row["transport"]) for row in (asked, answered)} == {(query["type"], "IN", query["transport"])}  # fmt: skip
        assert asked["name"] == answered["name"] == canonical_name(query["name_canonical"])
        assert (asked["flags"], answered["rcode"]) == (sent_flags(query), RCODES[answer["rcode"]])
        assert ("TC" in (answered["flags"] or "").split()) == answer["truncated"]
        if path in WHOLE:
            assert (asked["client"], asked["port"]) == (query["client"].partition("%")[0], 20000 + query["sequence"])
            assert abs(asked["time"].timestamp() - answer["asked"]) < 1e-5
            assert abs(answered["time"].timestamp() - answer["answered"]) < 1e-5


@pytest.mark.parametrize("path", SAMPLES)
def test_each_row_is_made_again_from_its_own_bytes(path: str) -> None:
    assert check_way_back(FORMAT, bytes_of(path)) == 148


def test_prefixes_are_written_as_prefixes() -> None:
    result = read(FORMAT, bytes_of("documentation/cdns-prefixes.cdns"))
    assert {row["client"] for row in result.rows} >= {"127.0.0.0/24", "::/60"}
    assert result.notes == ["The source says that its data were anonymized (prefixes)."]
    assert {(row["port"], row["time_digits"]) for row in result.rows} == {(None, 3), (None, None)}


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


@pytest.mark.parametrize("is_open", [False, True])
def test_parts_of_a_block_by_their_names(is_open: bool) -> None:
    made = {0: PREAMBLE, 1: {0: 2}, -5: "own", 2: TABLES, 4: [{0: 0, 2: 0, 4: 1}], 3: [ITEM], 5: [{3: 0}, {3: 1}]}
    result = read(FORMAT, file(made, made, is_open=is_open))
    once = ["block-head", "block-preamble", "block-statistics", "other-member", "block-tables", "address-event-counts", "address-event",
            "query-responses", "malformed-messages", "malformed-message", "malformed-message"]  # fmt: skip
    assert [reason for reason in result.reasons() if reason != "break"] == ["file-preamble", *once, *once]
    assert ("break" in result.reasons()) == is_open
    assert {reject["kind"] for reject in result.rejects if reject["reason"] == "malformed-message"} == {"reject"}
    assert [reject["kind"] for reject in result.rejects].count("context") == 1
    assert check_way_back(FORMAT, file(made, made, is_open=is_open)) == 4


def test_items_before_their_tables_are_not_read() -> None:
    result = read(FORMAT, file({0: PREAMBLE, 3: [ITEM], 2: TABLES}))
    assert (result.rows, result.reasons()[-2:]) == ([], ["bad-index", "block-tables"])


def test_members_that_are_not_what_they_should_be() -> None:
    result = read(FORMAT, file({0: 5, 2: [1], 3: "x", 9: 1, 4: {}, 5: 1}, {0: {0: 1}, 2: TABLES, 3: [ITEM]}))
    assert result.reasons() == [
        "file-preamble", "block-head", "bad-item", "bad-item", "bad-item", "other-member", "bad-item", "bad-item",
        "block-head", "bad-time", "block-tables", "query-responses",
    ]  # fmt: skip
    assert [row["time"] for row in result.rows] == [None, None]


def test_the_tables_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdns_tables, "MOST_ENTRIES", 4)
    assert refused(ITEM) == ("reject", "bad-index")
    assert "too-many-entries" in read(FORMAT, file(block(ITEM))).reasons()
    for tables in (b"\xa1\x00\x01", b"\xa1\x41a\x80", b"\xa2\x00\x80\x00\x80"):
        data = file({0: PREAMBLE, 2: 77, 3: [ITEM]}).replace(b"\x02\x18\x4d", b"\x02" + tables)
        assert "bad-item" in read(FORMAT, data).reasons()


def test_storage_flags_are_said() -> None:
    stored = STORED | {5: 7, 10: "1 in 10"}
    assert read(FORMAT, file(block(ITEM), block(ITEM), stored=stored)).notes == [
        "The source says that its data were anonymized.",
        "The source says that it is a sample of the traffic (1 in 10).",
        "The source says that its names were normalized: how they were written is lost.",
    ]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (file(version=2), "other-version"), (encoded(["C-DNS", {1: 0}, []]), "other-version"), (encoded(["C-DNS", 5, []]), "bad-item"), (encoded(["X-DNS", {0: 1}, []]), "bad-item"),
        (encoded(["C-DNS", {0: 1}]), "bad-item"), (encoded(["C-DNS", {0: 1}, {}]), "bad-item"), (b"junk", "bad-item"), (b"\xff", "bad-cbor"),
        (file(5), "bad-item"), (file(block(ITEM))[:-1] + b"\x1c", "bad-cbor"), (b"\x83" * 100, "too-long"), (b"\x83\x65C-DN", "truncated-record"),
        (encoded(["C-DNS", {0: 1}, [], 5], is_open=True), "bad-item"), (encoded(["C-DNS", {0: 1, 9: b"x" * (1 << 20)}, []]), "too-long"),
    ],
)  # fmt: skip
def test_what_is_no_file_is_one_reject_from_there(data: bytes, why: str) -> None:
    result = read(FORMAT, data)
    assert (result.rejects[-1]["kind"], result.rejects[-1]["reason"], result.rejects[-1]["stop"]) == (
        "reject",
        why,
        len(data),
    )


def test_bytes_behind_the_file_are_one_reject() -> None:
    result = read(FORMAT, file(block(ITEM)) + file(block(ITEM)))
    assert (len(result.rows), result.reasons()[-1]) == (2, "trailing-bytes")


def test_an_empty_file_and_one_without_blocks() -> None:
    assert (read(FORMAT, b"").reasons(), read(FORMAT, file()).reasons()) == ([], ["file-preamble"])
    assert read(FORMAT, file(is_open=True, parameters=[])).reasons() == ["file-preamble", "break"]
    assert read(FORMAT, file(block(ITEM), parameters=5)).reasons()[-1] == "bad-parameters"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SAMPLES), st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_off_keeps_what_is_whole(path: str, share: float) -> None:
    data = bytes_of(path)
    cut, whole = data[: int(share * len(data))], read(FORMAT, data).rows
    result = read(FORMAT, cut)
    assert result.rows == [row for row in whole if row["stop"] <= len(cut)]
    assert set(result.reasons()) & {"truncated-record"} or result.counted.reject_bytes < 20
    assert not cut or result.notes[-1] == "The file is cut off: it ends before its last array does."


@pytest.mark.parametrize(
    "data",
    [
        file(block(ITEM))[:-1] + b"\x9b" + b"\xff" * 8, file()[:-1] + b"\x9b" + b"\xff" * 8 + b"\xbb" + b"\xff" * 8,
        file()[:-1] + b"\x81\xa1\x03\x9b" + b"\xff" * 8 + b"\xa0" * 50, file()[:-1] + b"\x81\xa1\x02" + b"\x5b" + b"\xff" * 8,
        file()[:-1] + b"\x81\xa1\x02" + b"\x81" * 5000, file()[:-1] + b"\x81\xa1\x03\x81" + b"\x9f" * 5000, file()[:-1] + b"\x81\xa1\x02\xa1\x02\x9b\x7f" + bytes(7),
    ],
)  # fmt: skip
def test_lengths_and_depths_that_cannot_be_true(data: bytes) -> None:
    result: Read = read(FORMAT, data)
    assert "bad-cbor" in result.reasons() or result.notes == [
        "The file is cut off: it ends before its last array does."
    ]


def test_rows_are_the_same_wherever_the_source_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in SAMPLES:
        data = bytes_of(path)
        whole = read(FORMAT, data)
        for module, limit, value in (
            (source, "BLOCK", 100),
            (cdns, "MOST_HELD", 50),
            (cdns, "_MOST_RECORDS", 10),
            (cdns_tables, "_MOST_KEPT", 1),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(module, limit, value)
                found = read(FORMAT, data)
            assert (found.rows, found.rejects) == (whole.rows, whole.rejects)


def test_what_is_longer_than_is_held_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BLOCK", 64)
    monkeypatch.setattr(cbor, "LONGEST", 1000)
    result = read(FORMAT, file(block(ITEM), block(ITEM, names=[name(b"a"), b"x" * 5000])))
    assert (len(result.rows), result.reasons()[-1]) == (2, "too-long")


def test_other_first_bytes_are_not_told() -> None:
    for data in (b"", b"\x83", b"\x82\x65C-DNS", b"\x83\x65X-DNS", b"C-DNS"):
        assert FORMAT.guess(Head(data)) is None


@settings(max_examples=300, deadline=None)
@given(changed([bytes_of(path) for path in SAMPLES]))
def test_no_change_of_a_file_loses_a_byte(data: bytes) -> None:
    result = read(FORMAT, data)
    assert all(row["stop"] > row["start"] for row in [*result.rows, *result.rejects])
