"""JSON a line, read strictly: one object, no member twice, no `NaN`, Unicode throughout, each value of its type."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from evidence.errors import FormatError
from evidence.reading.batch import REJECT
from evidence.strictjson import parse_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evidence.reading.format import NoRow, Row

    type Kinds = Mapping[str, type | tuple[type, ...]]


def object_of(text: bytes) -> dict[str, Any] | NoRow:
    """The object that a line holds, or why it holds none."""
    try:
        value = parse_object(text, "line")
    except FormatError:
        return REJECT, "binary" if b"\0" in text else "not-json"
    return (REJECT, "not-unicode") if b"\\u" in text and has_lone_surrogate(value) else value


def has_lone_surrogate(value: Any) -> bool:
    """A text with half of a UTF-16 pair, which JSON can write and no table can hold; however deep it stands."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if any("\ud800" <= char <= "\udfff" for char in item):
                return True
        elif isinstance(item, dict):
            waiting += [*item, *item.values()]
        elif isinstance(item, list):
            waiting += item
    return False


def spelled(row: Row, text: bytes, member: bytes) -> Row:
    """The row, with `name_as_written` as it stands in the line where that spells it with escapes of JSON."""
    written = row["name_as_written"] or row["name"]
    if b"\\" not in text or written.encode() in text:
        return row
    for found in re.finditer(rb'"%b"\s*:\s*("(?:[^"\\]|\\.)*")' % member, text):
        if json.loads(found[1]) == written:
            return {**row, "name_as_written": found[1][1:-1].decode()}
    return row


def fits(value: Mapping[str, Any], kinds: Kinds, needed: Iterable[str] = ()) -> bool:
    """Whether the members that are needed are there, and all that are named have their type; `true` is no number."""
    return all(name in value for name in needed) and all(
        name not in value or (isinstance(value[name], kind) and (kind is bool or not isinstance(value[name], bool)))
        for name, kind in kinds.items()
    )
