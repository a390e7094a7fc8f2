"""What a file is, from its first bytes: the procedure that reads it, or in words why none does."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evidence.formats import bind, delimited
from evidence.formats.batch import SKIP

if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = {
    b"\x1f\x8b": "gzip data: archives are kept as they are and not yet opened; upload what is inside to have it read",
    b"PK\x03\x04": "a zip archive: kept as it is and not yet opened; upload what is inside to have it read",
    b"\xff\xfe": "UTF-16 text: kept as it is; no reader takes UTF-16 yet",
    b"\xfe\xff": "UTF-16 text: kept as it is; no reader takes UTF-16 yet",
    b"\xd4\xc3\xb2\xa1": "a packet capture: kept as it is; no reader takes captures yet",
    b"\n\r\r\n": "a packet capture: kept as it is; no reader takes captures yet",
}
_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Recognition:
    """`procedure` is None if no reader takes the bytes; `reason` is a sentence for people either way."""

    procedure: str | None
    reason: str
    parameters: dict[str, Any] = field(default_factory=dict)


def recognise(head: bytes, said: Mapping[str, Any] | None = None) -> Recognition:
    """What the first bytes are; what the uploader `said` (procedure, kind, columns) goes first."""
    said = said or {}
    if not head:
        return Recognition(None, "an empty file: there is nothing to read")
    if said.get("columns"):
        kind = said.get("kind") or ("lookups" if "client" in said["columns"] else "sightings")
        parameters = {"kind": kind, "columns": dict(said["columns"])}
        return Recognition("parse.delimited@1", "read as CSV with the columns that the uploader named", parameters)
    if said.get("procedure") == "parse.bind@1":
        return Recognition("parse.bind@1", "read as a BIND query log, as the uploader said")
    for magic, reason in MAGIC.items():
        if head.startswith(magic):
            return Recognition(None, reason)
    lines = [line for line in head.splitlines(keepends=True)[:_LOOKED_AT] if line.strip()]
    return _as_bind(lines) or _as_csv(lines) or _unknown(head)


def _as_bind(lines: list[bytes]) -> Recognition | None:
    """If among the first lines that are no comments one in five is a query line: other categories share channels."""
    read = [bind.read_line(line) for line in lines]
    counted = [item for item in read if isinstance(item, dict) or item[0] != SKIP]
    rows = sum(isinstance(item, dict) for item in counted)
    if not rows or rows * 5 < len(counted):
        return None
    return Recognition("parse.bind@1", f"a BIND query log: {rows} of the first {len(counted)} lines are queries")


def _as_csv(lines: list[bytes]) -> Recognition | None:
    header = next((line for line in lines if not line.startswith(b"#")), b"")
    try:
        fields = next(csv.reader([header.decode().removeprefix("\ufeff").rstrip("\r\n")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return None
    found = delimited.mapping_of([field.strip() for field in fields]) if len(fields) > 1 else None
    if found is None:
        return None
    kind, columns = found
    return Recognition("parse.delimited@1", f"CSV of {kind} by its header", {"kind": kind, "columns": columns})


def _unknown(head: bytes) -> Recognition:
    if b"\0" in head:
        return Recognition(None, "binary data that no reader knows: kept as it is")
    return Recognition(
        None, "no known log format: kept as it is. For CSV, name its columns (--columns time=…,client=…,name=…)"
    )
