"""Columns that a file names itself, and what they mean: a mapping that is guessed, offered and confirmed by a person.

A mapping leads from our columns to the file's own (a header's name, a key of JSON). It is a parameter of the reading,
so it is attested with the table. `convert` makes a row of what stands in the mapped columns, as it is written there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evidence.errors import ReadingError
from evidence.reading.names import name_columns
from evidence.reading.stamps import is_number, parse_time
from evidence.table.schema import LOOKUPS, QUERY, SIGHTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evidence.reading.format import Row

SCHEMAS = {"lookups": LOOKUPS, "sightings": SIGHTINGS}
NEEDED = {"lookups": ("time", "client", "name"), "sightings": ("time", "name")}
TEXTS = {
    "lookups": ("type", "class", "rcode", "server", "transport", "flags", "view", "vantage"),
    "sightings": ("type", "place", "observer"),
}
"""Columns that are taken as they are written."""
MAPPED = {
    "lookups": ("time", "client", "port", "name", *TEXTS["lookups"]),
    "sightings": ("time", "last", "name", "data", "count", *TEXTS["sightings"]),
}
LONGEST_NAME = 200
"""Characters of a column's name; a longer one can be neither guessed nor stated."""
SYNONYMS = {
    "time": ("time", "timestamp", "ts", "datetime", "date", "seen_at", "first_seen", "time_first"),
    "client": ("client", "client_ip", "src", "src_ip", "source", "querier", "resolver", "id.orig_h"),
    "port": ("port", "client_port", "src_port", "id.orig_p"),
    "name": ("name", "qname", "query", "rrname", "domain", "question"),
    "type": ("type", "qtype", "rrtype", "qtype_name"),
    "class": ("class", "qclass"),
    "view": ("view",),
    "server": ("server", "server_ip", "dst", "dst_ip", "id.resp_h"),
    "rcode": ("rcode", "rcode_name", "response_code"),
    "transport": ("transport", "proto", "protocol"),
    "last": ("last", "last_seen", "time_last"),
    "data": ("data", "rdata", "answer"),
    "place": ("place", "country", "region", "location"),
    "count": ("count", "lookups", "hits"),
    "observer": ("observer", "sensor", "vantage", "source_name"),
}


def mapping_of(names: Sequence[str]) -> tuple[str, dict[str, str]] | None:
    """Kind and columns that a file's own words mean, or None."""
    columns = meant(names)
    kind = "lookups" if "client" in columns else "sightings"
    if not all(name in columns for name in NEEDED[kind]):
        return None
    return kind, {name: column for name, column in columns.items() if name in MAPPED[kind]}


def meant(names: Sequence[str]) -> dict[str, str]:
    """Ours by what each of the file's own words seems to mean; not all that is needed may be there."""
    known = {name.strip().lower(): name for name in names if len(name) <= LONGEST_NAME}
    return {
        target: next(known[word] for word in words if word in known)
        for target, words in SYNONYMS.items()
        if any(word in known for word in words)
    }


def check_mapping(kind: str, columns: Mapping[str, str]) -> None:
    """Raises `ReadingError` for a mapping that no row could be made by."""
    if kind not in SCHEMAS:
        raise ReadingError(f"kind {kind!r}: write lookups or sightings")
    missing = [name for name in NEEDED[kind] if name not in columns]
    unknown = [name for name in columns if name not in MAPPED[kind]]
    if missing or unknown:
        raise ReadingError(f"columns for {kind}: missing {missing}, unknown {unknown}; map each to a header's name")


def mapping_in(procedure: str, parameters: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Kind and columns of a reading. Raises `ReadingError` if they are not stated as such or cannot be used."""
    columns = parameters.get("columns")
    if not isinstance(columns, dict):
        raise ReadingError(f"{procedure} takes kind (lookups or sightings) and columns (ours to the file's own)")
    kind = str(parameters.get("kind", "lookups"))
    check_mapping(kind, columns)
    return kind, columns


def convert(kind: str, values: Mapping[str, str]) -> Row | str:
    """A row's values, or the reason why there is none."""
    times = parse_time(values["time"])
    if times is None:
        return "bad-time"
    named = name_columns(values["name"].strip()) if values["name"].strip() else None
    if named is None:
        return "bad-name" if values["name"].strip() else "no-name"
    row: Row = {**times, **named, **{column: values.get(column) or None for column in TEXTS[kind]}}
    return row | more if isinstance(more := _MORE[kind](values, times), dict) else more


def _lookup(values: Mapping[str, str], _: Row) -> Row | str:
    port = values.get("port") or ""
    if port and not (is_number(port, 5) and int(port) <= 65535):
        return "bad-port"
    client = values["client"].strip().lower()
    return {"event": QUERY, "client": client, "port": int(port) if port else None} if client else "no-client"


def _sighting(values: Mapping[str, str], times: Row) -> Row | str:
    """Both times state a zone or none does: where none does, one zone is taken for both."""
    count = values.get("count") or "1"
    if not is_number(count, 18) or int(count) < 1:
        return "bad-count"
    last = parse_time(values["last"]) if values.get("last") else None
    if values.get("last") and last is None:
        return "bad-time"
    if last and (last["time_zone"] is None) != (times["time_zone"] is None):
        return "zone-of-one-time"
    data = values.get("data")
    return {"count": int(count), "last": last["time"] if last else None, "data": [data] if data else None}


_MORE = {"lookups": _lookup, "sightings": _sighting}
