"""DNS messages on the wire (RFC 1035 §4, EDNS: RFC 6891) as the columns of lookups.

A message is read to its last octet or not at all: every record's name, length and place must hold, and nothing may
follow. Record data that do not fit their type cost no message (`rdata`). Messages of another opcode than QUERY are no
lookups, and those without a question name nothing: both are skipped under their own reasons.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.errors import MessageError
from evidence.reading.batch import REJECT, SKIP
from evidence.reading.mnemonics import class_name, rcode_name, type_name
from evidence.reading.opcodes import no_lookup
from evidence.table.schema import LOOKUPS, QUERY, RESPONSE, complete
from evidence.wire.labels import columns_of, name_of, read_labels, read_uint16
from evidence.wire.rdata import rdata_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evidence.reading.format import NoRow, Row
    from evidence.wire.labels import Known

HEADER = struct.Struct(">6H")
MOST_QUESTIONS = 32  # RFC 9619 allows one
MOST_HELD = 32 << 20
"""A batch ends when its rows take so many bytes: compressed, their names and answers took a hundredth of that."""
_ROW, _ANSWER = 1024, 320
"""Bytes that a row and an answer take here, but for their texts."""
_RECORD = struct.Struct(">HHIH")
_OPT, _TSIG = 41, 250
_OPTIONS = {10: "COOKIE", 8: "ECS"}
_BITS = ((0x0400, "AA"), (0x0200, "TC"), (0x0100, "RD"), (0x0080, "RA"), (0x0020, "AD"), (0x0010, "CD"))
_ORDER = ("DO", "TSIG", "COOKIE", "ECS")


@dataclass(frozen=True, slots=True)
class Record:
    """A resource record: its owner, type, class and TTL as they stand, its data from `start` up to `stop`."""

    owner: tuple[bytes, ...]
    type: int
    class_: int
    ttl: int
    start: int
    stop: int


def read_message(data: bytes) -> list[Row] | NoRow:
    """Rows of a message, one a question, without time and addresses; or why there is none (kind and reason).

    What the answer section holds stands in the first row.
    """
    try:
        return _read(data)
    except MessageError as error:
        return REJECT, str(error)


def _read(data: bytes) -> list[Row] | NoRow:
    if len(data) < HEADER.size:
        raise MessageError("short-message")
    _, bits, questions, *counts = HEADER.unpack_from(data)
    if questions > MOST_QUESTIONS:
        raise MessageError("too-many-questions")
    at = HEADER.size
    asked: list[Row] = []
    known: Known = {}
    for _ in range(questions):
        columns, at = _question(data, at, known)
        asked.append(columns)
    sections: list[list[Record]] = []
    for count in counts:
        records, at = _section(data, at, count, known)
        sections.append(records)
    if at != len(data):
        raise MessageError("trailing-bytes")
    if other := no_lookup(bits >> 11 & 15):
        return other
    if not asked:
        return SKIP, "no-question"
    return _rows(data, bits, asked, sections[0], sections[2])


def _question(data: bytes, at: int, known: Known) -> tuple[dict[str, Any], int]:
    labels, at = read_labels(data, at, known)
    name, written = columns_of(labels)
    kind, class_ = read_uint16(data, at), read_uint16(data, at + 2)
    return {"name": name, "name_as_written": written, "type": type_name(kind), "class": class_name(class_)}, at + 4


def _section(data: bytes, at: int, count: int, known: Known) -> tuple[list[Record], int]:
    records: list[Record] = []
    for _ in range(count):
        owner, at = read_labels(data, at, known)
        start = at + _RECORD.size
        if start > len(data):
            raise MessageError("short-message")
        kind, class_, ttl, size = _RECORD.unpack_from(data, at)
        at = start + size
        if at > len(data):
            raise MessageError("short-message")
        records.append(Record(owner, kind, class_, ttl, start, at))
    return records, at


def _rows(data: bytes, bits: int, asked: list[Row], answers: list[Record], additional: list[Record]) -> list[Row]:
    options = [record for record in additional if record.type == _OPT]
    if len(options) > 1 or (options and options[0].owner):
        raise MessageError("bad-edns")
    found = options[0] if options else None
    signed = any(record.type == _TSIG for record in additional)
    common: Row = {"event": QUERY, "flags": _flags(data, bits, found, signed=signed)}
    if bits & 0x8000:
        rcode = bits & 15 | (found.ttl >> 24 << 4 if found else 0)
        common |= {"event": RESPONSE, "rcode": rcode_name(rcode)}
    rows = [common | columns for columns in asked]
    if answers:
        known: Known = {}
        rows[0]["answers"] = [_answer(data, record, known) for record in answers]
    return rows


def _answer(data: bytes, record: Record, known: Known) -> dict[str, Any]:
    kind = type_name(record.type)
    return {
        "name": name_of(record.owner), "type": kind, "ttl": record.ttl,
        "data": rdata_text(data, record.start, record.stop, kind, record.class_, known),
    }  # fmt: skip


def _flags(data: bytes, bits: int, options: Record | None, *, signed: bool) -> str | None:
    words = {"TSIG"} if signed else set()
    if options is None:
        return flag_words(bits & 0x07B0, None, frozenset(words))
    words |= option_words(data, options.start, options.stop)
    words |= {"DO"} if options.ttl & 0x8000 else set()
    return flag_words(bits & 0x07B0, options.ttl >> 16 & 255, frozenset(words))


@lru_cache(maxsize=1 << 12)
def flag_words(bits: int, edns: int | None, words: frozenset[str]) -> str | None:
    """Words of the header's bits, of EDNS by its version, and others, in the order of docs/tables.md; None for none."""
    header = [word for bit, word in _BITS if bits & bit]
    version = [] if edns is None else [f"EDNS{edns}"]
    return " ".join([*header, *version, *(word for word in _ORDER if word in words)]) or None


def option_words(data: bytes, start: int, stop: int) -> frozenset[str]:
    """Words of the options of EDNS that stand there. Raises `MessageError` where they do not fill the place."""
    codes, at = set(), start
    while at < stop:
        end = at + 4 + read_uint16(data, at + 2)
        if end > stop:
            raise MessageError("bad-edns")
        codes.add(read_uint16(data, at))
        at = end
    return frozenset(word for code, word in _OPTIONS.items() if code in codes)


def held_by(row: Row) -> int:
    """Bytes that a row takes, about."""
    answers = row.get("answers") or ()
    return _ROW + len(row["name"]) + sum(_ANSWER + len(item["name"]) + len(item["data"] or "") for item in answers)


def table_of(rows: list[Row]) -> pa.Table:
    """Rows whose times are microseconds since 1970, and whose `earlier` are pairs of numbers."""
    present = set().union(*rows)
    made: dict[str, Callable[[Any], pa.Array]] = {"answers": _answers, "earlier": _earlier, "vantage": _words}
    columns = {
        field.name: pa.array([row.get(field.name) for row in rows], field.type)
        for field in LOOKUPS
        if field.name in present and field.name not in made
    }
    columns |= {name: make([row.get(name) for row in rows]) for name, make in made.items() if name in present}
    return complete(columns, len(rows), LOOKUPS)


def _words(texts: list[str | None]) -> pa.Array:
    """As a dictionary: all rows of an interface have its name, which may be long."""
    each = [text for text in dict.fromkeys(texts) if text is not None]
    numbers = {text: number for number, text in enumerate(each)}
    places = pa.array([None if text is None else numbers[text] for text in texts], pa.int32())
    return pa.DictionaryArray.from_arrays(places, pa.array(each, pa.string()))


def _answers(lists: list[list[dict[str, Any]] | None]) -> pa.Array:
    """As Arrow would make it of the lists themselves, in a third of the time."""
    kind: Any = LOOKUPS.field("answers").type
    items = [item for answers in lists if answers for item in answers]
    values = [pa.array([item[field.name] for item in items], field.type) for field in kind.value_type]
    return _lists(kind, lists, values)


def _earlier(lists: list[tuple[tuple[int, int], ...] | None]) -> pa.Array:
    """Rows of one packet share their list, which would take far more in words of its own for each."""
    numbers = np.fromiter(chain.from_iterable(chain.from_iterable(filter(None, lists))), dtype=np.int64)
    return _lists(LOOKUPS.field("earlier").type, lists, [pa.array(numbers[place::2].copy()) for place in (0, 1)])


def _lists(kind: Any, lists: Sequence[Sequence[object] | None], values: list[pa.Array]) -> pa.Array:
    """Values of all lists, one behind the other, as lists; an empty one is null."""
    offsets = [0, *accumulate(len(each or ()) for each in lists)]
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.StructArray.from_arrays(values, fields=list(kind.value_type)), type=kind,
        mask=pa.array([not each for each in lists]),
    )  # fmt: skip
