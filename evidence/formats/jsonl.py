"""JSON, one object a line (RFC 8259), with a column mapping: lookups, or sightings.

A column leads to a key, or through nested objects by a dotted path; a key that holds dots itself goes first. Numbers
are taken as they are written, so that no digit of a time is lost. Read strictly: a member that stands twice, or `NaN`,
makes the line a reject.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from evidence.errors import FormatError
from evidence.reading.batch import REJECT
from evidence.reading.format import Format, Guess, Header, Reading, in_order, plain_line, read_chunk, refuse_parameters
from evidence.reading.lines import chunks
from evidence.reading.mapping import SCHEMAS, convert, mapping_in, mapping_of
from evidence.strictjson import parse_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evidence.reading.format import Head, NoRow, Row
    from evidence.reading.source import Source

PROCEDURE, TITLE = "parse.jsonl@1", "JSON, one object a line"
CONFIDENCE = 0.6  # keys are a weaker sign than a format that understands every line
_DEEP, _KEYS = 4, 200


def read_line(kind: str, columns: Mapping[str, str], text: bytes) -> Row | NoRow:
    """One line."""
    value = _object(text)
    if value is None:
        return REJECT, "not-json"
    texts: dict[str, str] = {}
    data: list[str] | None = None
    for ours, path in columns.items():
        found = _at(value, path)
        if ours == "data" and isinstance(found, list):
            data, found = found, ""
        if found is not None and not isinstance(found, str):
            return REJECT, "bad-value"
        texts[ours] = found or ""
    if (data or b"\\u" in text) and not _is_unicode([*texts.values(), *(data or [])]):
        return REJECT, "bad-value"
    row = convert(kind, texts)
    if isinstance(row, str):
        return REJECT, row
    return row | {"data": data} if data else row


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        return parse_object(text, "line", as_written=True)
    except FormatError:
        return None


def _is_unicode(texts: list[Any]) -> bool:
    """JSON can write half of a UTF-16 pair, which no table can hold."""
    return all(isinstance(text, str) and not any("\ud800" <= char <= "\udfff" for char in text) for text in texts)


def _at(value: Mapping[str, Any], path: str) -> Any:
    """What stands at a key or a dotted path, None for nothing."""
    if path in value:
        return value[path]
    first, dot, rest = path.partition(".")
    inner = value.get(first) if dot else None
    return _at(inner, rest) if isinstance(inner, dict) else None


def _paths(value: Mapping[str, Any], before: str = "", deep: int = _DEEP) -> Iterator[str]:
    """Every key whose value is no object, by its dotted path."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _paths(inner, f"{before}{name}.", deep - 1) if deep else ()
        else:
            yield f"{before}{name}"


def header_of(head: Head, _: str = "") -> Header | None:
    """All keys of the first lines, in the order in which they come; None if those are no objects."""
    found = [_object(line) for line in head.lines() if plain_line(line) is None]
    read = [value for value in found if value]
    if not read or len(read) * 2 < len(found):
        return None
    names = dict.fromkeys(path for value in read for path in _paths(value))
    return Header(tuple(names)[:_KEYS])


def _guess(head: Head) -> Guess | None:
    header = header_of(head)
    found = mapping_of(header.names) if header else None
    if found is None:
        return None
    kind, columns = found
    return Guess(CONFIDENCE, f"JSON lines of {kind}, by the names of their members", {"kind": kind, "columns": columns})


def _read(source: Source, parameters: Mapping[str, Any]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, {"kind", "columns"})
    kind, columns = mapping_in(PROCEDURE, parameters)
    read_part = partial(read_chunk, partial(read_line, kind, columns), schema=SCHEMAS[kind])
    # By one thread: nearly all of the work is Python's, of which two threads do not do more.
    return Reading(SCHEMAS[kind], in_order(chunks(source), read_part, workers=1))


FORMAT = Format(PROCEDURE, TITLE, _guess, _read, has_zone=False, header=header_of)
