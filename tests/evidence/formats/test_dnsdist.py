"""dnsdist: its nanoseconds are a whole number, and each transport has a word."""

from __future__ import annotations

import pytest

from evidence.formats import dnsdist

PACKET = b"[1795558373.820032495] Packet from [fe80::53%lo]:20067 for Mail.example.net. A with id 17168\n"
ANSWER = b"[1795558373.7] Answer to 127.0.0.11:20000 for www.example.com. A (Non-Existent domain) with id 16\n"
VERBOSE = b"Got query for www.example.com|ANY from 127.0.0.11:20014 (TCP, 35 bytes), relayed to 127.0.0.2:5353\n"


def test_values_are_normalised() -> None:
    row = dnsdist.read_line(PACKET)
    assert (row["time"].isoformat(), row["time_digits"]) == ("2026-11-24T22:12:53.820032+00:00", 9)
    assert (row["event"], row["client"], row["port"], row["name"]) == (
        "query", "fe80::53%lo", 20067, "mail.example.net"
    )  # fmt: skip
    answer = dnsdist.read_line(ANSWER)
    assert (answer["time"].microsecond, answer["event"], answer["rcode"]) == (0, "response", "NXDOMAIN")
    assert dnsdist.read_line(ANSWER.replace(b".7]", b".7000]"))["time"].microsecond == 7


@pytest.mark.parametrize(
    ("how", "transport"),
    [
        (b" (TCP, 35 bytes)", "tcp"),
        (b"", "udp"),
        (b" (DoT, 35 bytes)", "tls"),
        (b" (DoH)", "https"),
        (b" (DoQ)", "quic"),
        (b" (https)", "https"),
        (b" (DoTCP, 35 bytes)", "tcp"),
        (b" (DoUDP, 35 bytes)", "udp"),
        (b" (DoH3, 35 bytes)", "https"),
        (b" (DNSCryptUDP, 35 bytes)", "dnscrypt-udp"),
        (b" (DNSCrypt TCP)", "dnscrypt-tcp"),
    ],
)
def test_the_transport_is_taken(how: bytes, transport: str) -> None:
    row = dnsdist.read_line(VERBOSE.replace(b" (TCP, 35 bytes)", how))
    assert (row["transport"], row["type"], row["time"]) == (transport, "ANY", None)


def test_what_the_packet_cache_answers_is_an_exchange() -> None:
    """No other line of the log tells of it; of what the cache misses, `Got query` does."""
    line = b"Packet cache hit for query for www.example.com|A from [::1]:20014 (DoTCP, 33 bytes)\n"
    row = dnsdist.read_line(line)
    assert (row["event"], row["name"], row["client"], row["transport"]) == ("exchange", "www.example.com", "::1", "tcp")
    assert dnsdist.read_line(line.replace(b" hit ", b" miss ")) == ("skip", "other-message")
    assert dnsdist.read_line(line.replace(b"|A", b"")) == ("reject", "not-a-query-line")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"Dropped query for www.example.com|A from 127.0.0.11:20014, no downstream server available\n", "A"),
        (b"Query from 127.0.0.11:20014 for www.example.com. dropped because of dynamic block\n", None),
        (b"Query from 127.0.0.11:20014 for www.example.com. turned into NXDomain because of dynamic block\n", None),
    ],
)
def test_a_lookup_that_goes_no_further_is_one(line: bytes, kind: str | None) -> None:
    row = dnsdist.read_line(line)
    assert (row["event"], row["name"], row["client"], row["port"]) == ("query", "www.example.com", "127.0.0.11", 20014)
    assert row["type"] == kind


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (ANSWER.replace(b"Non-Existent", b"Nearly"), ("reject", "bad-rcode")),
        (ANSWER.replace(b" (Non-Existent domain)", b""), ("reject", "bad-rcode")),
        (PACKET.replace(b" A with", b" A (No Error) with"), ("reject", "bad-rcode")),
        (PACKET.replace(b":20067", b":99999"), ("reject", "bad-port")),
        (PACKET.replace(b"Mail.", b"Mail.."), ("reject", "bad-name")),
        (PACKET.replace(b"with id", b"with"), ("reject", "not-a-query-line")),
        (VERBOSE.replace(b"|ANY", b""), ("reject", "not-a-query-line")),
        (
            b"Got answer from 127.0.0.2:5353, relayed to 127.0.0.11:20014, took 244.663 usec\n",
            ("skip", "other-message"),
        ),
        (b"Query from 127.0.0.11:20014 dropped because of ACL\n", ("skip", "other-message")),
        (b"something else\n", ("reject", "not-its-log")),
    ],
)
def test_what_is_no_lookup_has_a_reason(line: bytes, found: tuple[str, str]) -> None:
    assert dnsdist.read_line(line) == found


@pytest.mark.parametrize("head", [b"Nov 24 22:10:59 ns1 dnsdist[12]: ", b"Nov 24 22:10:59 "])
def test_before_the_verbose_log_may_stand_a_time_without_a_year(head: bytes) -> None:
    row = dnsdist.read_undated(head + VERBOSE)
    assert (row["time"].isoformat(), row["name"], row["type"]) == (
        "2000-11-24T22:10:59+00:00",
        "www.example.com",
        "ANY",
    )
    assert row.get("vantage") == ("ns1" if b"ns1" in head else None)
    assert dnsdist.read_undated(head + b"Closing TCP connection\n") == ("skip", "other-message")
    assert dnsdist.read_undated(head.replace(b"24", b"31") + VERBOSE) == ("reject", "bad-time")
    assert dnsdist.read_undated(head + PACKET) == ("reject", "dated")
    assert dnsdist.read_dated(head + VERBOSE)[0] == "reject"


@pytest.mark.parametrize("head", [b"Nov 24 22:10:59 ns1 dnsdist[12]: ", b"2026-11-24T22:10:59+0100 ns1 dnsdist[12]: "])
def test_its_own_nanoseconds_go_before_the_time_of_syslog(head: bytes) -> None:
    row = dnsdist.read_dated(head + PACKET)
    assert (row["time"].isoformat(), row["time_digits"], row["time_zone"]) == (
        "2026-11-24T22:12:53.820032+00:00", 9, "UTC"
    )  # fmt: skip
    assert (row["name"], row["vantage"]) == ("mail.example.net", "ns1")


def test_a_header_with_a_date_is_taken() -> None:
    row = dnsdist.read_dated(b"2026-11-24T22:10:59+0100 ns1 dnsdist[12]: " + VERBOSE)
    assert (row["time"].isoformat(), row["time_zone"]) == ("2026-11-24T21:10:59+00:00", "+01:00")
