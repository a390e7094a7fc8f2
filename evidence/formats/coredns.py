r"""CoreDNS: the `log` plugin in its formats `{common}` and `{combined}`.

    [INFO] [::1]:50759 - 29008 "A IN example.org. udp 41 false 4096" NOERROR qr,rd,ra,ad 68 0.037990251s
    2018-10-30T19:10:07.547Z [INFO] 127.0.0.11:20000 - 4096 "0 A IN a.example. udp 33 false 512" NOERROR qr,aa 95 0.1s
    ::1 - [30/Mar/2018:12:49:00 +0000] 29008 "A IN example.org. udp 41 false 4096" NOERROR qr,rd,ra 68 1.5ms

Releases 1.3 and 1.4 put a time before it, those before 1.3 one into it (and no port up to 1.0); others write none, but
what holds their containers does (`kubectl logs --timestamps`, CRI's `stdout F`). Each line tells of a query and its
response. A format of one's own (`log . "…"`) is not read. The grammar is that of `plugin/log/README.md` and
`plugin/pkg/replacer`, CoreDNS 1.0 to 1.12.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT, SKIP
from evidence.reading.endpoints import ADDRESS, ENDPOINT, address, endpoint
from evidence.reading.format import line_format
from evidence.reading.mnemonics import rcode_name
from evidence.reading.names import name_columns
from evidence.reading.stamps import MONTHS, NO_TIME, iso_time
from evidence.reading.syslog import NO_MATCH
from evidence.table.schema import EXCHANGE, QUERY

if TYPE_CHECKING:
    from evidence.reading.format import NoRow, Row

_STAMP = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
_BEFORE = rb"(?:(?P<time>" + _STAMP + rb") (?:std(?:out|err) [FP] )?(?:" + _STAMP + rb" )?)?"
_LINE = re.compile(
    _BEFORE + rb"(?:\[INFO\] (?P<client>" + ENDPOINT + rb") - |(?P<asking>" + ENDPOINT + rb"|" + ADDRESS + rb") - "
    rb"\[(?P<day>[0-9]{2})/(?P<month>[A-Z][a-z]{2})/(?P<year>[0-9]{4}):(?P<clock>[0-9:]{8}) (?P<zone>[+-][0-9]{4})\] )"
    rb"(?:[0-9]{1,5} )?\"(?:[0-9]{1,2} )?(?P<type>[A-Z][A-Z0-9-]*) (?P<class>[A-Z][A-Z0-9]*) "
    rb"(?P<name>(?:[!#-~]|\\\")+) (?P<transport>udp|tcp|https|tls|quic|grpc) [0-9]+ (?P<do>true|false) [0-9]+\" "
    rb"(?P<rcode>-|[A-Z][A-Z0-9]*|[0-9]{1,4}) (?P<flags>[a-z,-]*) (?P<size>[0-9]+) [0-9.hm]+(?:[mn]|\xc2?\xb5)?s\r?\n?"
)  # fmt: skip
_OTHER = re.compile(
    _BEFORE
    + rb"(?:(?:[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9:]{8} )?\[(?:INFO|WARNING|ERROR|DEBUG|FATAL|PANIC)\] (?!"
    + ENDPOINT
    + rb" - ).*|CoreDNS-[0-9].*|"
    rb"linux/.*|[!-~]+:[0-9]+)\r?\n?"
)
_ENDPOINT = re.compile(ENDPOINT)
_FLAGS = ("aa", "tc", "rd", "ra", "ad", "cd")


def read_line(text: bytes) -> Row | NoRow:
    """One line; what CoreDNS says otherwise is skipped by rule."""
    found = _LINE.fullmatch(text)
    if found is None:
        if b" - " in text and b'"' in text:
            return REJECT, "not-a-query-line"
        return (SKIP, "other-message") if _OTHER.fullmatch(text) else NO_MATCH
    named, client, times = name_columns(found["name"].decode()), _client(found), _times(found)
    if named is None or client is None or times is None:
        return REJECT, "bad-name" if named is None else "bad-port" if client is None else "bad-time"
    answered = found["rcode"] != b"-"
    return {
        **times, **named, "event": EXCHANGE if answered else QUERY, "client": client[0], "port": client[1],
        "type": found["type"].decode(), "class": found["class"].decode(), "flags": _flags(found),
        "transport": found["transport"].decode() if found["transport"] != b"grpc" else None,
        "rcode": _rcode(found["rcode"].decode()) if answered else None,
    }  # fmt: skip


def _client(found: re.Match[bytes]) -> tuple[str, int | None] | None:
    """Address and port, which the first releases leave out."""
    written = found["client"] or found["asking"]
    if _ENDPOINT.fullmatch(written):
        return endpoint(written)
    known = address(written.decode())
    return (known, None) if known else None


def _times(found: re.Match[bytes]) -> Row | None:
    """CoreDNS's own time where it stands in the line, or that before it."""
    if found["month"] is None:
        return iso_time(found["time"].decode()) if found["time"] else NO_TIME
    day, month, year, clock, zone = (found[name].decode() for name in ("day", "month", "year", "clock", "zone"))
    return iso_time(f"{year}-{MONTHS.get(month.encode(), 0):02}-{day}T{clock}{zone}")


def _rcode(written: str) -> str:
    """A word, or the number of a code that the release has none for."""
    return rcode_name(int(written)) if written.isdecimal() else written


def _flags(found: re.Match[bytes]) -> str | None:
    """The header's flags are those of the response; `DO` is the query's."""
    written = found["flags"].decode().split(",")
    words = [flag.upper() for flag in _FLAGS if flag in written]
    return " ".join([*words, "DO"] if found["do"] == b"true" else words) or None


FORMAT = line_format("parse.coredns@1", "a CoreDNS log", read_line)
