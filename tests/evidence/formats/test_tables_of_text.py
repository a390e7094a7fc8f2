"""Umbrella's CSV without a header, and text with a lookup a line."""

from __future__ import annotations

import pytest

from evidence.formats import lookup_lines, umbrella
from evidence.recognition import recognise

UMBRELLA = (
    b'"2026-11-24 22:09:11","Name, with a comma","Name, with a comma,Net","127.0.0.12","192.0.2.100","Blocked","28 (AAAA)",'
    b'"NXDOMAIN","Mail.example.net.","Chat"\r\n'
)


def test_umbrella_values_are_normalised() -> None:
    row = umbrella.read_line(UMBRELLA)
    assert (row["time"].isoformat(), row["time_zone"], row["event"]) == ("2026-11-24T22:09:11+00:00", "UTC", "exchange")
    assert (row["client"], row["name"], row["type"], row["rcode"], row["vantage"]) == (
        "127.0.0.12", "mail.example.net", "AAAA", "NXDOMAIN", "Name, with a comma"
    )  # fmt: skip
    assert umbrella.read_line(UMBRELLA.replace(b'"127.0.0.12"', b'""'))["client"] == "192.0.2.100"
    assert umbrella.read_line(UMBRELLA.replace(b"28 (AAAA)", b"65280 (TYPE65280)"))["type"] == "TYPE65280"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (UMBRELLA.replace(b'"Blocked",', b""), ("reject", "wrong-field-count")),
        (UMBRELLA.replace(b"22:09:11", b"25:09:11"), ("reject", "not-an-umbrella-record")),
        (UMBRELLA.replace(b"2026-11-24", b"11/24/2026"), ("reject", "not-an-umbrella-record")),
        (UMBRELLA.replace(b"28 (AAAA)", b"AAAA"), ("reject", "not-an-umbrella-record")),
        (UMBRELLA.replace(b"127.0.0.12", b"laptop"), ("reject", "not-an-umbrella-record")),
        (UMBRELLA.replace(b"Mail.", b"Mail.."), ("reject", "bad-name")),
        (UMBRELLA.replace(b"NXDOMAIN", b""), ("reject", "bad-rcode")),
        (UMBRELLA.replace(b'Chat"', b"Chat"), ("reject", "bad-quotes-or-encoding")),
        (UMBRELLA.replace(b"Chat", b"\xff"), ("reject", "bad-quotes-or-encoding")),
        (
            b"timestamp,identity,identities,internal ip,external ip,action,type,rcode,domain,categories\n",
            ("skip", "header"),
        ),
    ],
)
def test_what_is_no_umbrella_record_has_a_reason(line: bytes, found: tuple[str, str]) -> None:
    assert umbrella.read_line(line) == found


@pytest.mark.parametrize(
    ("line", "time", "zone", "digits"),
    [
        (b"2016-05-04 04:09:51 Mail1.example.com A 192.0.2.17\n", "2016-05-04T04:09:51+00:00", None, 0),
        (b"2016-05-04T04:09:51.123Z\tMail1.example.com\tIN\tA\t192.0.2.17#53\r\n", "2016-05-04T04:09:51.123000+00:00", "UTC", 3),
        (b"2016-05-04 04:09:51 UTC Mail1.example.com. A 192.0.2.17", "2016-05-04T04:09:51+00:00", "UTC", 0),
        (b"2016-05-04 04:09:51-0400 Mail1.example.com A 192.0.2.17", "2016-05-04T08:09:51+00:00", "-04:00", 0),
        (b"2016-05-04 04:09:51,Mail1.example.com,A,192.0.2.17\r\n", "2016-05-04T04:09:51+00:00", None, 0),
        (b"2016-05-04 04:09:51 UTC, Mail1.example.com., IN, A, 192.0.2.17#53\n", "2016-05-04T04:09:51+00:00", "UTC", 0),
        (b"1462334991.5  Mail1.example.com  A  192.0.2.17", "2016-05-04T04:09:51.500000+00:00", "UTC", 1),
    ],
)  # fmt: skip
def test_a_lookup_a_line(line: bytes, time: str, zone: str | None, digits: int) -> None:
    row = lookup_lines.read_line(line)
    assert (row["time"].isoformat(), row["time_zone"], row["time_digits"]) == (time, zone, digits)
    assert (row["name"], row["type"], row["client"], row["event"]) == ("mail1.example.com", "A", "192.0.2.17", "query")
    assert (row["port"], row["class"]) == ((53, "IN") if b"#53" in line else (None, None))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"04/05/2016 04:09:51 mail1.example.com A 192.0.2.17\n", "not-a-lookup-line"),
        (b"2016-05-04 04:09:51 mail1.example.com A 192.0.2.17 more\n", "not-a-lookup-line"),
        (b"2016-05-32 04:09:51 mail1.example.com A 192.0.2.17\n", "bad-time"),
        (b"2016-05-04 04:09:51 mail1..example.com A 192.0.2.17\n", "bad-name"),
        (b"2016-05-04 04:09:51 mail1.example.com A 192.0.2.17#99999\n", "bad-client"),
        (b"2016-05-04 04:09:51 mail1.example.com A cafe\n", "bad-client"),
        (b"2016-05-04 04:09:51,mail1.example.com,,A,192.0.2.17\n", "not-a-lookup-line"),
        (b"\x00\n", "binary"),
    ],
)
def test_what_is_no_lookup_line_is_a_reject(line: bytes, reason: str) -> None:
    assert lookup_lines.read_line(line) == ("reject", reason)


def test_a_header_makes_it_a_table() -> None:
    lines = b"2016-05-04 04:09:51,mail1.example.com,A,192.0.2.17\n" * 3
    assert recognise(lines).procedure == "parse.lookup_lines@1"
    found = recognise(b"time,name,type,client\n" + lines)
    assert (found.procedure, found.others) == ("parse.delimited@2", ())
    assert recognise(b"some, words before\n" + lines.replace(b",", b" ")).procedure == "parse.lookup_lines@1"
