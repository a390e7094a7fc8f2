"""Cisco Umbrella and Secure Access: DNS logs, CSV without a header, in all versions (10 columns and more).

Umbrella User Guide, "DNS Log Formats": timestamp, most granular identity, identities, internal IP, external IP, action,
query type, response code, domain, categories, …; times are UTC by definition. The client is the internal address, or
the external one where there is none.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT, SKIP
from evidence.reading.endpoints import address
from evidence.reading.format import line_format
from evidence.reading.mnemonics import type_name, word
from evidence.reading.names import name_columns
from evidence.reading.stamps import iso_time
from evidence.table.schema import EXCHANGE

if TYPE_CHECKING:
    from evidence.reading.format import NoRow, Row

_COLUMNS = 10
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)
_TYPE = re.compile(r"([0-9]{1,5}) \([A-Za-z0-9 -]+\)", re.ASCII)
_ACTION = re.compile(r"[A-Z][A-Za-z ]{1,30}", re.ASCII)


def read_line(text: bytes) -> Row | NoRow:
    """One record, which is one line."""
    try:
        fields = next(csv.reader([text.decode().rstrip("\r\n")], strict=True, skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error, StopIteration):
        return REJECT, "bad-quotes-or-encoding"
    if len(fields) < _COLUMNS:
        return REJECT, "wrong-field-count"
    time, identity, _, internal, external, action, kind, rcode, domain = fields[:9]
    if time.lower() == "timestamp":
        return SKIP, "header"
    times = iso_time(time) if _TIME.fullmatch(time) else None
    of_type, named = _TYPE.fullmatch(kind), name_columns(domain)
    client, code = address(internal or external), word(rcode)
    if times is None or of_type is None or client is None or not _ACTION.fullmatch(action):
        return REJECT, "not-an-umbrella-record"
    if named is None or code is None:
        return REJECT, "bad-name" if named is None else "bad-rcode"
    return {
        **times, "time_zone": "UTC", **named, "event": EXCHANGE, "client": client, "type": type_name(int(of_type[1])),
        "rcode": code, "vantage": identity or None,
    }  # fmt: skip


FORMAT = line_format("parse.umbrella@1", "a Cisco Umbrella DNS log", read_line)
