"""PowerDNS: structured lines in two steps of escapes, unstructured ones, and the Authoritative Server's."""

from __future__ import annotations

import pytest

from evidence.formats import powerdns

STRUCTURED = (
    b'Nov 24 22:10:55 msg="Answer" subsystem="syncres" level="0" prio="Info" tid="1" ts="1795558255.012" ecs="" '
    b'mtid="1" proto="tcp" qname="A\\\\.b\\".example.com" qtype="A" rcode="3" rd="1" remote="[fe80::53%lo]:20000"\n'
)
TEXT = b"Nov 24 22:10:59 1 [1/1] question for 'a\\.b.example|AAAA' from 127.0.0.11:20000\n"


def test_structured_values_are_normalised() -> None:
    row = powerdns.read_structured(STRUCTURED)
    assert row["time"].isoformat() == "2026-11-24T22:10:55.012000+00:00"
    assert (row["time_digits"], row["time_zone"], row["event"]) == (3, "UTC", "response")
    assert (row["client"], row["port"], row["transport"]) == ("fe80::53%lo", 20000, "tcp")
    assert (row["name"], row["type"], row["rcode"], row["flags"]) == (r'a\.b".example.com', "A", "NXDOMAIN", "RD")
    assert row["name_as_written"].encode() in STRUCTURED


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (b"Question", "query"),
        (b"Question answered from packet cache", "exchange"),
        (b"TCP question answered from packet cache", "exchange"),
    ],
)
def test_messages_tell_of_a_query_or_of_both(message: bytes, event: str) -> None:
    assert powerdns.read_structured(STRUCTURED.replace(b"Answer", message))["event"] == event


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (STRUCTURED.replace(b'qtype="A"', b'qtype=""'), ("reject", "bad-type")),
        (STRUCTURED.replace(b'"[fe80::53%lo]:20000"', b'"fe80::53"'), ("reject", "bad-client")),
        (STRUCTURED.replace(b":20000", b":70000"), ("reject", "bad-client")),
        (STRUCTURED.replace(b'ts="1795558255.012"', b'ts="now"'), ("reject", "bad-time")),
        (STRUCTURED.replace(b'rcode="3"', b'rcode="x"'), ("reject", "bad-rcode")),
        (STRUCTURED.replace(b"example.com", b"example..com"), ("reject", "bad-name")),
        (STRUCTURED.replace(b'rd="1"', b'qtype="A"'), ("reject", "doubled-member")),
        (STRUCTURED.replace(b'rd="1"', b"rd=1"), ("reject", "not-its-log")),
        (STRUCTURED.replace(b'"Answer"', b'"Redirecting queries"'), ("skip", "other-message")),
        (b"Nov 24 22:10:53 Using 64-bits mode. Built using gcc 12.2.0.\n", ("skip", "start-up")),
        (TEXT, ("reject", "not-its-log")),
    ],
)
def test_what_is_no_structured_lookup_has_a_reason(line: bytes, found: tuple[str, str]) -> None:
    assert powerdns.read_structured(line) == found


def test_text_values_are_normalised() -> None:
    row = powerdns.read_text(TEXT)
    assert (row["time"].isoformat(), row["time_zone"]) == ("2000-11-24T22:10:59+00:00", None)
    assert (row["name"], row["type"], row["client"], row["port"], row["transport"]) == (
        r"a\.b.example", "AAAA", "127.0.0.11", 20000, "udp"
    )  # fmt: skip
    answer = powerdns.read_text(
        b"Nov 24 22:10:59 1 [1/1] answer to question 'a.example|A': 0 answers, 1 additional, took 1 packets, rcode=2\n"
    )
    assert (answer["event"], answer["rcode"], answer.get("client")) == ("response", "SERVFAIL", None)


def test_queries_of_the_authoritative_server_are_read() -> None:
    line = b"pdns_server[12]: TCP Remote 2001:DB8::1 wants 'www.example.com|A', do = 1, bufsize = 1232 (1680): packetcache HIT"
    row = powerdns.read_text(b"Nov 24 22:10:59 ns1 " + line)
    assert (row["client"], row["transport"], row["flags"], row["vantage"]) == ("2001:db8::1", "tcp", "DO", "ns1")
    dated = powerdns.read_dated(b"2026-11-24T22:10:59Z ns1 " + line)
    assert (dated["time_zone"], dated["name"]) == ("UTC", "www.example.com")


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (b"1 question answered from packet cache tag=0 from 127.0.0.11:20023", ("skip", "packet-cache")),
        (b"1 [1/1] question for 'a|A'", ("reject", "not-a-query-line")),
        (b"1 [1/1] question for 'a..b|A' from 127.0.0.1:1", ("reject", "bad-name")),
        (b"1 [1/1] question for 'a|A' from 127.0.0.1:99999", ("reject", "bad-port")),
        (b"Enabled 'epoll' multiplexer", ("skip", "other-message")),
    ],
)
def test_what_is_no_lookup_has_a_reason(message: bytes, found: tuple[str, str]) -> None:
    assert powerdns.read_message(message) == found
