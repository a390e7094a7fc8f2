"""CoreDNS: the common and the combined log format, with and without a time before it."""

from __future__ import annotations

import pytest

from evidence.formats import coredns

LINE = b'[INFO] [::1]:50759 - 29008 "A IN Example.org. udp 41 true 4096" NOERROR qr,rd,ra,ad 68 0.037990251s\n'


def test_values_are_normalised() -> None:
    row = coredns.read_line(LINE)
    assert (row["time"], row["event"], row["client"], row["port"]) == (None, "exchange", "::1", 50759)
    assert (row["name"], row["name_as_written"], row["type"], row["class"]) == (
        "example.org",
        "Example.org.",
        "A",
        "IN",
    )
    assert (row["transport"], row["rcode"], row["flags"]) == ("udp", "NOERROR", "RD RA AD DO")


def test_a_time_and_an_opcode_are_taken_where_they_stand() -> None:
    row = coredns.read_line(b"2018-10-30T19:10:07.547Z " + LINE.replace(b'"A IN', b'"0 A IN'))
    assert (row["time"].isoformat(), row["time_digits"]) == ("2018-10-30T19:10:07.547000+00:00", 3)


@pytest.mark.parametrize(
    ("client", "address", "port"),
    [(b"::1", "::1", None), (b"127.0.0.11", "127.0.0.11", None), (b"[::1]:50759", "::1", 50759), (b"127.0.0.11:9", "127.0.0.11", 9)],
)  # fmt: skip
@pytest.mark.parametrize("took", [b"1.204ms", "37.99µs".encode(), b"412ns", b"1m2.5s", b"0.5s"])
def test_lines_of_the_first_releases_have_their_time_within(
    client: bytes, address: str, port: int | None, took: bytes
) -> None:
    line = LINE.replace(b"[INFO] [::1]:50759 - ", client + b" - [30/Mar/2018:12:49:00 +0200] ").replace(
        b"0.037990251s", took
    )
    row = coredns.read_line(line)
    assert (row["client"], row["port"], row["rcode"]) == (address, port, "NOERROR")
    assert (row["time"].isoformat(), row["time_zone"]) == ("2018-03-30T10:49:00+00:00", "+02:00")
    assert coredns.read_line(line.replace(b"30/Mar", b"31/Feb")) == ("reject", "bad-time")
    assert coredns.read_line(line.replace(b'29008 "', b'"'))["name"] == "example.org"


def test_what_holds_a_container_may_put_its_time_before_it() -> None:
    row = coredns.read_line(b"2026-11-24T22:13:33.627662001Z stdout F " + LINE)
    assert (row["time"].microsecond, row["time_digits"], row["client"]) == (627662, 9, "::1")
    assert coredns.read_line(b"2026-11-24T22:13:33.6Z stdout F .:53\n") == ("skip", "other-message")


def test_a_code_without_a_word_is_a_number() -> None:
    assert coredns.read_line(LINE.replace(b"NOERROR", b"3841"))["rcode"] == "RCODE3841"


def test_without_a_response_it_is_a_query() -> None:
    row = coredns.read_line(LINE.replace(b"NOERROR qr,rd,ra,ad", b"- "))
    assert (row["event"], row["rcode"], row["flags"]) == ("query", None, "DO")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (LINE.replace(b"A IN", b"A"), ("reject", "not-a-query-line")),
        (LINE.replace(b"Example", b"Example."), ("reject", "bad-name")),
        (LINE.replace(b":50759", b":99999"), ("reject", "bad-port")),
        (LINE.replace(b"[INFO] [::1]:50759 - ", b"beef - [30/Mar/2018:12:49:00 +0200] "), ("reject", "bad-port")),
        (b"2018-13-30T19:10:07.547Z " + LINE, ("reject", "bad-time")),
        (b"[INFO] plugin/reload: Running configuration SHA512 = 0f\n", ("skip", "other-message")),
        (b"[ERROR] plugin/errors: 2 www.broken.example. A: i/o timeout\n", ("skip", "other-message")),
        (b"2018/03/30 12:49:00 [INFO] CoreDNS-1.0.6\n", ("skip", "other-message")),
        (b".:53\n", ("skip", "other-message")),
        (b"another program\n", ("reject", "not-its-log")),
    ],
)
def test_what_is_no_lookup_has_a_reason(line: bytes, found: tuple[str, str]) -> None:
    assert coredns.read_line(line) == found
