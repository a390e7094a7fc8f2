"""BIND's response log, alone and among queries."""

from __future__ import annotations

import pytest

from evidence.formats import bind_responses
from evidence.reading.format import Head

RESPONSE = (
    b"24-Nov-2026 22:35:00.319 responses: info: client @0x7f11 192.0.2.17#53124 (Mail.Example.net): view v: "
    b"response: Mail.Example.net IN A NXDOMAIN 2 0 1 +E(0)TK (198.51.100.53)\n"
)
QUERY = RESPONSE.replace(b"responses:", b"queries:").replace(b"response:", b"query:").replace(b"NXDOMAIN 2 0 1 ", b"")


def test_values_are_normalised() -> None:
    row = bind_responses.read_line(RESPONSE)
    assert (row["time"].isoformat(), row["event"], row["rcode"]) == (
        "2026-11-24T22:35:00.319000+00:00", "response", "NXDOMAIN"
    )  # fmt: skip
    assert (row["client"], row["port"], row["name"], row["view"]) == ("192.0.2.17", 53124, "mail.example.net", "v")
    assert (row["flags"], row["transport"], row["server"]) == ("RD EDNS0 COOKIE", "tcp", "198.51.100.53")
    asked = bind_responses.read_line(QUERY)
    assert (asked["event"], asked.get("rcode"), asked["name"]) == ("query", None, "mail.example.net")


def test_a_log_of_queries_alone_is_not_taken_for_one() -> None:
    assert bind_responses.FORMAT.guess(Head(QUERY * 3)) is None
    guess = bind_responses.FORMAT.guess(Head(QUERY + RESPONSE))
    assert guess is not None
    assert guess.confidence == 1.0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (RESPONSE.replace(b" 2 0 1 ", b" 2 0 "), "neither-query-nor-response"),
        (RESPONSE.replace(b"24-Nov", b"31-Nov"), "bad-time"),
        (RESPONSE.replace(b"#53124", b"#99999"), "bad-port"),
        (RESPONSE.replace(b"response: Mail.", b"response: Mail.."), "bad-name"),
        (b"\x00\n", "binary"),
    ],
)
def test_a_broken_line_is_a_reject_with_a_reason(line: bytes, reason: str) -> None:
    assert bind_responses.read_line(line) == ("reject", reason)
