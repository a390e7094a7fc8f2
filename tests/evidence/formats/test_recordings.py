"""What real servers wrote of one traffic: recognised, counted as independent tools count it, and agreeing with the truth.

Each count of MANIFEST.json is met exactly, and each row that has a port or a place in the order is laid beside the query
that was sent (`traffic.json`).
"""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.formats.registry import FORMATS
from evidence.reading.byte_order_mark import MARK
from evidence.reading.mnemonics import RCODES
from evidence.reading.names import canonical_name, from_labels
from evidence.recognition import NEAR, recognise
from tests.evidence.formats.readers import Read, check_way_back, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.format import Format

HERE = Path(__file__).parents[2] / "recordings"
MANIFEST = {entry["path"]: entry for entry in json.loads((HERE / "MANIFEST.json").read_bytes())["files"]}
TRAFFIC = json.loads((HERE / "traffic.json").read_bytes())
SENT = [query for query in TRAFFIC for _ in range(query["sent"])]
READ_BY = {
    "bind/query-9.20.log": "parse.bind@2",
    "bind/query-and-errors.log": "parse.bind@2",
    "bind/query-category-severity.log": "parse.bind@2",
    "bind/query-iso8601-utc.log": "parse.bind@2",
    "bind/query-iso8601.log": "parse.bind@2",
    "bind/query-no-time-category.log": "parse.bind@2",
    "bind/query-no-time.log": "parse.bind@2",
    "bind/query-and-responses-9.20.log": "parse.bind_responses@1",
    "bind/responses-9.20.log": "parse.bind_responses@1",
    "bind/query-syslog-iso8601.log": "parse.bind_syslog_dated@1",
    "bind/query-syslog-rfc5424.log": "parse.bind_syslog_dated@1",
    "bind/query-syslog-traditional.log": "parse.bind_syslog@1",
    "bind/query-views-category-severity.log": "parse.bind@2",
    "bind/query-views-iso8601.log": "parse.bind@2",
    "bind/query-views.log": "parse.bind@2",
    "bind/query.log": "parse.bind@2",
    "dnsdist/log-action-no-time.log": "parse.dnsdist@1",
    "dnsdist/log-action.log": "parse.dnsdist@1",
    "dnsdist/log-response-action.log": "parse.dnsdist@1",
    "dnsdist/verbose.log": "parse.dnsdist@1",
    "dnsmasq/dnsmasq-2.91-proto.log": "parse.dnsmasq@1",
    "dnsmasq/dnsmasq-extra.log": "parse.dnsmasq@1",
    "dnsmasq/dnsmasq.log": "parse.dnsmasq@1",
    "documentation/bind-9.9-query.log": "parse.bind@2",
    "documentation/cof-circl.ndjson": "parse.passive_dns@1",
    "documentation/cof-dnsdb.ndjson": "parse.passive_dns@1",
    "documentation/cof-strings.ndjson": "parse.passive_dns@1",
    "documentation/coredns-combined-dated.log": "parse.coredns@1",
    "documentation/coredns-common.log": "parse.coredns@1",
    "documentation/dnsdb-saf-limited.ndjson": "parse.passive_dns@1",
    "documentation/dnsdb-saf.ndjson": "parse.passive_dns@1",
    "documentation/route53-resolver.json": "parse.route53@1",
    "documentation/umbrella-dns-v1.csv": "parse.umbrella@1",
    "documentation/umbrella-dns-v3.csv": "parse.umbrella@1",
    "documentation/windows-dns-24h.log": "parse.windows_dns@1",
    "documentation/windows-dns-us.log": "parse.windows_dns@1",
    "documentation/zeek-dns-iso8601.json": "parse.zeek_json@1",
    "documentation/zeek-dns.json": "parse.zeek_json@1",
    "documentation/zeek-dns.log": "parse.zeek@1",
    "knot/kresd-reqtrace.log": "parse.knot_trace@1",
    "powerdns/recursor-5.2-json.log": "parse.powerdns@1",
    "powerdns/recursor-5.2.log": "parse.powerdns@1",
    "powerdns/recursor-unstructured.log": "parse.powerdns_text@1",
    "powerdns/recursor.log": "parse.powerdns@1",
    "suricata/eve-v1-bullseye.json": "parse.eve@1",
    "suricata/eve-v2-bullseye.json": "parse.eve@1",
    "suricata/eve-v2-sid.json": "parse.eve@1",
    "suricata/eve-v3-sid.json": "parse.eve@1",
    "unbound/unbound-1.26-time-iso.log": "parse.unbound@1",
    "unbound/unbound-replies.log": "parse.unbound@1",
    "unbound/unbound-time-ascii.log": "parse.unbound_undated@1",
    "unbound/unbound.log": "parse.unbound@1",
}
"""Every text of the recordings, by the format that reads it."""
OTHERWISE = (".pcap", ".pcapng", ".dnstap", ".cdns", "traffic.json")
"""Not text, or not a log."""
PATHS = sorted(READ_BY)


def bytes_of(path: str) -> bytes:
    return (HERE / path).read_bytes()


@functools.cache
def known(path: str) -> tuple[Format, dict[str, Any]]:
    """The format that was recognised, and its own parameters."""
    found = recognise(bytes_of(path))
    own = {name: value for name, value in found.parameters.items() if name not in ("zone", "year")}
    return FORMATS[found.procedure or ""], own


def read_recording(path: str) -> Read:
    form, parameters = known(path)
    return read(form, bytes_of(path), parameters)


def rows_with(**wanted: Any) -> Callable[[Read], int]:
    return lambda result: sum(all(row[name] == value for name, value in wanted.items()) for row in result.rows)


def skipped(*reasons: str) -> Callable[[Read], int]:
    return lambda result: sum(reason in reasons for reason in result.reasons())


def lookups(result: Read) -> int:
    """Names that dnsmasq cannot print were looked up too: they are rejects."""
    return result.counted.counts()["queries"] + result.reasons().count("name-unprintable")


def questions(result: Read) -> int:
    return sum(row["event"] == "query" for row in result.rows)


COUNTS: dict[str, Callable[[Read], int]] = {
    "lines": lambda result: result.counted.lines,
    "records": lambda result: len(result.rows),
    "lookups": lookups,
    "queries": questions,
    "requests": questions,
    "requests of its own": skipped("own-request"),
    "rows": lambda result: len(result.rows),
    "rejects": lambda result: result.counted.rejects,
    "headers": skipped("header"),
    "replies": rows_with(event="response"),
    "answers": rows_with(event="response"),
    "response records": rows_with(event="response"),
    "replies NXDOMAIN": rows_with(event="response", rcode="NXDOMAIN"),
    "replies SERVFAIL": rows_with(event="response", rcode="SERVFAIL"),
    "lookups NXDOMAIN": rows_with(rcode="NXDOMAIN"),
    "forwarded": skipped("forwarded"),
    "cached": skipped("cached", "cached-stale"),
    "from the packet cache": lambda result: rows_with(event="exchange")(result) + skipped("packet-cache")(result),
    "unprintable names looked up": skipped("name-unprintable"),
    "lookups over TCP": rows_with(transport="tcp"),
    "lookups from IPv6": lambda result: sum(":" in row["client"] for row in result.rows),
    "pairs of name and data": lambda result: sum(len(row["data"]) for row in result.rows),
    "packets": lambda result: len(result.rows) + skipped("own-query", "response-to-the-server", "no-query")(result),
    "received queries": rows_with(event="query"),
    "responses": lambda result: rows_with(event="response")(result) + skipped("response-to-the-server")(result),
    "updates": skipped("no-query"),
}
COUNTED_OTHERWISE: dict[tuple[str, str], Callable[[Read], int]] = {
    ("dnsmasq/", "replies"): skipped("reply"),
    ("powerdns/", "lookups"): questions,
    ("knot/", "lines"): lambda result: max(row["line"] for row in result.rows) + 5,
    ("documentation/route53", "answers"): lambda result: sum(len(row["answers"] or ()) for row in result.rows),
}
"""By the beginning of the path. A record of Knot's trace is a block: the last one begins six lines before the end."""


NOT_TAKEN = {"lookups blocked"}
"""Counted there of something that stands in no table."""


def count_of(path: str, what: str) -> Callable[[Read], int]:
    of_type = re.fullmatch("lookups of type ([A-Z0-9]+)", what)
    if not of_type:
        return next(
            (count for (begin, of), count in COUNTED_OTHERWISE.items() if path.startswith(begin) and of == what),
            COUNTS[what],
        )
    if path.startswith("dnsmasq/"):  # an unprintable name's type is in its line
        return lambda result: (
            rows_with(type=of_type[1])(result)
            + sum(
                f"query[{of_type[1]}] ".encode() in bytes_of(path)[reject["start"] : reject["stop"]]
                for reject in result.rejects
                if reject["kind"] == "reject"
            )
        )
    if path.startswith("powerdns/"):
        return rows_with(type=of_type[1], event="query")
    return rows_with(type=of_type[1])


def test_every_text_of_the_recordings_is_read() -> None:
    texts = {path for path in MANIFEST if not path.endswith(OTHERWISE) and not path.startswith("seen/")}
    assert texts == set(READ_BY)


def moved(items: list[dict[str, Any]], by: int) -> list[dict[str, Any]]:
    """Rows or rejects as they stand behind so many more bytes, which are the first record's."""
    return [
        item | {"start": item["start"] and item["start"] + by, "stop": item["stop"] + by}
        | {name: None for name in ("head", "earlier") if name in item}
        for item in items
    ]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_byte_order_mark_changes_nothing_but_places(path: str) -> None:
    form, parameters = known(path)
    data = b"".join(bytes_of(path).splitlines(keepends=True)[:60])
    marked, plain = read(form, MARK + data, parameters), read(form, data, parameters)
    assert recognise(MARK + data) == recognise(data)
    assert moved(marked.rows, 0) == moved(plain.rows, 3)
    assert moved(marked.rejects, 0) == moved(plain.rejects, 3)
    assert check_way_back(form, MARK + data, parameters) == len(plain.rows)


@pytest.mark.parametrize("path", PATHS)
def test_it_is_told_surely_from_all_other_formats(path: str) -> None:
    found = recognise(bytes_of(path))
    assert found.procedure == READ_BY[path]
    assert found.confidence >= 0.85
    assert all(confidence < found.confidence - NEAR for _, confidence in found.others), found.others


@pytest.mark.parametrize("path", PATHS)
def test_counts_are_those_of_independent_tools(path: str) -> None:
    result = read_recording(path)
    stated = {what: item["count"] for what, item in MANIFEST[path]["counts"].items() if what not in NOT_TAKEN}
    assert {what: count_of(path, what)(result) for what in stated} == stated


@pytest.mark.parametrize("path", PATHS)
def test_each_row_is_made_again_from_its_own_bytes(path: str) -> None:
    form, parameters = known(path)
    assert check_way_back(form, bytes_of(path), parameters) > 0


def beside(row: dict[str, Any]) -> dict[str, Any] | None:
    """The query that a row is of, by the port that it was sent from."""
    return TRAFFIC[row["port"] - 20000] if row["port"] and 0 <= row["port"] - 20000 < len(TRAFFIC) else None


def agrees(path: str, row: dict[str, Any], query: dict[str, Any]) -> None:
    assert row["type"] == query["type"]
    if row["client"] is not None:
        assert ip_address(row["client"].partition("%")[0]) == ip_address(query["client"].partition("%")[0])
    assert row["class"] in (None, query["class"])
    assert row["transport"] in (None, query["transport"])
    if path.startswith("suricata/"):
        assert row["name"] == from_labels([part for label in labels_of(query) for part in label.split(b".")])
    elif not path.startswith("unbound/"):
        assert row["name"] == canonical_name(query["name_canonical"])
    if row["event"] != "query" and row["rcode"]:
        assert row["rcode"] == seen_rcode(path, query)


SEEN = {
    "bind/query-and-responses-9.20.log": "bind-9.20",
    "bind/responses-9.20.log": "bind-9.20",
    "dnsmasq/dnsmasq-2.91-proto.log": "dnsmasq-proto",
    "dnsmasq/dnsmasq-extra.log": "dnsmasq-extra",
    "knot/kresd-reqtrace.log": "kresd",
    "powerdns/recursor-5.2-json.log": "recursor-json",
    "powerdns/recursor-5.2.log": "recursor-5",
    "powerdns/recursor-unstructured.log": "recursor-classic",
    "powerdns/recursor.log": "recursor",
    "unbound/unbound-1.26-time-iso.log": "unbound-iso",
    "unbound/unbound-replies.log": "unbound-replies",
    "unbound/unbound-time-ascii.log": "unbound-ascii",
}


def seen_rcode(path: str, query: dict[str, Any]) -> str:
    """What the client saw; a resolver may fail where the data would answer. Suricata was fed with BIND's capture."""
    server = SEEN.get(path, path.partition("/")[0].replace("suricata", "bind"))
    seen = json.loads((HERE / f"seen/{server}.json").read_bytes())
    return next(RCODES[item["rcode"]] for item in seen if item["sequence"] == query["sequence"])


@pytest.mark.parametrize("path", [path for path in PATHS if not path.startswith("documentation/")])
def test_rows_agree_with_the_queries_that_were_sent(path: str) -> None:
    rows = read_recording(path).rows
    if "-v1-" in path:  # an answer's record has the answer's name and type
        rows = [row for row in rows if row["event"] == "query"]
    compared = 0
    for row in rows:
        query = beside(row)
        if query is not None:
            agrees(path, row, query)
            compared += 1
    if not compared:
        compared = in_order(path, rows) if "knot" not in path else as_many(rows)
    assert compared >= 60


def in_order(path: str, rows: list[dict[str, Any]]) -> int:
    """Where no port is stated each query's line stands in its place; names that were lost have none."""
    written = [query for query in SENT if path.startswith("unbound/") or is_printable(query)]
    for kind in {row["event"] for row in rows}:
        of_kind = [row for row in rows if row["event"] == kind]
        assert len(of_kind) == len(written)
        for row, query in zip(of_kind, written, strict=True):
            agrees(path, row, query)
            if path.startswith("unbound/"):
                assert row["name"] == as_unbound_writes(path, query)
    return len(rows)


def as_many(rows: list[dict[str, Any]]) -> int:
    """Where neither port nor order is to be relied on: Knot answered one of the retransmissions without a trace."""
    sent = Counter((canonical_name(query["name_canonical"]), query["type"]) for query in SENT)
    traced = Counter((row["name"], row["type"]) for row in rows)
    assert not traced - sent
    assert (sent - traced).total() == 1
    return len(rows)


def labels_of(query: dict[str, Any]) -> list[bytes]:
    wire, labels = bytes.fromhex(query["name_wire_hex"]), []
    while wire[0]:
        labels.append(wire[1 : 1 + wire[0]])
        wire = wire[1 + wire[0] :]
    return labels


def is_printable(query: dict[str, Any]) -> bool:
    """To dnsmasq."""
    return all(0x20 <= octet <= 0x7E and octet != 0x2E for label in labels_of(query) for octet in label)


def as_unbound_writes(path: str, query: dict[str, Any]) -> str:
    labels = [re.sub(rb"[^A-Za-z0-9_*-]", b"?", label).decode().lower() for label in labels_of(query)]
    name = ".".join(labels) or "."
    return name if len(name) < 253 or "1.26" in path else f"{name.rpartition('.')[0]}.&"


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_changed_bytes_lose_nothing(path: str, data: st.DataObject) -> None:
    lines = bytes_of(path).splitlines(keepends=True)
    text = bytearray(b"".join(data.draw(st.lists(st.sampled_from(lines), max_size=12))))
    for _ in range(data.draw(st.integers(0, 8)) if text else 0):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] = data.draw(st.sampled_from(b'\n\r\t #:()[]{}",=|\\0129AZaz.-\x00\x7f\xff'))
    form, parameters = known(path)
    assert read(form, bytes(text), parameters).counted.bytes == len(text)
