"""Passive DNS Common Output Format, one JSON object a line, to sightings.

draft-dulaunoy-dnsop-passive-dns-cof: CIRCL's flavour (one `rdata` a record) and DNSDB's (a list of them, final dots,
`zone_time_first`), also in DNSDB's Streaming API Framing (`{"cond": …}`, `{"obj": …}`). Where a record says nothing of
lookups, only of a zone file, its times are those of the zone file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evidence.reading.batch import CONTEXT, REJECT, SKIP
from evidence.reading.format import line_format
from evidence.reading.jsonlines import fits, object_of, spelled
from evidence.reading.mnemonics import type_name, word
from evidence.reading.names import name_columns
from evidence.reading.stamps import is_number, iso_time, unix_time
from evidence.table.schema import SIGHTINGS

if TYPE_CHECKING:
    from evidence.reading.format import NoRow, Row

_TIME = (int, str)
_KINDS: dict[str, type | tuple[type, ...]] = {
    "rrname": str, "rrtype": (str, int), "rdata": (str, list), "time_first": _TIME, "time_last": _TIME, "count": int,
    "zone_time_first": _TIME, "zone_time_last": _TIME, "bailiwick": str, "sensor_id": str, "origin": str, "source": str,
}  # fmt: skip
_OBSERVERS = ("sensor_id", "origin", "source")
_ENDS = {"begin", "ongoing", "succeeded"}


def read_line(text: bytes) -> Row | NoRow:
    """One line."""
    value = object_of(text)
    if not isinstance(value, dict):
        return value
    is_framed = "rrname" not in value and ("cond" in value or "obj" in value)
    row = _framed(value) if is_framed else _sighting(value)
    return spelled(row, text, b"rrname") if isinstance(row, dict) else row


def _framed(value: dict[str, Any]) -> Row | NoRow:
    """Of DNSDB's framing; `limited` and `failed` say that there is more than the file holds: that is kept."""
    if "obj" in value:
        return _sighting(value["obj"]) if isinstance(value["obj"], dict) else (REJECT, "wrong-type")
    cond = value["cond"]
    if cond in ("limited", "failed"):
        return CONTEXT, f"stream-{cond}"
    return (SKIP, "stream-condition") if cond in _ENDS else (REJECT, "unknown-condition")


def _sighting(value: dict[str, Any]) -> Row | NoRow:
    if not fits(value, _KINDS, ("rrname", "rrtype", "rdata")):
        return REJECT, "wrong-type"
    data = value["rdata"] if isinstance(value["rdata"], list) else [value["rdata"]]
    prefix = "" if "time_first" in value else "zone_"
    first, last = (_time(value.get(f"{prefix}time_{end}")) for end in ("first", "last"))
    named, kind = name_columns(value["rrname"] or "."), _type(value["rrtype"])
    for is_wrong, reason in (
        (not all(isinstance(item, str) for item in data), "wrong-type"), (first is None or last is None, "bad-time"),
        (named is None, "bad-name"), (kind is None, "bad-type"),
        (not 1 <= value.get("count", 1) < 2**63, "bad-count"),
    ):  # fmt: skip
        if is_wrong:
            return REJECT, reason
    observer = next((value[name] for name in _OBSERVERS if value.get(name)), None)
    return {
        **(first or {}), "last": (last or {})["time"], **(named or {}), "type": kind,
        "data": data, "count": value.get("count", 1), "observer": observer,
    }  # fmt: skip


def _type(written: str | int) -> str | None:
    """A word; or the number of a type that the server has none for, in the draft a JSON number."""
    text = str(written)
    if is_number(text, 5):
        return type_name(int(text)) if int(text) <= 65535 else None
    return word(text)


def _time(written: str | int | None) -> Row | None:
    """Seconds since 1970, as a number or (in the draft's example) a text; or ISO 8601 with a zone."""
    text = "" if written is None else str(written)
    if is_number(text, 12):
        return unix_time(text)
    time = iso_time(text)
    return time if time and time["time_zone"] else None


FORMAT = line_format("parse.passive_dns@1", "passive DNS in the Common Output Format", read_line, schema=SIGHTINGS)
