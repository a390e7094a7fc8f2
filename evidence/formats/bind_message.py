r"""A BIND query log's message, whatever stands before it (`lib/ns/query.c`, `lib/ns/client.c`, BIND 9.3 to 9.21).

client @0x7f11 192.0.2.1#53124 (a.example): view v: query: a.example IN A +E(0)K (198.51.100.53)

Releases before 9.11 write no version of EDNS, before 9.7 neither the server's address nor whether it was TCP. From 9.20
on `S` (TSIG) stands behind EDNS, in 9.21 the server's port behind its address.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT
from evidence.reading.names import name_columns
from evidence.reading.stamps import MONTHS
from evidence.table.schema import QUERY

if TYPE_CHECKING:
    from evidence.reading.format import NoRow, Row

LEAD = rb"(?:queries: )?(?:query: )?(?:info: )?"
"""Category and severity, each where it is printed."""
TIME = (
    rb"(?:(?P<day>[0-9]{2})-(?P<month>[A-Z][a-z]{2})-(?P<year>[0-9]{4}) "
    rb"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})\.(?P<ms>[0-9]{3}) |"
    rb"(?P<iso>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3})(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})? )?"
)
"""What BIND puts before a line of its own file, in all forms of `print-time`."""
_CLIENT = (
    rb"client (?:@0x[0-9a-f]+ )?(?P<client>[0-9A-Fa-f:.]+(?:%[!-\"$-~]+)?)"
    rb"#(?P<port>[0-9]{1,5})(?P<key>/key [!-~]+)?(?: \([!-~]+\))?: "
    rb"(?:view (?P<view>[!-~]+): )?"
)
_ASKED = rb"(?P<name>[!-~]+) (?P<class>[A-Z0-9]+) (?P<type>[A-Z0-9-]+) "
_TAIL = (
    rb"(?P<flags>[+-][!-~]*)(?: \((?P<server>[0-9A-Fa-f:.]+(?:%[!-\"$-(*-~]+)?)(?:#(?P<server_port>[0-9]{1,5}))?\))?"
    rb"(?P<ecs> \[ECS [!-~]+\])?"
)
MESSAGE = _CLIENT + rb"query: " + _ASKED + _TAIL
RESPONSE_MESSAGE = _CLIENT + rb"response: " + _ASKED + rb"(?P<rcode>[A-Z0-9]+) [0-9]+ [0-9]+ [0-9]+ " + _TAIL
"""Of the category `responses` (`responselog yes`, BIND 9.19 on): the counts are those of the three sections."""
UTC = ("Z", "+00:00")
FLAGS = re.compile(r"([+-])(S?)(?:(E)(?:\(([0-9]{1,3})\))?)?(S?)(T?)(D?)(C?)([VK]?)")


def query_row(found: re.Match[bytes]) -> Row | NoRow:
    """The values of a `MESSAGE` or `RESPONSE_MESSAGE`, without those of its time."""
    if int(found["port"]) > 65535 or int(found["server_port"] or 0) > 65535:
        return REJECT, "bad-port"
    named = name_columns(found["name"].decode())
    if named is None:
        return REJECT, "bad-name"
    flags, transport = flag_words(found["flags"].decode(), has_server=found["server"] is not None)
    words = " ".join(filter(None, (flags, "ECS" if found["ecs"] else "")))
    return {
        **named, "event": QUERY, "client": found["client"].decode().lower(), "port": int(found["port"]),
        "server": found["server"].decode().lower() if found["server"] else None,
        "server_port": int(found["server_port"]) if found["server_port"] else None, "type": found["type"].decode(),
        "class": found["class"].decode(), "flags": words or None, "transport": transport,
        "view": found["view"].decode() if found["view"] else None,
    }  # fmt: skip


def time_of(found: re.Match[bytes]) -> Row | None:
    """Time, its digits and zone; nothing of it where `print-time` is off. None if it is no time."""
    try:
        if found["iso"]:
            time = dt.datetime.fromisoformat((found["iso"] + (found["zone"] or b"Z")).decode()).astimezone(dt.UTC)
            zone = found["zone"] and found["zone"].decode()
            return {"time": time, "time_digits": 3, "time_zone": "UTC" if zone in UTC else zone}
        if not found["day"]:
            return {"time": None, "time_digits": None, "time_zone": None}
        day, hour, minute, second, milli = (int(found[name]) for name in ("day", "hour", "minute", "second", "ms"))
        time = dt.datetime(int(found["year"]), MONTHS[found["month"]], day, hour, minute, second, milli * 1000, dt.UTC)
    except (KeyError, ValueError, OverflowError):
        return None
    return {"time": time, "time_digits": 3, "time_zone": None}


@functools.lru_cache(maxsize=4096)
def flag_words(written: str, *, has_server: bool) -> tuple[str | None, str | None]:
    """BIND's letters in the words of the header and of EDNS, and the transport; nothing for letters not known here.

    What is no TCP is UDP only where the server's address stands: releases that leave it out do not tell them apart.
    An `E` without a version is 0, since those releases refuse all others before they log.
    """
    found = FLAGS.fullmatch(written)
    if found is None:
        return None, None
    recursion, signed, edns, version, signed_behind, tcp, dnssec, checking, cookie = found.groups()
    words = (
        (recursion == "+", "RD"), (checking, "CD"), (edns, f"EDNS{int(version or 0)}"), (dnssec, "DO"),
        (signed or signed_behind, "TSIG"), (cookie, "COOKIE"),
    )  # fmt: skip
    return " ".join(word for is_set, word in words if is_set) or None, "tcp" if tcp else "udp" if has_server else None
