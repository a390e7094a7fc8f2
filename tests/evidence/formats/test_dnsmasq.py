"""dnsmasq: queries are rows, what follows them is skipped by rule, names stand unescaped."""

from __future__ import annotations

import pytest

from evidence.formats import dnsmasq
from evidence.formats.registry import FORMATS
from tests.evidence.formats.readers import read

HEAD = b"Nov 24 22:11:57 dnsmasq[24103]: "


def test_values_are_normalised() -> None:
    row = dnsmasq.read_message(b"query[AAAA] WwW.example.com from 127.0.0.11")
    assert row == {
        "name": "www.example.com", "name_as_written": "WwW.example.com", "event": "query", "client": "127.0.0.11",
        "port": None, "type": "AAAA", "transport": None,
    }  # fmt: skip
    (row,) = read(FORMATS["parse.dnsmasq@1"], HEAD + b"1 127.0.0.11/20000 query[type=65280] . from 127.0.0.11\n").rows
    assert (row["port"], row["type"], row["name"], row["class"]) == (20000, "TYPE65280", ".", None)
    assert row["time"].isoformat() == "2000-11-24T22:11:57+00:00"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (b"x y.example.com", r"x\032y.example.com"),
        (b"a from b.example", r"a\032from\032b.example"),
        (rb"back\slash.example", r"back\\slash.example"),
        (b'quo"te.example', 'quo"te.example'),
    ],
)
def test_a_name_is_taken_octet_by_octet(written: bytes, name: str) -> None:
    assert dnsmasq.read_message(b"query[A] " + written + b" from ::1")["name"] == name


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (b"query[A] <name unprintable> from 127.0.0.11", ("reject", "name-unprintable")),
        (b"query[A] a..b from 127.0.0.11", ("reject", "bad-name")),
        (b"query[A] a.b from nowhere", ("reject", "not-a-query-line")),
        (b"query[type=a] a.b from ::1", ("reject", "not-a-query-line")),
        (b"1 127.0.0.11/70000 query[A] a.b from 127.0.0.11", ("reject", "bad-client")),
        (b"1 127.0.0.11/20000 query[A] a.b from 127.0.0.12", ("reject", "bad-client")),
        (b"forwarded www.example.com to 127.0.0.2#5353", ("skip", "forwarded")),
        (b"1 127.0.0.11/20000 reply www.example.com is 192.0.2.2", ("skip", "reply")),
        (b"cached-stale www.example.com is 192.0.2.2", ("skip", "cached-stale")),
        (b"/etc/hosts localhost is 127.0.0.1", ("skip", "hosts-file")),
        (b"using nameserver 127.0.0.2#5353", ("skip", "other-message")),
    ],
)
def test_what_is_no_lookup_has_a_reason(message: bytes, found: tuple[str, str]) -> None:
    assert dnsmasq.read_message(message) == found


def test_the_transport_is_taken_where_it_stands() -> None:
    row = dnsmasq.read_message(b"TCP 567 fe80::53%lo/20068 query[AAAA] mail.example.net from fe80::53")
    assert (row["transport"], row["client"], row["port"]) == ("tcp", "fe80::53%lo", 20068)


def test_syslog_names_the_host_and_may_state_year_and_zone() -> None:
    line = b"query[A] a.example from 127.0.0.11\n"
    dated = read(FORMATS["parse.dnsmasq_dated@1"], b"2026-11-24T22:11:57+01:00 gw dnsmasq[1]: " + line).rows[0]
    assert (dated["vantage"], dated["time_zone"], dated["time"].hour) == ("gw", "+01:00", 21)
    undated = read(FORMATS["parse.dnsmasq@1"], b"<30>Nov 24 22:11:57 gw dnsmasq[1]: " + line).rows[0]
    assert (undated["vantage"], undated["time_zone"]) == ("gw", None)


@pytest.mark.parametrize("head", [b"dnsmasq[1]: ", b"dnsmasq: "])
def test_a_container_s_log_has_no_time(head: bytes) -> None:
    (row,) = read(FORMATS["parse.dnsmasq@1"], head + b"query[A] a.example from 172.17.0.3\n").rows
    assert (row["name"], row["client"], row["time"], row["time_digits"]) == ("a.example", "172.17.0.3", None, None)


def test_what_it_says_of_dhcp_is_its_log_too() -> None:
    found = read(FORMATS["parse.dnsmasq@1"], b"Nov 24 22:11:57 dnsmasq-dhcp[24103]: DHCPACK(eth0) 192.0.2.7\n")
    assert [(item["kind"], item["reason"]) for item in found.rejects] == [("skip", "other-message")]
