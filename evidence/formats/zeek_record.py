"""A record of Zeek's `dns.log` as a row, whichever way it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evidence.reading.batch import REJECT, SKIP
from evidence.reading.endpoints import address
from evidence.reading.mnemonics import class_name, rcode_name, type_name
from evidence.reading.names import unescaped_name_columns
from evidence.reading.opcodes import no_lookup
from evidence.table.schema import EXCHANGE, QUERY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evidence.reading.format import NoRow, Row

TRANSPORTS = {"udp": "udp", "tcp": "tcp"}
FLAGS = ("AA", "TC", "RD", "RA")


def row_of(times: Row, values: Mapping[str, Any], answers: list[str], ttls: list[Any]) -> Row | NoRow:
    """Texts, whole numbers below 100,000 and truth values by Zeek's names; a member that is unset is not there."""
    if other := no_lookup(values.get("opcode")):
        return other
    if "query" not in values:
        return SKIP, "no-question"
    named = unescaped_name_columns(values["query"])
    client, server = (address(values.get(side, "")) for side in ("id.orig_h", "id.resp_h"))
    if named is None:
        return REJECT, "bad-name"
    if client is None or (server is None and "id.resp_h" in values):
        return REJECT, "bad-address"
    if any(not 0 <= values.get(name, 0) <= 65535 for name in ("id.orig_p", "id.resp_p", "qtype", "qclass", "rcode")):
        return REJECT, "bad-number"
    ends = [_seconds(written) for written in ttls] if len(ttls) == len(answers) else [None] * len(answers)
    return {
        **times, **named, "event": EXCHANGE if "rcode" in values else QUERY, "client": client,
        "port": values.get("id.orig_p"), "server": server, "server_port": values.get("id.resp_p"),
        "type": type_name(values["qtype"]) if "qtype" in values else None,
        "class": class_name(values["qclass"]) if "qclass" in values else None,
        "rcode": rcode_name(values["rcode"]) if "rcode" in values else None,
        "flags": " ".join(flag for flag in FLAGS if values.get(flag)) or None,
        "transport": TRANSPORTS.get(values.get("proto", "")),
        "answers": [
            {"name": None, "type": None, "ttl": ttl, "data": data} for data, ttl in zip(answers, ends, strict=True)
        ] or None,
    }  # fmt: skip


def _seconds(written: Any) -> int | None:
    """A TTL, which Zeek writes as an interval: `300.000000`."""
    try:
        seconds = float(written)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(seconds) if 0 <= seconds < 2**32 else None
