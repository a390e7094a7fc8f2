r"""BIND 9 query logs that went through syslog: the message of `bind_message.py` behind a syslog header.

Nov 24 22:13:33 ns1 named[28414]: client @0x7feed8b02098 127.0.0.11#20000 (a.example): query: a.example IN A +
2026-11-24T22:13:33.632662+00:00 ns1 named[28414]: client 127.0.0.11#20000 (a.example): query: a.example IN A +
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evidence.formats.bind_message import LEAD, MESSAGE, query_row
from evidence.reading.batch import REJECT
from evidence.reading.syslog import log_formats

if TYPE_CHECKING:
    from evidence.reading.format import NoRow, Row

_MESSAGE = re.compile(LEAD + MESSAGE)


def read_message(message: bytes) -> Row | NoRow:
    """A message without what stands before it; messages of other categories are rejects, as in BIND's own file."""
    found = _MESSAGE.fullmatch(message)
    return query_row(found) if found else (REJECT, "not-a-query-line")


FORMAT, DATED = log_formats("bind_syslog", 1, "a BIND query log through syslog", rb"named(?:-[!-~]+)?", read_message)
