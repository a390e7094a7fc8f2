r"""dnsmasq's log with `log-queries`, `log-queries=extra` and `log-queries=proto`.

    Nov 24 22:11:57 dnsmasq[24103]: query[A] www.example.com from 127.0.0.11
    Nov 24 22:12:03 dnsmasq[24329]: 1 127.0.0.11/20000 query[A] www.example.com from 127.0.0.11
    dnsmasq[1]: query[A] www.example.com from 172.17.0.3

The last is what it writes in a container or under daemontools (`-k --log-facility=-`): without any time.
Rows are made of queries alone. Lines of what followed (`forwarded`, `reply`, `cached`, `config`, …) are skipped by
rule: they tell one record a line, under the name of an alias or of an address, without client. The grammar is that of
dnsmasq 2.76 to 2.91 (`src/log.c`, `log_query` of `src/cache.c`), which does not escape names: a space
stands as a space.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT, SKIP
from evidence.reading.endpoints import ADDRESS
from evidence.reading.format import line_format
from evidence.reading.names import from_labels
from evidence.reading.stamps import NO_TIME
from evidence.reading.syslog import Envelope
from evidence.table.schema import QUERY

if TYPE_CHECKING:
    from evidence.reading.format import NoRow, Row

TITLE = "a dnsmasq log"
_PROGRAM = rb"dnsmasq(?:-[a-z]+)?"
_UNTIMED = re.compile(_PROGRAM + rb"(?:\[[0-9]+\])?: (?P<message>[^\r\n]*)\r?\n?")
_EXTRA = rb"(?:(?:(?P<transport>UDP|TCP) )?[0-9]+ (?P<by>" + ADDRESS + rb")/(?P<port>[0-9]{1,5}) )?"
_QUERY = re.compile(
    _EXTRA
    + rb"(?:query|auth)\[(?P<type>[A-Z][A-Z0-9-]*|type=[0-9]{1,5})\] (?P<name>.+) from (?P<client>"
    + ADDRESS
    + rb")"
)
_FOLLOWING = re.compile(
    rb"(?:(?:(?:UDP|TCP) )?[0-9]+ (?:"
    + ADDRESS
    + rb"/[0-9]{1,5}|dnssec) )?(?P<word>forwarded|reply|cached-stale|cached|validation|config|"
    rb"dnssec-query|dnssec-retry|ipset add|nftset add|special|DHCP|(?:/[^ ]+)) .*"
)
_LOOKUP = re.compile(rb"(?:(?:(?:UDP|TCP) )?[0-9]+ [^ ]+ )?(?:query|auth)\[")
_UNPRINTABLE = b"<name unprintable>"


def read_message(message: bytes) -> Row | NoRow:
    """A message without what stands before it."""
    found = _QUERY.fullmatch(message)
    if found is None:
        return _no_lookup(message)
    if found["name"] == _UNPRINTABLE:
        return REJECT, "name-unprintable"
    client = found["by"] or found["client"]  # `by` has the zone of a link-local address, which `from` leaves out
    if client.partition(b"%")[0] != found["client"].partition(b"%")[0] or int(found["port"] or 0) > 65535:
        return REJECT, "bad-client"
    name = _name(found["name"])
    if name is None:
        return REJECT, "bad-name"
    written = found["name"].decode("ascii", "backslashreplace")
    return {
        "name": name, "name_as_written": written if written != name else None, "event": QUERY,
        "client": client.decode().lower(), "port": int(found["port"]) if found["port"] else None,
        "type": found["type"].decode().replace("type=", "TYPE"),
        "transport": found["transport"].decode().lower() if found["transport"] else None,
    }  # fmt: skip


def _name(written: bytes) -> str | None:
    """Nothing is escaped in it: a backslash is one, and each dot parts two labels."""
    return from_labels([] if written == b"." else written.split(b"."))


def _no_lookup(message: bytes) -> NoRow:
    if _LOOKUP.match(message):
        return REJECT, "not-a-query-line"
    following = _FOLLOWING.fullmatch(message)
    if following is None:
        return SKIP, "other-message"
    return SKIP, "hosts-file" if following["word"].startswith(b"/") else following["word"].decode().replace(" ", "-")


_read_undated = Envelope(_PROGRAM, dated=False).reader(read_message)
_read_dated = Envelope(_PROGRAM, dated=True).reader(read_message)


def read_undated(text: bytes) -> Row | NoRow:
    """A line whose time has no year, or that has no time."""
    found = _UNTIMED.fullmatch(text)
    if found is None:
        return _read_undated(text)
    row = read_message(found["message"])
    return {**NO_TIME, **row} if isinstance(row, dict) else row


FORMAT = line_format("parse.dnsmasq@1", TITLE, read_undated, has_zone=False, has_year=False)
DATED = line_format("parse.dnsmasq_dated@1", f"{TITLE} with dates", _read_dated, has_zone=False)
