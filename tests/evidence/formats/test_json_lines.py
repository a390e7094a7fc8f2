"""Formats of one JSON object a line: exact values, and JSON that is read in two ways elsewhere is a reject."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evidence.formats import eve, passive_dns, route53, zeek_json

EVE = (
    b'{"timestamp":"2026-11-24T22:13:33.632901+0000","event_type":"dns","src_ip":"127.0.0.53","src_port":53,'
    b'"dest_ip":"127.0.0.11","dest_port":20000,"proto":"UDP","host":"sensor1","dns":{"version":3,"type":"response",'
    b'"flags":"8583","rcode":"NXDOMAIN","queries":[{"rrname":"A\\tb.example","rrtype":"65280"}],'
    b'"answers":[{"rrname":"a.example","rrtype":"SOA","ttl":300,"soa":{"mname":"ns","rname":"hm","serial":1,'
    b'"refresh":2,"retry":3,"expire":4,"minimum":5}}]}}\n'
)
ROUTE53 = (
    b'{"version":"1.100000","vpc_id":"vpc-7","query_timestamp":"2026-11-24T22:09:08Z","query_name":"WWW.example.com.",'
    b'"query_type":"A","query_class":"IN","rcode":"NoError","answers":[{"Rdata":"www.example.","Type":"CNAME","Class":"IN"}],'
    b'"srcaddr":"192.0.2.100","srcport":"20000","transport":"UDP"}\n'
)
ZEEK = (
    b'{"ts":1795558147.123457,"id.orig_h":"2001:DB8::1","id.orig_p":20000,"id.resp_h":"127.0.0.53","id.resp_p":53,'
    b'"proto":"tcp","query":"x\\\\x20y.example","qclass":1,"qtype":28,"rcode":3,"AA":true,"TC":false,"RD":true,'
    b'"answers":["2001:db8::1"],"TTLs":[300.0],"_system_name":"gw"}\n'
)
PASSIVE = (
    b'{"rrname":"WWW.example.com.","rrtype":"A","rdata":["192.0.2.1","192.0.2.2"],"time_first":1380123423,'
    b'"time_last":"1427869045","count":6350,"sensor_id":"s"}\n'
)
READERS = {eve.read_line: EVE, route53.read_line: ROUTE53, zeek_json.read_line: ZEEK, passive_dns.read_line: PASSIVE}


def some(row: Any, *names: str) -> tuple[Any, ...]:
    return tuple(row[name].isoformat() if name in ("time", "last") else row[name] for name in names)


def test_eve() -> None:
    row = eve.read_line(EVE)
    assert some(row, "time", "time_digits", "time_zone") == ("2026-11-24T22:13:33.632901+00:00", 6, "UTC")
    assert some(row, "client", "port", "server", "server_port") == ("127.0.0.11", 20000, "127.0.0.53", 53)
    assert some(row, "event", "name", "type", "rcode") == ("response", r"a\009b.example", "TYPE65280", "NXDOMAIN")
    assert some(row, "flags", "transport", "vantage") == ("AA RD RA", "udp", "sensor1")
    assert row["answers"] == [{"name": "a.example", "type": "SOA", "ttl": 300, "data": "ns hm 1 2 3 4 5"}]


@pytest.mark.parametrize(
    ("opcode", "found"),
    [
        (b"4", ("skip", "opcode-notify")), (b"5", ("skip", "opcode-update")), (b"15", ("skip", "opcode-15")),
        (b"16", ("reject", "bad-opcode")), (b"-1", ("reject", "bad-opcode")), (b'"4"', ("reject", "wrong-type")),
    ],
)  # fmt: skip
def test_what_states_another_opcode_is_no_lookup_in_eve_and_in_zeek(opcode: bytes, found: tuple[str, str]) -> None:
    for read_line, line, before in ((eve.read_line, EVE, b'"flags"'), (zeek_json.read_line, ZEEK, b'"qclass"')):
        assert isinstance(read_line(line.replace(before, b'"opcode":0,' + before)), dict)
        changed = line.replace(before, b'"opcode":' + opcode + b"," + before)
        assert read_line(changed) == found
        assert read_line(changed.replace(b'"query":"x\\\\x20y.example",', b"")) == found


def test_route53() -> None:
    row = route53.read_line(ROUTE53)
    assert some(row, "time", "time_zone", "event") == ("2026-11-24T22:09:08+00:00", "UTC", "exchange")
    assert some(row, "name", "client", "port", "rcode", "vantage") == (
        "www.example.com", "192.0.2.100", 20000, "NOERROR", "vpc-7"
    )  # fmt: skip
    assert row["answers"] == [{"name": None, "type": "CNAME", "ttl": None, "data": "www.example"}]


def test_zeek() -> None:
    row = zeek_json.read_line(ZEEK)
    assert some(row, "time", "time_digits", "event") == ("2026-11-24T22:09:07.123457+00:00", 6, "exchange")
    assert some(row, "name", "type", "class", "client", "transport") == (
        r"x\032y.example", "AAAA", "IN", "2001:db8::1", "tcp"
    )  # fmt: skip
    assert some(row, "rcode", "flags", "vantage") == ("NXDOMAIN", "AA RD", "gw")
    assert row["answers"] == [{"name": None, "type": None, "ttl": 300, "data": "2001:db8::1"}]
    asked = zeek_json.read_line(
        ZEEK.replace(b'"rcode":3,', b"").replace(b"1795558147.123457", b'"2026-11-24T22:09:07Z"')
    )
    assert some(asked, "event", "rcode", "time_digits") == ("query", None, 0)


def test_a_time_of_zeek_is_that_of_the_record_and_no_inner_one() -> None:
    for inner in (b'{"more":{"ts":5.5},', b'{"more":{"ts": 1795558147123},', b'{"more":[{"ts":1795558147.12345 }],'):
        row = zeek_json.read_line(ZEEK.replace(b'{"ts":', inner + b'"ts" : '))
        assert some(row, "time", "time_digits") == ("2026-11-24T22:09:07.123457+00:00", 6)


def test_thirteen_digits_of_zeek_are_milliseconds() -> None:
    row = zeek_json.read_line(ZEEK.replace(b"1795558147.123457", b"1795558147123"))
    assert some(row, "time", "time_digits", "time_zone") == ("2026-11-24T22:09:07.123000+00:00", 3, "UTC")
    for other in (b"17955581471234", b"1795558147123.0", b"-1795558147123", b"1.795558147123e12"):
        assert zeek_json.read_line(ZEEK.replace(b"1795558147.123457", other)) == ("reject", "bad-time")


@pytest.mark.parametrize(("written", "kind"), [(b"65280", "TYPE65280"), (b'"65280"', "TYPE65280"), (b"28", "AAAA")])
def test_a_type_of_passive_dns_may_be_a_number(written: bytes, kind: str) -> None:
    assert passive_dns.read_line(PASSIVE.replace(b'"A"', written))["type"] == kind


def test_passive_dns() -> None:
    row = passive_dns.read_line(PASSIVE)
    assert some(row, "time", "last", "count") == ("2013-09-25T15:37:03+00:00", "2015-04-01T06:17:25+00:00", 6350)
    assert some(row, "name", "data", "observer") == ("www.example.com", ["192.0.2.1", "192.0.2.2"], "s")
    framed = passive_dns.read_line(b'{"obj":' + PASSIVE.strip() + b"}\n")
    assert framed == row
    zone = passive_dns.read_line(PASSIVE.replace(b"time_", b"zone_time_").replace(b'"count":6350,', b""))
    assert some(zone, "time", "count") == ("2013-09-25T15:37:03+00:00", 1)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"cond":"begin"}', ("skip", "stream-condition")),
        (b'{"cond":"limited","msg":"more"}', ("context", "stream-limited")),
        (b'{"cond":"soon"}', ("reject", "unknown-condition")),
        (b'{"obj":7}', ("reject", "wrong-type")),
        (PASSIVE.replace(b"6350", b"0"), ("reject", "bad-count")),
        (PASSIVE.replace(b'"A"', b"65536"), ("reject", "bad-type")),
        (PASSIVE.replace(b'"A"', b"-1"), ("reject", "bad-type")),
        (PASSIVE.replace(b'"A"', b"true"), ("reject", "wrong-type")),
        (PASSIVE.replace(b"1380123423", b'"yesterday"'), ("reject", "bad-time")),
        (PASSIVE.replace(b'"192.0.2.1"', b"1"), ("reject", "wrong-type")),
    ],
)
def test_frames_and_broken_sightings(line: bytes, found: tuple[str, str]) -> None:
    assert passive_dns.read_line(line) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (EVE.replace(b'"event_type":"dns"', b'"event_type":"flow"'), ("skip", "other-event")),
        (EVE.replace(b'"event_type":"dns",', b""), ("reject", "not-an-event")),
        (EVE.replace(b'"response"', b'"maybe"'), ("reject", "unknown-type")),
        (EVE.replace(b"}],", b'},{"rrname":"b","rrtype":"A"}],', 1), ("reject", "not-one-question")),
        (EVE.replace(b'"8583"', b'"x"'), ("reject", "bad-flags")),
        (EVE.replace(b"+0000", b""), ("reject", "bad-time")),
        (EVE.replace(b"127.0.0.11", b"nobody"), ("reject", "bad-address")),
        (EVE.replace(b"20000", b"70000"), ("reject", "bad-address")),
        (EVE.replace(b'"ttl":300', b'"ttl":"300"'), ("reject", "wrong-type")),
        (EVE.replace(b"b.example", b"b..example"), ("reject", "bad-name")),
    ],
)
def test_what_is_no_event_of_dns_has_a_reason(line: bytes, found: tuple[str, str]) -> None:
    assert eve.read_line(line) == found


@pytest.mark.parametrize("read_line", READERS, ids=lambda reader: reader.__module__)
@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b"{", b'{"rrname":"a","rrname":"b","query_timestamp":"x","query_timestamp":"y",', 1),
        lambda line: line.rstrip()[:-1] + b",}\n",
        lambda line: line.rstrip()[:-1] + b',"x":NaN}\n',
        lambda line: line.rstrip()[:-1] + b',"x":"\xff"}\n',
        lambda line: line.rstrip()[:-1] + b',"x":"\\ud800"}\n',
        lambda line: line.rstrip()[:-1] + b',"x":' + b"[" * 2000 + b'"\\ud800"' + b"]" * 2000 + b"}\n",
        lambda line: line.rstrip()[:-2] + b"\n",
        lambda line: line.rstrip() + line,
        lambda line: b"\xef\xbb\xbf" + line,
        lambda line: b"[" + line.rstrip() + b"]\n",
        lambda line: b'{"a":' * 100_000 + b"\n",
    ],
)
def test_json_that_is_no_json_is_a_reject(read_line: Any, change: Any) -> None:
    found = read_line(change(READERS[read_line]))
    assert isinstance(found, tuple)
    assert found[0] == "reject"


@pytest.mark.parametrize("read_line", READERS, ids=lambda reader: reader.__module__)
@pytest.mark.parametrize("wrong", [None, True, 1.5, [], {}, [1], "\x00", -1, 10**30])
def test_a_value_of_another_type_is_a_reject_or_is_not_taken(read_line: Any, wrong: Any) -> None:
    value = json.loads(READERS[read_line])
    for name in list(value):
        found = read_line(json.dumps(value | {name: wrong}).encode())
        assert isinstance(found, dict) or found[0] in ("reject", "skip")
        if isinstance(found, dict):
            assert found["name"]


@pytest.mark.parametrize(
    ("read_line", "line", "spelling"),
    [
        (eve.read_line, EVE.replace(b"A\\tb", b"a\\/b"), rb"a\/b.example"),
        (eve.read_line, EVE.replace(b"A\\tb", b"\\u0061b"), rb"\u0061b.example"),
        (route53.read_line, ROUTE53.replace(b"WWW.", b"a\\\\.b."), rb"a\\.b.example.com."),
        (zeek_json.read_line, ZEEK.replace(b"x\\\\x20y", b"a\\/b"), rb"a\/b.example"),
        (passive_dns.read_line, PASSIVE.replace(b"WWW.", b"a\\\\.b."), rb"a\\.b.example.com."),
    ],
)
def test_a_name_that_json_escapes_is_kept_as_it_stands_in_the_line(
    read_line: Any, line: bytes, spelling: bytes
) -> None:
    row = read_line(line)
    assert row["name_as_written"] == spelling.decode()
    assert spelling in line
