r"""A lookup a line: time, name, type and client, parted by spaces, tabs or commas, without a header.

    2016-05-04 04:09:51 mail1.example.com A 192.0.2.17
    2016-05-04T04:09:51.123Z	mail1.example.com	IN	A	192.0.2.17#53124
    2016-05-04 04:09:51, mail1.example.com, A, 192.0.2.17

In such text, made by hand from logs that were not shown, lookup records were published in 2016. What is taken: a
date and a time of ISO 8601 (one word or two; a zone `Z`, `UTC`, `GMT`, `+02:00` if it stands there) or seconds since
1970; a name; a class or none; a type; an address with or without its port. Nothing else stands in the line; dates in
other orders are rejects. Text with a header is a table (`delimited.py`).
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT
from evidence.reading.endpoints import ADDRESS, address
from evidence.reading.format import guess_lines, line_format
from evidence.reading.names import name_columns
from evidence.reading.stamps import iso_time, unix_time
from evidence.table.schema import QUERY

if TYPE_CHECKING:
    from evidence.reading.format import Guess, Head, NoRow, Row

TITLE = "text with a lookup a line"
_AND = rb"(?:[ \t]+|[ \t]*,[ \t]*)"
_LINE = re.compile(
    rb"(?:(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})(?:T|[ \t]+)(?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)"
    rb"[ \t]*(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?|(?P<seconds>[0-9]{9,11})(?:\.(?P<fraction>[0-9]{1,9}))?)"
    + _AND + rb"(?P<name>[!-+\--~]+)" + _AND + rb"(?:(?P<class>IN|CH|HS|ANY)" + _AND + rb")?"
    rb"(?P<type>[A-Z][A-Z0-9-]*)" + _AND + rb"(?P<client>" + ADDRESS + rb")(?:#(?P<port>[0-9]{1,5}))?[ \t]*\r?\n?"
)  # fmt: skip


def read_line(text: bytes) -> Row | NoRow:
    """One line."""
    found = _LINE.fullmatch(text)
    if found is None:
        return REJECT, "binary" if b"\0" in text else "not-a-lookup-line"
    times, named = _times(found), name_columns(found["name"].decode())
    client = address(found["client"].decode())
    if times is None or named is None or client is None or int(found["port"] or 0) > 65535:
        return REJECT, "bad-time" if times is None else "bad-name" if named is None else "bad-client"
    return {
        **times, **named, "event": QUERY, "client": client, "port": int(found["port"]) if found["port"] else None,
        "type": found["type"].decode(), "class": found["class"].decode() if found["class"] else None,
    }  # fmt: skip


def _times(found: re.Match[bytes]) -> Row | None:
    if found["seconds"]:
        return unix_time(found["seconds"].decode(), (found["fraction"] or b"").decode())
    zone = (found["zone"] or b"").decode()
    return iso_time(f"{found['date'].decode()}T{found['clock'].decode()}{'Z' if zone in ('UTC', 'GMT') else zone}")


def _guess(head: Head) -> Guess | None:
    """None where the first of lines with commas is no lookup: that is the header of a table."""
    read = [(line, isinstance(read_line(line), dict)) for line in head.lines()]
    if read and not read[0][1] and any(b"," in line for line, is_lookup in read if is_lookup):
        return None
    return guess_lines(read_line, TITLE, 0.2, head)


FORMAT = dataclasses.replace(line_format("parse.lookup_lines@1", TITLE, read_line, has_zone=False), guess=_guess)
