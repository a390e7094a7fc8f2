"""AWS Route 53 VPC Resolver query logs: one JSON object a line, each of a query and its response.

Route 53 Developer Guide, "Values that appear in VPC Resolver query logs", version 1.1. Queries that the resolver
answers from its cache are not in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evidence.reading.batch import REJECT, SKIP
from evidence.reading.endpoints import address
from evidence.reading.format import line_format
from evidence.reading.jsonlines import fits, object_of, spelled
from evidence.reading.mnemonics import word
from evidence.reading.names import canonical_name, name_columns
from evidence.reading.stamps import is_number, iso_time
from evidence.table.schema import EXCHANGE, QUERY

if TYPE_CHECKING:
    from evidence.reading.format import NoRow, Row

_KINDS = {
    "version": str, "query_timestamp": str, "query_name": str, "query_type": str, "query_class": str, "rcode": str,
    "srcaddr": str, "srcport": str, "transport": str, "answers": list, "vpc_id": str,
}  # fmt: skip
_NEEDED = ("query_timestamp", "query_name", "query_type", "srcaddr")
_ANSWER = {"Rdata": str, "Type": str, "Class": str}
_TRANSPORTS = {"UDP": "udp", "TCP": "tcp", "DOH": "https", "DoH": "https", "DOT": "tls", "DoT": "tls"}


def read_line(text: bytes) -> Row | NoRow:
    """One line."""
    value = object_of(text)
    if not isinstance(value, dict):
        return value
    if "query_timestamp" not in value:
        return SKIP, "other-event"
    answers = value.get("answers", [])
    if not fits(value, _KINDS, _NEEDED) or not all(isinstance(item, dict) and fits(item, _ANSWER) for item in answers):
        return REJECT, "wrong-type"
    port = value.get("srcport", "")
    times, named = iso_time(value["query_timestamp"]), name_columns(value["query_name"])
    client, kind = address(value["srcaddr"]), word(value["query_type"])
    for is_wrong, reason in (
        (times is None, "bad-time"), (named is None, "bad-name"), (client is None, "bad-client"),
        (kind is None, "bad-type"),
        (port and not (is_number(port, 5) and int(port) <= 65535), "bad-port"),
    ):  # fmt: skip
        if is_wrong:
            return REJECT, reason
    rcode = word(value.get("rcode", ""))
    row = {
        **(times or {}), **(named or {}), "event": EXCHANGE if rcode else QUERY, "client": client,
        "port": int(port) if port else None, "type": kind, "class": word(value.get("query_class", "")), "rcode": rcode,
        "transport": _TRANSPORTS.get(value.get("transport", "")),
        "answers": [_answer(item) for item in answers] or None, "vantage": value.get("vpc_id"),
    }  # fmt: skip
    return spelled(row, text, b"query_name")


def _answer(item: dict[str, str]) -> dict[str, Any]:
    data, kind = item.get("Rdata"), word(item.get("Type", ""))
    return {"name": None, "type": kind, "ttl": None, "data": data if data is None else _data(kind, data)}


def _data(kind: str | None, data: str) -> str:
    return (canonical_name(data) or data) if kind in ("CNAME", "NS", "PTR") else data


FORMAT = line_format("parse.route53@1", "an AWS Route 53 Resolver query log", read_line)
