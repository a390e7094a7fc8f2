"""The parameters of a C-DNS block and the tables that its items point into (RFC 8618 §7.3 and §7.4).

Entries are read when an item asks for them: a table of a million entries costs its octets and their places. What is
asked for and not there, or not of the kind that it has to be, is a `MessageError`, and so a reject of the item alone.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evidence.errors import MessageError
from evidence.wire.cbor import ARRAY, BREAK, MAP, TOO_LONG, UNWANTED, ShortError, item_end, read_head, read_value
from evidence.wire.labels import columns_of, read_labels
from evidence.wire.packet import address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evidence.wire.cbor import Value

BAD_INDEX = "bad-index"
ADDRESSES, CLASS_TYPES, NAMES, SIGNATURES, QUESTION_LISTS, QUESTIONS, RECORD_LISTS, RECORDS = range(8)
"""Keys of the tables that items point into."""
MOST = (1 << 64) - 1
MOST_ENTRIES = 1 << 20
"""Of all tables of a block together."""
_MOST_KEPT = 1 << 14
_LONGEST_ENTRY = 1 << 17  # record data have at most 65,535 octets, and a message's records fewer places
_NONE = array("I")
_CLIENT_PREFIXES, _SERVER_PREFIXES = {False: 6, True: 7}, {False: 8, True: 9}
_TICKS, _OPCODES, _FLAGS, _SAMPLING, _ANONYMIZATION, _HOST = 0, 3, 5, 10, 11, 9
_MOST_TICKS = 10**12


def number(values: Mapping[int, Value], key: int, most: int = 0xFFFFFFFF) -> int | None:
    """An unsigned integer of up to `most`; None where it is left out."""
    value = values.get(key)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= most:
        raise MessageError(UNWANTED)
    return value


def mapping(value: Value | None) -> dict[int, Value]:
    if not isinstance(value, dict):
        raise MessageError(UNWANTED)
    return value


def text(values: Mapping[int, Value], key: int) -> str | None:
    value = values.get(key)
    if value is not None and not isinstance(value, str):
        raise MessageError(UNWANTED)
    return value


@dataclass(frozen=True, slots=True)
class Parameters:
    """How a block was recorded: ticks a second, what the prefixes of addresses are cut to, and where it was.

    `queries_alone` says that no other opcode was recorded. `said` are sentences for people.
    """

    ticks: int
    queries_alone: bool
    client_bits: Mapping[bool, int]
    server_bits: Mapping[bool, int]
    host: str | None
    said: tuple[str, ...]


def read_parameters(value: Value) -> Parameters:
    """Raises `MessageError`."""
    values = mapping(value)
    stored, collected = mapping(values.get(0)), mapping(values.get(1, {}))
    ticks = number(stored, _TICKS, _MOST_TICKS)
    if not ticks:
        raise MessageError("bad-parameters")
    return Parameters(
        ticks, stored.get(_OPCODES) == [0], _bits(stored, _CLIENT_PREFIXES), _bits(stored, _SERVER_PREFIXES),
        text(collected, _HOST), tuple(_said(stored)),
    )  # fmt: skip


def _bits(stored: Mapping[int, Value], keys: Mapping[bool, int]) -> dict[bool, int]:
    """Bits that are kept of an address, of IPv4 and IPv6."""
    found = {}
    for is_ipv6, key in keys.items():
        whole = 128 if is_ipv6 else 32
        bits = number(stored, key)
        found[is_ipv6] = whole if bits is None or bits > whole else bits
    return found


def _said(stored: Mapping[int, Value]) -> list[str]:
    flags = number(stored, _FLAGS, MOST) or 0
    methods = (_how(stored, _ANONYMIZATION), _how(stored, _SAMPLING), "")
    texts = (
        "The source says that its data were anonymized{}.",
        "The source says that it is a sample of the traffic{}.",
        "The source says that its names were normalized: how they were written is lost.",
    )
    return [each.format(how) for bit, (each, how) in enumerate(zip(texts, methods, strict=True)) if flags >> bit & 1]


def _how(stored: Mapping[int, Value], key: int) -> str:
    method = text(stored, key)
    return f" ({method})" if method else ""


@dataclass(frozen=True, slots=True)
class Record:
    """A resource record: places of its name and data, which with the TTL may have been left out."""

    name: int
    type: int
    class_: int
    ttl: int | None
    data: int | None


@dataclass(slots=True)
class Tables:
    """The tables of a block by their octets, with the place of each entry. Owned by one block.

    What was made of entries is kept for the next item that asks.
    """

    data: bytes = b""
    places: Mapping[int, array[int]] = field(default_factory=dict)
    _names: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    _records: dict[int, Record] = field(default_factory=dict)
    _kinds: dict[int, tuple[int, int]] = field(default_factory=dict)
    _addresses: dict[tuple[int, bool, int], str | None] = field(default_factory=dict)

    def entry(self, table: int, index: int) -> Value:
        """Raises `MessageError` for an entry that is not there, is too long or holds what C-DNS does not use."""
        places = self.places.get(table, _NONE)
        if index >= len(places):
            raise MessageError(BAD_INDEX)
        start = places[index]
        try:
            return read_value(self.data, start, min(len(self.data), start + _LONGEST_ENTRY))[0]
        except ShortError:
            raise MessageError(TOO_LONG) from None

    def octets(self, index: int) -> bytes:
        """A name or record data."""
        return _octets(self.entry(NAMES, index))

    def name(self, index: int) -> tuple[str, str | None]:
        """`name` and `name_as_written`; names are whole, in the form of messages without compression."""
        found = self._names.get(index)
        if found is None:
            data = self.octets(index)
            labels, end = read_labels(data, 0)
            if end != len(data):
                raise MessageError("bad-name")
            found = keep(self._names, index, columns_of(labels))
        return found

    def kind(self, index: int) -> tuple[int, int]:
        """Type and class."""
        found = self._kinds.get(index)
        if found is None:
            values = mapping(self.entry(CLASS_TYPES, index))
            type_, class_ = number(values, 0), number(values, 1)
            if type_ is None or class_ is None or max(type_, class_) > 0xFFFF:
                raise MessageError(UNWANTED)
            found = keep(self._kinds, index, (type_, class_))
        return found

    def record(self, index: int) -> Record:
        found = self._records.get(index)
        if found is None:
            values = mapping(self.entry(RECORDS, index))
            name, kind = number(values, 0), number(values, 1)
            if name is None or kind is None:
                raise MessageError(UNWANTED)
            found = Record(name, *self.kind(kind), number(values, 2), number(values, 3))
            keep(self._records, index, found)
        return found

    def address(self, index: int, bits: Mapping[bool, int], *, is_ipv6: bool | None) -> str | None:
        """An address, or the prefix that was kept of one as `192.0.2.0/24`; None where nothing was kept.

        Where nobody says which version it is, four octets are one of IPv4 if nothing was cut off of addresses.
        """
        data = _octets(self.entry(ADDRESSES, index))
        if is_ipv6 is None:
            is_ipv6 = _version(data, bits)
        key = (index, is_ipv6, bits[is_ipv6])
        if key in self._addresses:
            return self._addresses[key]
        return keep(self._addresses, key, _address(data, bits[is_ipv6], 16 if is_ipv6 else 4))


def keep[Key, Made](made: dict[Key, Made], key: Key, value: Made) -> Made:
    """Keeps what was made, for the next one that asks; up to a limit."""
    if len(made) >= _MOST_KEPT:
        made.clear()
    made[key] = value
    return value


def _octets(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise MessageError(UNWANTED)
    return value


def _version(data: bytes, bits: Mapping[bool, int]) -> bool:
    if len(data) not in (4, 16) or (len(data) == 4 and bits[True] != 128):
        raise MessageError("bad-address")
    return len(data) == 16


def _address(data: bytes, bits: int, width: int) -> str | None:
    if len(data) > width:
        raise MessageError("bad-address")
    bits = min(bits, 8 * len(data))
    whole = address(data.ljust(width, b"\0"))
    return None if not data else whole if bits == 8 * width else f"{whole}/{bits}"


def read_tables(data: bytes) -> Tables:
    """Finds the place of each entry. Raises `MessageError` for what are no tables, and for too many entries."""
    kind, count, at = read_head(data, 0, len(data))
    places: dict[int, array[int]] = {}
    entries = MOST_ENTRIES
    if kind != MAP:
        raise MessageError(UNWANTED)
    while len(places) != count and not (count is None and data[at] == BREAK):
        key, at = read_value(data, at, len(data), 0)
        if type(key) is not int or key in places:
            raise MessageError(UNWANTED)
        places[key], at = _places(data, at, entries)
        entries -= len(places[key])
    return Tables(data, places)


def _places(data: bytes, at: int, most: int) -> tuple[array[int], int]:
    kind, count, at = read_head(data, at, len(data))
    found = array("I")
    if kind != ARRAY:
        raise MessageError(UNWANTED)
    while len(found) != count:
        if count is None and data[at] == BREAK:
            return found, at + 1
        if len(found) == most:
            raise MessageError("too-many-entries")
        found.append(at)
        at = item_end(data, at, len(data))
    return found, at
