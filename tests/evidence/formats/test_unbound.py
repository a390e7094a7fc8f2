"""Unbound: each way it writes a time, queries and replies, and what is none of both."""

from __future__ import annotations

import pytest

from evidence.formats import unbound

UNIX = b"[1795558240] unbound[20524:0] info: 127.0.0.11 WwW.example.com. A IN\n"
REPLY = b"[1795558240] unbound[20524:0] reply: ::1 www.example.com. AAAA IN NXDOMAIN 0.002249 0 65\n"


def test_values_are_normalised() -> None:
    row = unbound.read_dated(UNIX)
    assert row["time"].isoformat() == "2026-11-24T22:10:40+00:00"
    assert (row["time_digits"], row["time_zone"], row["event"], row["client"]) == (0, "UTC", "query", "127.0.0.11")
    assert (row["name"], row["name_as_written"], row["type"]) == ("www.example.com", "WwW.example.com.", "A")
    assert (row["class"], row["rcode"]) == ("IN", None)
    reply = unbound.read_dated(REPLY)
    assert (reply["event"], reply["rcode"], reply["client"]) == ("response", "NXDOMAIN", "::1")


@pytest.mark.parametrize(
    ("head", "time", "digits", "zone"),
    [
        (b"[1795558240.123456] unbound[1:0] ", "2026-11-24T22:10:40.123456+00:00", 6, "UTC"),
        (b"2026-11-24T22:10:40.123+02:00 unbound[1:a] ", "2026-11-24T20:10:40.123000+00:00", 3, "+02:00"),
        (b"2026-11-24T22:10:40.5Z ns1 unbound[1]: [1:0] ", "2026-11-24T22:10:40.500000+00:00", 1, "UTC"),
        (b"<30>1 2026-11-24T22:10:40Z ns1 unbound 12 - - [12:0] ", "2026-11-24T22:10:40+00:00", 0, "UTC"),
    ],
)
def test_times_are_taken_as_they_are_stated(head: bytes, time: str, digits: int, zone: str) -> None:
    row = unbound.read_dated(head + UNIX.partition(b"] ")[2].partition(b"] ")[2])
    assert (row["time"].isoformat(), row["time_digits"], row["time_zone"]) == (time, digits, zone)
    assert row.get("vantage") == ("ns1" if b"ns1" in head else None)


@pytest.mark.parametrize(
    "line",
    [
        b"Nov  4 22:11:46 unbound[23614:0] query: 127.0.0.11 www.example.com. A IN\r\n",
        b"Nov  4 22:11:46 ns1 unbound: [23614:0] info: 127.0.0.11 www.example.com. A IN",
    ],
)
def test_a_time_without_a_year_is_of_the_leap_year(line: bytes) -> None:
    row = unbound.read_undated(line)
    assert (row["time"].isoformat(), row["time_zone"]) == ("2000-11-04T22:11:46+00:00", None)
    assert unbound.read_dated(line) == ("reject", "not-its-log")


def test_where_a_query_arrived_is_taken() -> None:
    row = unbound.read_dated(REPLY.replace(b"\n", b" on tcp 127.0.0.53 53\n"))
    assert (row["transport"], row["server"], row["server_port"]) == ("tcp", "127.0.0.53", 53)
    assert unbound.read_dated(REPLY.replace(b"\n", b" on dot 127.0.0.53 53\n"))["transport"] is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (UNIX.replace(b" A IN", b" A"), ("reject", "not-a-lookup-line")),
        (UNIX.replace(b"WwW.", b"WwW.."), ("reject", "bad-name")),
        (UNIX.replace(b"WwW", b"w" * 64), ("reject", "bad-name")),
        (UNIX.replace(b"1795558240", b"99999999999"), None),
        (UNIX.replace(b"info", b"reply"), ("reject", "not-a-lookup-line")),
        (REPLY.replace(b"reply", b"query"), ("reject", "not-a-lookup-line")),
        (REPLY.replace(b"\n", b" on tcp 127.0.0.53 99999\n"), ("reject", "bad-port")),
        (b"[1795558239] unbound[1:0] notice: init module 0: iterator\n", ("skip", "other-message")),
        (b"[1795558239] unbound[1:0] info: 127.0.0.1 - - - FORMERR - - - \n", ("skip", "no-question")),
        (b"[1795558239] unbound[1:0] info: server stats for thread 0: 74 queries\n", ("skip", "other-message")),
        (b"[1795558239] named[1]: info: 127.0.0.1 a. A IN\n", ("reject", "not-its-log")),
        (b"\xff\x00\n", ("reject", "not-its-log")),
    ],
)
def test_what_is_no_lookup_has_a_reason(line: bytes, reason: tuple[str, str] | None) -> None:
    found = unbound.read_dated(line)
    assert found == reason if reason else found["time"].year == 5138


@pytest.mark.parametrize(
    "head",
    [
        b"[1795558240] edge-1[7:0] ",
        b"2026-11-24T22:10:40Z ns1 edge-1[7]: [7:0] ",
        b"2026-11-24T22:10:40Z ns1 edge-1: [7:0] ",
    ],
)
def test_an_identity_of_its_own_stands_in_the_place_of_the_name(head: bytes) -> None:
    row = unbound.read_dated(head + b"info: 127.0.0.11 www.example.com. A IN\n")
    assert (row["name"], row["client"]) == ("www.example.com", "127.0.0.11")
    assert row["time"].isoformat() == "2026-11-24T22:10:40+00:00"
