"""C-DNS (RFC 8618), as DNS-STATS compactor and others write it: blocks of queries with their responses, in CBOR.

A file is a preamble and blocks; a block is its preamble, tables of what its items share, and arrays of items. What is
between items is skipped under the name of its part; a row's `earlier` names the parts of its block that it needs. The
file is read in one pass: tables stand before the items that point into them, as in all files that are known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evidence.errors import MessageError
from evidence.formats.cdns_items import Block, read_item
from evidence.formats.cdns_tables import MOST, Parameters, mapping, number, read_parameters, read_tables
from evidence.reading.batch import CONTEXT, REJECT, SKIP, Batch, Reject, rejects_table
from evidence.reading.format import Format, Guess, Reading, refuse_parameters
from evidence.table.schema import LOOKUPS
from evidence.wire.cbor import ARRAY, MAP, UNWANTED, ShortError, Window, read_value
from evidence.wire.message import MOST_HELD, held_by, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from evidence.reading.format import Head, NoRow, Row
    from evidence.reading.source import Source
    from evidence.wire.cbor import Value

PROCEDURE, TITLE = "parse.cdns@1", "C-DNS"
_TYPE = b"\x65C-DNS"
_VERSION = 1
_LONGEST_ITEM, _LONGEST_PREAMBLE, _LONGEST_KEY = 1 << 16, 1 << 20, 9
_MOST_RECORDS = 1 << 15
"""A batch ends when it has so many rows and rejects, or they take much."""
_PREAMBLE, _STATISTICS, _TABLES = 0, 1, 2
_MEMBERS = {_PREAMBLE: "block-preamble", _STATISTICS: "block-statistics", _TABLES: "block-tables"}
_ITEMS, _EVENTS, _MALFORMED = 3, 4, 5
_ARRAYS = {_ITEMS: "query-responses", _EVENTS: "address-event-counts", _MALFORMED: "malformed-messages"}
_NO_ROWS: dict[int, NoRow] = {_EVENTS: (SKIP, "address-event"), _MALFORMED: (REJECT, "malformed-message")}


@dataclass(slots=True)
class _File:
    """Rows and rejects as they grow; owned by one reading.

    `mark` is the first byte that no span has; `line` numbers items.
    """

    source: Source
    window: Window
    parameters: list[Parameters | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    start: int = 0
    mark: int = 0
    line: int = 1
    rows: list[Row] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    held: int = 0
    unasked: int = 0

    def span(self, kind: str, reason: str) -> tuple[int, int]:
        """All that was read since the last span, as one."""
        start, self.mark = self.mark, self.window.position
        head = self.source.look(start, min(start + 32, self.mark))
        self.rejects.append(Reject(self.line, start, self.mark, kind, reason, head))
        return start, self.mark

    def item(self, found: list[Row] | NoRow, head: bytes, earlier: tuple[tuple[int, int], ...]) -> None:
        """A record: what was read since the last span, with its first bytes."""
        start, stop = self.mark, self.window.position
        if isinstance(found, tuple):
            self.rejects.append(Reject(self.line, start, stop, *found, head=head))
        else:
            place = {"line": self.line, "start": start, "stop": stop, "earlier": earlier}
            self.rows += [row | place for row in found]
            self.held += sum(map(held_by, found))
        self.mark = stop
        self.line += 1

    def is_full(self) -> bool:
        return len(self.rows) + len(self.rejects) >= _MOST_RECORDS or self.held > MOST_HELD

    def batch(self) -> Batch:
        """What grew so far."""
        batch = Batch(table_of(self.rows), rejects_table(self.rejects), self.mark - self.start)
        self.start, self.rows, self.rejects, self.held = self.mark, [], [], 0
        return batch


def _batches(file: _File) -> Iterator[Batch]:
    try:
        yield from _read_file(file)
    except ShortError as error:
        file.notes.append("The file is cut off: it ends before its last array does.")
        yield _rest(file, str(error))
    except MessageError as error:
        yield _rest(file, str(error))
    if file.unasked:
        file.notes.append(f"{file.unasked} responses have no question: beside their queries they are no rows.")


def _rest(file: _File, reason: str) -> Batch:
    """All that is left of the source as one reject."""
    for _ in file.source.blocks():
        pass
    start, file.mark = file.mark, file.source.position
    if start < file.mark:
        file.rejects.append(
            Reject(file.line, start, file.mark, REJECT, reason, file.source.look(start, min(start + 32, file.mark)))
        )
    return file.batch()


def _read_file(file: _File) -> Iterator[Batch]:
    window = file.window
    if window.at_end():
        return
    parts = window.head(ARRAY)
    if parts not in (3, None) or window.value(_LONGEST_KEY)[0] != _TYPE[1:].decode():
        raise MessageError(UNWANTED)
    _read_preamble(file, mapping(window.value(_LONGEST_PREAMBLE)[0]))
    blocks = window.head(ARRAY)
    file.span(CONTEXT, "file-preamble")
    for _ in _elements(window, blocks):
        yield from _read_block(file)
    if parts is None and not window.takes_break():
        raise MessageError(UNWANTED)
    _close(file)
    if not window.at_end():
        raise MessageError("trailing-bytes")
    yield file.batch()


def _elements(window: Window, count: int | None) -> Iterator[None]:
    """Once for each item or pair that an array or map still has."""
    if count is not None:
        for _ in range(count):
            yield
        return
    while not window.takes_break():
        yield


def _close(file: _File) -> None:
    """The breaks that were stepped over since the last span."""
    if file.mark < file.window.position:
        file.span(SKIP, "break")


def _read_preamble(file: _File, preamble: dict[int, Value]) -> None:
    if number(preamble, 0) != _VERSION:
        raise MessageError("other-version")
    listed = preamble.get(3)
    for value in listed if isinstance(listed, list) else []:
        try:
            read = read_parameters(value)
        except MessageError:
            file.parameters.append(None)
            continue
        file.parameters.append(read)
        file.notes += [said for said in read.said if said not in file.notes]


def _read_block(file: _File) -> Iterator[Batch]:
    window, block = file.window, Block(next(iter(file.parameters), None))
    members = window.head(MAP)
    needed = [file.span(SKIP, "block-head")]
    for _ in _elements(window, members):
        key, _ = window.value(_LONGEST_KEY)
        if type(key) is not int:
            raise MessageError(UNWANTED)
        if key in _ARRAYS and window.is_next(ARRAY):
            yield from _read_items(file, block, key, needed)
        else:
            needed.append(file.span(*_member(file, block, key)))
    _close(file)
    file.unasked += block.unasked


def _member(file: _File, block: Block, key: int) -> tuple[str, str]:
    """Takes a part of the block that holds no items; its kind and reason."""
    data = file.window.octets()
    try:
        if key == _PREAMBLE:
            _read_block_preamble(file, block, mapping(read_value(data, 0, min(len(data), _LONGEST_ITEM))[0]))
        elif key == _TABLES:
            block.tables = read_tables(data)
            block.signatures.clear()
    except MessageError as error:
        return REJECT, str(error)
    return (REJECT, UNWANTED) if key in _ARRAYS else (SKIP, _MEMBERS.get(key, "other-member"))


def _read_block_preamble(file: _File, block: Block, preamble: dict[int, Value]) -> None:
    place, earliest = number(preamble, 1) or 0, preamble.get(0)
    block.parameters = file.parameters[place] if place < len(file.parameters) else None
    if earliest is None or block.parameters is None:
        return
    if not isinstance(earliest, list) or len(earliest) != 2:
        raise MessageError("bad-time")
    seconds, ticks = (number({0: part}, 0, MOST) or 0 for part in earliest)
    block.earliest = seconds * block.parameters.ticks + ticks


def _read_items(file: _File, block: Block, key: int, needed: list[tuple[int, int]]) -> Iterator[Batch]:
    window = file.window
    count = window.head(ARRAY)
    earlier = _joined([*needed, file.span(SKIP, _ARRAYS[key])])
    for _ in _elements(window, count):
        file.item(*_item(window, block, key), earlier)
        if file.is_full():
            yield file.batch()
    _close(file)


def _item(window: Window, block: Block, key: int) -> tuple[list[Row] | NoRow, bytes]:
    """What an item is, and its first bytes."""
    if key in _NO_ROWS:
        return _NO_ROWS[key], window.octets()[:32]
    try:
        value, head = window.value(_LONGEST_ITEM)
    except ShortError:
        raise
    except MessageError as error:
        return (REJECT, str(error)), window.octets()[:32]
    return read_item(value, block), head


def _joined(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The same bytes in as few spans as they take."""
    found: list[tuple[int, int]] = []
    for start, stop in spans:
        if found and found[-1][1] == start:
            found[-1] = found[-1][0], stop
        else:
            found.append((start, stop))
    return tuple(found)


def _guess(head: Head) -> Guess | None:
    """A file begins with an array whose first item names the format."""
    if head.data[:1] not in (b"\x83", b"\x9f") or not head.data.startswith(_TYPE, 1):
        return None
    return Guess(1.0, f"{TITLE} (RFC 8618): its first item says so")


def _read(source: Source, parameters: Mapping[str, Any]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, set())
    file = _File(source, Window(source))
    return Reading(LOOKUPS, _batches(file), file.notes)


FORMAT = Format(PROCEDURE, TITLE, _guess, _read, unit="item", is_text=False)
