"""Column chunks of a row group whose rows all have the same value or none, which take a page of some thirty bytes.

A writer that goes through the rows needs 2 to 16 ns for each and each column, and most tables have ten to fifteen such
columns. Pages, levels and encodings are those of the Parquet format: `Encodings.md` and `parquet.thrift`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evidence.table.compact import BINARY, I32, I64, LIST, STRUCT, Listing, encode, varint

if TYPE_CHECKING:
    from evidence.table.compact import Struct

_TYPES = {"INT32": 1, "INT64": 2, "BYTE_ARRAY": 6}
_PLAIN, _RLE, _RLE_DICTIONARY = 0, 3, 8
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_UNCOMPRESSED = 0
_DATA_OFFSET, _DICTIONARY_OFFSET = 9, 11
_OFFSETS = (_DATA_OFFSET, _DICTIONARY_OFFSET)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column as Parquet stores it: its physical type, its path, and how deep its levels go."""

    kind: str
    path: tuple[str, ...]
    definition: int
    repetition: int


@dataclass(frozen=True, slots=True)
class ColumnChunk:
    """The pages of one column of a row group, and its `ColumnMetaData` with offsets from the first of these bytes."""

    data: bytes
    about: Struct

    @property
    def size(self) -> int:
        """Bytes as they would be without compression."""
        return int(self.about[6][1])

    def at(self, place: int) -> Struct:
        """Its `ColumnChunk` where its bytes begin at `place` of a file."""
        about = self.about | {
            number: (I64, self.about[number][1] + place) for number in _OFFSETS if number in self.about
        }
        return {2: (I64, 0), 3: (STRUCT, about)}


def cut_out(data: bytes, about: Struct) -> ColumnChunk:
    """The chunk that `about` leads to in a file."""
    begin = min(about[number][1] for number in _OFFSETS if number in about)
    moved = {number: (I64, about[number][1] - begin) for number in _OFFSETS if number in about}
    return ColumnChunk(data[begin : begin + about[7][1]], about | moved)


def without_value(leaf: Leaf, rows: int) -> ColumnChunk:
    """So many rows in which nothing stands, on the outermost level."""
    levels = b"".join(_levels(0, rows) for depth in (leaf.repetition, leaf.definition) if depth)
    return _chunk(leaf, rows, (_PLAIN, _RLE), b"", _data_page(rows, _PLAIN, levels))


def of_value(leaf: Leaf, rows: int, value: Any) -> ColumnChunk:
    """So many rows of one value, of a column that is not nested: a dictionary of one entry, and one run of it."""
    word = struct.pack("<i", value) if leaf.kind == "INT32" else struct.pack("<I", len(text := value.encode())) + text
    entry = _page(_DICTIONARY_PAGE, word, {7: (STRUCT, {1: (I32, 1), 2: (I32, _PLAIN)})})
    levels = _levels(1, rows) if leaf.definition else b""
    page = _data_page(rows, _RLE_DICTIONARY, levels + b"\x01" + _run(0, rows))
    return _chunk(leaf, rows, (_PLAIN, _RLE, _RLE_DICTIONARY), entry, page)


def _run(value: int, rows: int) -> bytes:
    """A run of one value that takes at most eight bits."""
    return varint(rows << 1) + bytes([value])


def _levels(value: int, rows: int) -> bytes:
    run = _run(value, rows)
    return struct.pack("<I", len(run)) + run


def _data_page(rows: int, encoding: int, body: bytes) -> bytes:
    header = {1: (I32, rows), 2: (I32, encoding), 3: (I32, _RLE), 4: (I32, _RLE)}
    return _page(_DATA_PAGE, body, {5: (STRUCT, header)})


def _page(kind: int, body: bytes, more: Struct) -> bytes:
    return encode({1: (I32, kind), 2: (I32, len(body)), 3: (I32, len(body)), **more}) + body


def _chunk(leaf: Leaf, rows: int, encodings: tuple[int, ...], entry: bytes, page: bytes) -> ColumnChunk:
    size = len(entry) + len(page)
    about: Struct = {
        1: (I32, _TYPES[leaf.kind]), 2: (LIST, Listing(I32, encodings)),
        3: (LIST, Listing(BINARY, [name.encode() for name in leaf.path])), 4: (I32, _UNCOMPRESSED),
        5: (I64, rows), 6: (I64, size), 7: (I64, size), _DATA_OFFSET: (I64, len(entry)),
    }  # fmt: skip
    return ColumnChunk(entry + page, about | ({_DICTIONARY_OFFSET: (I64, 0)} if entry else {}))
