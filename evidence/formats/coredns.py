r"""CoreDNS: the `log` plugin in its formats `{common}` and `{combined}`.

    [INFO] [::1]:50759 - 29008 "A IN example.org. udp 41 false 4096" NOERROR qr,rd,ra,ad 68 0.037990251s
    2018-10-30T19:10:07.547Z [INFO] 127.0.0.11:20000 - 4096 "0 A IN a.example. udp 33 false 512" NOERROR qr,aa 95 0.1s

Releases before 1.4 and containers put a time before it; others write none. Each line tells of a query and its response.
A format of one's own (`log . "…"`) is not read. The grammar is that of `plugin/log/README.md`, CoreDNS 1.0 to 1.12.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT, SKIP
from evidence.reading.endpoints import ENDPOINT, endpoint
from evidence.reading.format import line_format
from evidence.reading.names import name_columns
from evidence.reading.stamps import NO_TIME, iso_time
from evidence.reading.syslog import NO_MATCH
from evidence.table.schema import EXCHANGE, QUERY

if TYPE_CHECKING:
    from evidence.reading.format import NoRow, Row

_LINE = re.compile(
    rb"(?:(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})) )?\[INFO\] "
    rb"(?P<client>"
    + ENDPOINT
    + rb") - [0-9]{1,5} \"(?:[0-9]{1,2} )?(?P<type>[A-Z][A-Z0-9-]*) (?P<class>[A-Z][A-Z0-9]*) "
    rb"(?P<name>(?:[!#-~]|\\\")+) (?P<transport>udp|tcp|https|tls|quic|grpc) [0-9]+ (?P<do>true|false) [0-9]+\" "
    rb"(?P<rcode>-|[A-Z][A-Z0-9]*) (?P<flags>[a-z,-]*) (?P<size>[0-9]+) [0-9.]+s\r?\n?"
)
_OTHER = re.compile(
    rb"(?:[0-9TZ:.+-]+ )?(?:\[(?:INFO|WARNING|ERROR|DEBUG|FATAL|PANIC)\] (?!" + ENDPOINT + rb" - ).*|CoreDNS-[0-9].*|"
    rb"linux/.*|[!-~]+:[0-9]+)\r?\n?"
)
_FLAGS = ("aa", "tc", "rd", "ra", "ad", "cd")


def read_line(text: bytes) -> Row | NoRow:
    """One line; what CoreDNS says otherwise is skipped by rule."""
    found = _LINE.fullmatch(text)
    if found is None:
        if b" - " in text and b'"' in text:
            return REJECT, "not-a-query-line"
        return (SKIP, "other-message") if _OTHER.fullmatch(text) else NO_MATCH
    named, client = name_columns(found["name"].decode()), endpoint(found["client"])
    times = iso_time(found["time"].decode()) if found["time"] else NO_TIME
    if named is None or client is None or times is None:
        return REJECT, "bad-name" if named is None else "bad-port" if client is None else "bad-time"
    answered = found["rcode"] != b"-"
    return {
        **times, **named, "event": EXCHANGE if answered else QUERY, "client": client[0], "port": client[1],
        "type": found["type"].decode(), "class": found["class"].decode(), "flags": _flags(found),
        "transport": found["transport"].decode() if found["transport"] != b"grpc" else None,
        "rcode": found["rcode"].decode() if answered else None,
    }  # fmt: skip


def _flags(found: re.Match[bytes]) -> str | None:
    """The header's flags are those of the response; `DO` is the query's."""
    written = found["flags"].decode().split(",")
    words = [flag.upper() for flag in _FLAGS if flag in written]
    return " ".join([*words, "DO"] if found["do"] == b"true" else words) or None


FORMAT = line_format("parse.coredns@1", "a CoreDNS log", read_line)
