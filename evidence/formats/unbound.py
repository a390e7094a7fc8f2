r"""Unbound's log with `log-queries` and `log-replies`.

    [1795558240] unbound[20524:0] info: 127.0.0.11 www.example.com. A IN
    [1795558240] unbound[20524:0] info: 127.0.0.11 www.example.com. A IN NOERROR 0.002249 0 65
    Nov 24 22:11:46 unbound[23614:0] reply: 127.0.0.11 www.example.com. A IN NOERROR 0.016463 0 65 on udp 127.0.0.53 53

The grammar is that of Unbound 1.7 to 1.24 (`util/log.c`, `util/data/msgreply.c`, `daemon/worker.c`). In the place of
`unbound` stands what `log-identity` sets. Of a name Unbound writes every octet but letters, digits, `-`, `_` and `*`
as `?`, and the end of one that is too long for it as `&`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT, SKIP
from evidence.reading.endpoints import ADDRESS
from evidence.reading.format import line_format
from evidence.reading.names import name_columns
from evidence.reading.stamps import iso_time, undated_time, unix_time
from evidence.reading.syslog import NO_MATCH, Envelope
from evidence.table.schema import QUERY, RESPONSE

if TYPE_CHECKING:
    from evidence.reading.format import NoRow, Row

TITLE = "an Unbound log"
_OWN = re.compile(
    rb"(?:\[(?P<seconds>[0-9]{9,11})(?:\.(?P<fraction>[0-9]{1,6}))?\]|"
    rb"(?P<iso>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2}))|"
    rb"(?P<month>[A-Z][a-z]{2}) (?P<day>[ 0-3][0-9]) (?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2})) "
    rb"[!-Z\\^-~]+\[[0-9]+:[0-9a-f]+\] (?P<message>[^\r\n]*)\r?\n?"
)
_SYSLOG = re.compile(rb"\[[0-9]+:[0-9a-f]+\] (?P<message>.*)")
_LEVELS = re.compile(rb"(?:info|query|reply|notice|warning|error|debug|fatal error|critical)(?: [0-9]+)?: .*")
_MESSAGE = re.compile(
    rb"(?P<level>info|query|reply): (?P<client>" + ADDRESS + rb") (?P<name>[!-~]+) (?P<type>[A-Z][A-Z0-9-]*) "
    rb"(?P<class>[A-Z][A-Z0-9]*)(?: (?P<rcode>[A-Z][A-Z0-9]*) [0-9]+\.[0-9]{6} [01] [0-9]+"
    rb"(?: on (?P<transport>[a-z]+) (?P<server>" + ADDRESS + rb") (?P<port>[0-9]{1,5}))?)?"
)
_NO_QUESTION = re.compile(rb"(?:info|reply): " + ADDRESS + rb" - - - [A-Z]+ - - -.*")
_LOOKUP = re.compile(rb"(?:query|reply): |info: [0-9a-f]*[.:][0-9a-f.:%]* ")
_TRANSPORTS = {"udp": "udp", "tcp": "tcp", "doh": "https", "doq": "quic"}
"""`dot` is left out: releases before 1.22 write it of HTTPS too."""


def read_message(message: bytes) -> Row | NoRow:
    """A message without what stands before it; messages that tell of no lookup are skipped by rule."""
    if inner := _SYSLOG.fullmatch(message):
        message = inner["message"]
    found = _MESSAGE.fullmatch(message)
    if found is None:
        return _no_lookup(message)
    named = name_columns(found["name"].decode())
    if named is None:
        return REJECT, "bad-name"
    if found["port"] and int(found["port"]) > 65535:
        return REJECT, "bad-port"
    if (found["level"], found["rcode"] is None) in ((b"query", False), (b"reply", True)):
        return REJECT, "not-a-lookup-line"
    return {
        **named, "event": RESPONSE if found["rcode"] else QUERY, "client": found["client"].decode().lower(),
        "type": found["type"].decode(), "class": found["class"].decode(),
        "rcode": found["rcode"].decode() if found["rcode"] else None, **_asked(found),
    }  # fmt: skip


def _asked(found: re.Match[bytes]) -> Row:
    """Where the query arrived (`log-destaddr`)."""
    if not found["transport"]:
        return {}
    return {
        "transport": _TRANSPORTS.get(found["transport"].decode()), "server": found["server"].decode().lower(),
        "server_port": int(found["port"]),
    }  # fmt: skip


def _no_lookup(message: bytes) -> NoRow:
    if _NO_QUESTION.fullmatch(message):
        return SKIP, "no-question"
    if _LOOKUP.match(message):
        return REJECT, "not-a-lookup-line"
    return (SKIP, "other-message") if _LEVELS.fullmatch(message) else NO_MATCH


def _own_line(text: bytes, *, dated: bool) -> Row | NoRow | None:
    """A line that Unbound wrote into its own file; None if it is none."""
    found = _OWN.fullmatch(text)
    if found is None or dated == bool(found["month"]):
        return None
    message = read_message(found["message"])
    if not isinstance(message, dict):
        return message
    times = _times(found)
    return {**times, **message} if times else (REJECT, "bad-time")


def _times(found: re.Match[bytes]) -> Row | None:
    if found["month"]:
        return undated_time(found["month"], found["day"], found["clock"])
    if found["iso"]:
        return iso_time(found["iso"].decode())
    return unix_time(found["seconds"].decode(), (found["fraction"] or b"").decode())


_PROGRAM = rb"unbound|[!-~]+?(?=(?:\[[0-9]+\])?: \[[0-9]+:[0-9a-f]+\] )"
_read_dated = Envelope(_PROGRAM, dated=True).reader(read_message)
_read_undated = Envelope(_PROGRAM, dated=False).reader(read_message)


def read_dated(text: bytes) -> Row | NoRow:
    """A line with seconds since 1970 or with an ISO 8601 time (`log-time-iso`, syslog)."""
    return _own_line(text, dated=True) or _read_dated(text)


def read_undated(text: bytes) -> Row | NoRow:
    """A line with a time that has no year (`log-time-ascii`, syslog)."""
    return _own_line(text, dated=False) or _read_undated(text)


FORMAT = line_format("parse.unbound@1", TITLE, read_dated, has_zone=False)
UNDATED = line_format("parse.unbound_undated@1", f"{TITLE} without years", read_undated, has_zone=False, has_year=False)
