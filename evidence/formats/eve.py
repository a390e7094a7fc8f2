"""Suricata EVE, `dns` records of versions 1, 2 and 3, one JSON object a line.

Queries (`query`, `request`) and responses (`answer`, `response`); other events are skipped by rule. In versions
1 and 2 `src_ip` is the client in both; in version 3 it is the sender of the packet. Version 1 writes one record an
answer, so its rows `response` are more than there were responses. Suricata writes names unescaped: a dot inside a label
is lost. The opcode is stated from 7.0 on. Source: Suricata 4.1 to 8.0 (`rust/src/dns/log.rs`,
`src/output-json-dns.c`, `etc/schema.json`).
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from evidence.formats import eve_columns
from evidence.reading import json_batches
from evidence.reading.batch import REJECT, SKIP
from evidence.reading.endpoints import address
from evidence.reading.format import Format, Reading, guess_lines, refuse_parameters
from evidence.reading.jsonlines import fits, object_of, spelled
from evidence.reading.mnemonics import type_name, word
from evidence.reading.names import unescaped_name_columns
from evidence.reading.opcodes import no_lookup
from evidence.reading.stamps import iso_time
from evidence.table.schema import LOOKUPS, QUERY, RESPONSE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evidence.reading.format import NoRow, Row
    from evidence.reading.json_lines import Lines
    from evidence.reading.source import Source

PROCEDURE, TITLE = "parse.eve@1", "Suricata EVE"
EVENTS = {"query": QUERY, "request": QUERY, "answer": RESPONSE, "response": RESPONSE}
_KINDS = {
    "timestamp": str, "src_ip": str, "src_port": int, "dest_ip": str, "dest_port": int, "proto": str, "dns": dict,
    "host": str,
}  # fmt: skip
_NEEDED = ("timestamp", "src_ip", "dest_ip", "dns")
_DNS = {
    "type": str,
    "opcode": int,
    "rrname": str,
    "rrtype": str,
    "rcode": str,
    "flags": str,
    "answers": list,
    "queries": list,
    "ttl": int,
}
_RECORD = {"rrname": str, "rrtype": str, "ttl": int}
_BITS = {0x0400: "AA", 0x0200: "TC", 0x0100: "RD", 0x0080: "RA", 0x0020: "AD", 0x0010: "CD"}
_TRANSPORTS = {"UDP": "udp", "TCP": "tcp"}
_OFFSET = re.compile(r"[+-][0-9]{4}")
_SOA = ("mname", "rname", "serial", "refresh", "retry", "expire", "minimum")
_SRV = ("priority", "weight", "port", "name")


def read_line(text: bytes) -> Row | NoRow:
    """One line."""
    value = object_of(text)
    if not isinstance(value, dict):
        return value
    if not isinstance(value.get("event_type"), str):
        return REJECT, "not-an-event"
    if value["event_type"] != "dns":
        return SKIP, "other-event"
    if not fits(value, _KINDS, _NEEDED) or not fits(value["dns"], _DNS, ("type",)):
        return REJECT, "wrong-type"
    row = _record(value, value["dns"])
    return spelled(row, text, b"rrname") if isinstance(row, dict) else row


def _record(value: dict[str, Any], dns: dict[str, Any]) -> Row | NoRow:
    if other := no_lookup(dns.get("opcode")):
        return other
    event, question, answers = EVENTS.get(dns["type"]), _question(dns), _answers(dns)
    if event is None or question is None or answers is None:
        return REJECT, "unknown-type" if event is None else "not-one-question" if question is None else "wrong-type"
    times, named, flags = iso_time(value["timestamp"]), unescaped_name_columns(question["rrname"]), _flags(dns)
    sides = _sides(value, turned=dns["type"] == "response")
    kind = _type(question.get("rrtype"))
    for is_wrong, reason in (
        (times is None or not times["time_zone"], "bad-time"), (named is None, "bad-name"),
        (sides is None, "bad-address"),
        (kind is None and "rrtype" in question, "bad-type"), (flags is None, "bad-flags"),
    ):  # fmt: skip
        if is_wrong:
            return REJECT, reason
    return {
        **(times or {}), **(named or {}), **(sides or {}), "event": event, "type": kind, "flags": flags or None,
        "transport": _TRANSPORTS.get(value.get("proto", "")), "answers": answers or None, "vantage": value.get("host"),
        "rcode": word(dns.get("rcode", "")) if event == RESPONSE else None,
    }  # fmt: skip


def _question(dns: dict[str, Any]) -> dict[str, Any] | None:
    """What was asked: `queries` in version 3, `rrname` and `rrtype` before."""
    if "queries" in dns:
        questions = dns["queries"]
        one = questions[0] if len(questions) == 1 else None
        return one if isinstance(one, dict) and fits(one, _RECORD, ("rrname", "rrtype")) else None
    return dns if "rrname" in dns else None


def _sides(value: dict[str, Any], *, turned: bool) -> Row | None:
    """Client and server; `turned` where the packet's sender is the server."""
    asking, asked = ("dest", "src") if turned else ("src", "dest")
    client, server = address(value[f"{asking}_ip"]), address(value[f"{asked}_ip"])
    ports = [value.get(f"{side}_port") for side in (asking, asked)]
    if client is None or server is None or any(port is not None and not 0 <= port <= 65535 for port in ports):
        return None
    return {"client": client, "port": ports[0], "server": server, "server_port": ports[1]}


def _type(written: str | None) -> str | None:
    """`AAAA`, or the number of a type that the release has no word for."""
    if written and written.isascii() and written.isdecimal() and int(written) <= 65535:
        return type_name(int(written))
    return word(written or "")


def _flags(dns: dict[str, Any]) -> str | None:
    """Words of the header; None if the number is none."""
    try:
        bits = int(dns.get("flags", "0"), 16)
    except ValueError:
        return None
    return " ".join(name for bit, name in _BITS.items() if bits & bit)


def _answers(dns: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Records of the answer section; None if one is none. Version 1 writes its one record among the other members."""
    records = dns.get("answers", [dns] if "ttl" in dns else [])
    if not all(isinstance(item, dict) and fits(item, _RECORD, ("rrname",)) for item in records):
        return None
    return [
        {
            "name": (unescaped_name_columns(item["rrname"]) or {}).get("name"), "type": _type(item.get("rrtype")),
            "ttl": item["ttl"] if 0 <= item.get("ttl", -1) < 2**32 else None, "data": _data(item),
        }
        for item in records
    ]  # fmt: skip


def _data(item: dict[str, Any]) -> str | None:
    """As it is written; of SOA and SRV in the order of RFC 1035 and RFC 2782."""
    if isinstance(item.get("rdata"), str):
        return str(item["rdata"])
    for member, order in (("soa", _SOA), ("srv", _SRV)):
        parts = item.get(member)
        if isinstance(parts, dict) and all(isinstance(parts.get(name), str | int) for name in order):
            return " ".join(str(parts[name]) for name in order)
    return None


def usual(lines: Lines) -> json_batches.Found:
    """What is read as columns; all other lines are left to `read_line`."""
    return eve_columns.read(lines, _WORDS)


def _zone(written: str) -> tuple[str, int] | None:
    """`+0200` as it stands in a table, and how many minutes it is ahead."""
    times = iso_time(f"2000-01-01T00:00:00{written}") if _OFFSET.fullmatch(written) else None
    return (times["time_zone"], int(written[:3]) * 60 + int(written[0] + written[3:])) if times else None


_WORDS = eve_columns.Words(
    event=EVENTS.get, kind=_type, rcode=word, transport=_TRANSPORTS.get, zone=_zone,
    flags=lambda written: _flags({"flags": written}),
)  # fmt: skip


def _open(source: Source, parameters: Mapping[str, Any]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, set())
    return Reading(LOOKUPS, json_batches.read_all(source, usual, read_line))


FORMAT = Format(PROCEDURE, TITLE, functools.partial(guess_lines, read_line, TITLE, 0.2), _open)
