r"""BIND 9 query logs that went through syslog: the message of `bind_message.py` behind a syslog header.

Nov 24 22:13:33 ns1 named[28414]: client @0x7feed8b02098 127.0.0.11#20000 (a.example): query: a.example IN A +
2026-11-24T22:13:33.632662+00:00 ns1 named[28414]: client 127.0.0.11#20000 (a.example): query: a.example IN A +
Nov 24 22:13:33 ns1 named[28414]: 24-Nov-2026 22:13:33.627 queries: info: client 127.0.0.11#20000 (a.example): query: …

The last is what the journal has of `named -g`, and of a syslog channel with `print-time`. BIND's own time is taken,
which has a year, unless the header states a zone and it does not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evidence.formats.bind_message import LEAD, MESSAGE, TIME, query_row, time_of
from evidence.reading.batch import REJECT
from evidence.reading.format import line_format
from evidence.reading.syslog import NO_MATCH, Envelope

if TYPE_CHECKING:
    from evidence.reading.format import NoRow, Row

TITLE = "a BIND query log through syslog"
_PROGRAM = rb"named(?:-[!-~]+)?"
_MESSAGE = re.compile(LEAD + MESSAGE)
_TIMED = re.compile(TIME + LEAD + MESSAGE)


def read_message(message: bytes) -> Row | NoRow:
    """A message without what stands before it; messages of other categories are rejects, as in BIND's own file."""
    found = _MESSAGE.fullmatch(message)
    return query_row(found) if found else (REJECT, "not-a-query-line")


def read_timed(message: bytes) -> Row | NoRow:
    """A message that may begin with BIND's own time, which then goes before the header's."""
    found = _TIMED.fullmatch(message)
    if found is None:
        return REJECT, "not-a-query-line"
    times, row = time_of(found), query_row(found)
    if times is None:
        return REJECT, "bad-time"
    return {**times, **row} if isinstance(row, dict) and times["time"] else row


_read_undated = Envelope(_PROGRAM, dated=False).reader(read_message)
_read_behind_dated = Envelope(_PROGRAM, dated=True).reader(read_timed)
_read_behind_undated = Envelope(_PROGRAM, dated=False).reader(read_timed)
_read_header = Envelope(_PROGRAM, dated=True).reader(lambda _: {})


def read_dated(text: bytes) -> Row | NoRow:
    """A line whose header states a year, or whose message does."""
    found = _read_behind_dated(text)
    if isinstance(found, dict) and found["time_zone"] is None:
        header = _read_header(text)
        return {**found, **header} if isinstance(header, dict) and header["time_zone"] else found
    behind = _read_behind_undated(text) if found == NO_MATCH else found
    is_dated = not isinstance(behind, dict) or not isinstance(_read_undated(text), dict)
    return behind if is_dated else found


FORMAT = line_format("parse.bind_syslog@1", TITLE, _read_undated, has_zone=False, has_year=False)
DATED = line_format("parse.bind_syslog_dated@1", f"{TITLE} with dates", read_dated, has_zone=False)
