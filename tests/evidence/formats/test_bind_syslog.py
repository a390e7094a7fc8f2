"""BIND through syslog: the same message behind three kinds of headers."""

from __future__ import annotations

import pytest

from evidence.formats.registry import FORMATS
from tests.evidence.formats.readers import read

MESSAGE = (
    b"client @0x7f11 192.0.2.17#53124 (Mail.Example.net): view v: query: Mail.Example.net IN A +E(0)K (198.51.100.53)\n"
)


@pytest.mark.parametrize(
    ("head", "procedure", "time", "zone", "digits"),
    [
        (b"Nov  4 22:13:33 ns1 named[28414]: ", "parse.bind_syslog@1", "2000-11-04T22:13:33+00:00", None, 0),
        (b"<30>Nov 24 22:13:33 ns1 named: queries: info: ", "parse.bind_syslog@1", "2000-11-24T22:13:33+00:00", None, 0),
        (b"Nov 24 22:13:33.632662 ns1 named[1]: ", "parse.bind_syslog@1", "2000-11-24T22:13:33.632662+00:00", None, 6),
        (b"2026-11-24T22:13:33+0100 ns1 named[1]: ", "parse.bind_syslog_dated@1", "2026-11-24T21:13:33+00:00", "+01:00", 0),
        (b"2026-11-24T22:13:33.632662+01:00 ns1 named[1]: ", "parse.bind_syslog_dated@1",
         "2026-11-24T21:13:33.632662+00:00", "+01:00", 6),
        (b"<158>1 2026-11-24T22:13:33.6Z ns1 named 1 - -  ", "parse.bind_syslog_dated@1",
         "2026-11-24T22:13:33.600000+00:00", "UTC", 1),
        (b'<158>1 2026-11-24T22:13:33Z ns1 named 1 - [a@1 b="c"] ', "parse.bind_syslog_dated@1",
         "2026-11-24T22:13:33+00:00", "UTC", 0),
        (b"Nov 24 23:13:34 ns1 named[28414]: 24-Nov-2026 22:13:33.627 queries: info: ", "parse.bind_syslog_dated@1",
         "2026-11-24T22:13:33.627000+00:00", None, 3),
        (b"2026-11-24T23:13:34.5+01:00 ns1 named[1]: 24-Nov-2026 23:13:33.627 queries: info: ", "parse.bind_syslog_dated@1",
         "2026-11-24T22:13:34.500000+00:00", "+01:00", 1),
        (b"2026-11-24T23:13:34 ns1 named[1]: 24-Nov-2026 23:13:33.627 queries: info: ", "parse.bind_syslog_dated@1",
         "2026-11-24T23:13:33.627000+00:00", None, 3),
        (b"2026-11-24T23:13:34+01:00 ns1 named[1]: 2026-11-24T22:13:33.627Z queries: info: ", "parse.bind_syslog_dated@1",
         "2026-11-24T22:13:33.627000+00:00", "UTC", 3),
    ],
)  # fmt: skip
def test_time_and_host_are_the_header_s(head: bytes, procedure: str, time: str, zone: str | None, digits: int) -> None:
    (row,) = read(FORMATS[procedure], head + MESSAGE).rows
    assert (row["time"].isoformat(), row["time_zone"], row["time_digits"]) == (time, zone, digits)
    assert (row["vantage"], row["client"], row["port"], row["view"]) == ("ns1", "192.0.2.17", 53124, "v")
    assert (row["name"], row["flags"], row["server"]) == ("mail.example.net", "RD EDNS0 COOKIE", "198.51.100.53")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"Nov 31 22:13:33 ns1 named[1]: " + MESSAGE, "bad-time"),
        (b"Nov 24 22:13:60 ns1 named[1]: " + MESSAGE, "bad-time"),
        (b"Nov 24 022:13:3 ns1 named[1]: " + MESSAGE, "not-its-log"),
        (b"Nov 24 22:13:33 ns1 unbound[1]: " + MESSAGE, "not-its-log"),
        (b"Nov 24 22:13:33 ns1 named[1]: zone example.com/IN: loaded serial 1\n", "not-a-query-line"),
        (b"Nov 24 22:13:33 ns1 named[1]: " + MESSAGE.replace(b"#53124", b"#99999"), "bad-port"),
        (MESSAGE, "not-its-log"),
    ],
)
def test_a_broken_line_is_a_reject_with_a_reason(line: bytes, reason: str) -> None:
    assert read(FORMATS["parse.bind_syslog@1"], line).reasons() == [reason]


def test_a_line_without_any_year_is_no_dated_one() -> None:
    form = FORMATS["parse.bind_syslog_dated@1"]
    assert read(form, b"Nov 24 22:13:33 ns1 named[1]: " + MESSAGE).reasons() == ["not-its-log"]
    assert read(form, b"Nov 24 22:13:33 ns1 named[1]: 31-Nov-2026 22:13:33.627 " + MESSAGE).reasons() == ["bad-time"]
    assert read(form, b"Nov 24 22:13:33 ns1 named[1]: started\n").reasons() == ["not-a-query-line"]
