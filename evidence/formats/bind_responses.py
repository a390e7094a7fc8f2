r"""BIND 9 logs with responses (`responselog yes`, BIND 9.19 on), alone or with queries in the same channel.

    24-Nov-2026 22:35:00.319 client @0x7f11 192.0.2.1#53124 (a.example): response: a.example IN A NOERROR 2 0 0 + (::1)

Flags are the query's. A log without any response is read by `bind.py`, which reads queries as columns.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from evidence.formats.bind_message import LEAD, MESSAGE, RESPONSE_MESSAGE, TIME, query_row, time_of
from evidence.reading.batch import REJECT
from evidence.reading.format import Format, Reading, guess_lines, in_order, read_chunk, refuse_parameters
from evidence.reading.lines import chunks
from evidence.table.schema import LOOKUPS, RESPONSE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evidence.reading.format import Guess, Head, NoRow, Row
    from evidence.reading.source import Source

PROCEDURE, TITLE = "parse.bind_responses@1", "a BIND log with responses"
_QUERY = re.compile(TIME + LEAD + MESSAGE + rb"\r?\n?")
_RESPONSE = re.compile(TIME + rb"(?:responses: )?(?:info: )?" + RESPONSE_MESSAGE + rb"\r?\n?")


def read_line(text: bytes) -> Row | NoRow:
    """One line of either kind."""
    found = _RESPONSE.fullmatch(text)
    asked = found or _QUERY.fullmatch(text)
    if asked is None:
        return REJECT, "binary" if b"\0" in text else "neither-query-nor-response"
    times = time_of(asked)
    if times is None:
        return REJECT, "bad-time"
    row = query_row(asked)
    if not isinstance(row, dict):
        return row
    more = {"event": RESPONSE, "rcode": found["rcode"].decode()} if found else {}
    return {**times, **row, **more}


def _guess(head: Head) -> Guess | None:
    """Only where a response stands among the first lines."""
    if not any(_RESPONSE.fullmatch(line) for line in head.lines()):
        return None
    return guess_lines(read_line, TITLE, 0.2, head)


def _read(source: Source, parameters: Mapping[str, object]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, set())
    return Reading(LOOKUPS, in_order(chunks(source), functools.partial(read_chunk, read_line)))


FORMAT = Format(PROCEDURE, TITLE, _guess, _read, has_zone=False)
