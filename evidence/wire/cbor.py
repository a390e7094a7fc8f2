"""CBOR (RFC 8949) as far as C-DNS needs it: where an item ends, what it holds, and a window over a source of items.

Stricter than the format: keys of maps are integers that stand once, and there are no tags and no floating point. Every
item has a limit of octets, and nesting one of depth, before anything of it is held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.source import Source

    type Value = int | bytes | str | bool | list[Value] | dict[int, Value]

UNSIGNED, NEGATIVE, OCTETS, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
"""Major types."""
BREAK = 0xFF
BROKEN, UNWANTED, TOO_LONG = "bad-cbor", "bad-item", "too-long"
"""Not CBOR; CBOR that C-DNS does not use; more octets than are held."""
MOST_DEPTH = 16
LONGEST = 32 << 20
"""Octets of an item: the tables of a block are the longest."""
_ONE_OCTET = 24  # numbers below stand in the head itself
_INDEFINITE = 31
_BOOLEANS = {0xF4: False, 0xF5: True}


class ShortError(MessageError):
    """The data end before the item does: with more of them, it may be whole."""


def read_head(data: bytes, at: int, stop: int) -> tuple[int, int | None, int]:
    """Major type and number of the item at `at`, None for an indefinite length, and where its content begins."""
    if at >= stop:
        raise ShortError("truncated-record")
    first = data[at]
    size = first & 31
    if size < _ONE_OCTET:
        return first >> 5, size, at + 1
    if size < 28:
        end = at + 1 + (1 << size - 24)
        if end > stop:
            raise ShortError("truncated-record")
        return first >> 5, int.from_bytes(data[at + 1 : end]), end
    if size == _INDEFINITE and OCTETS <= first >> 5 <= MAP:
        return first >> 5, None, at + 1
    raise MessageError(BROKEN)


def item_end(data: bytes, at: int, stop: int) -> int:
    """Where the item at `at` ends. Raises `ShortError` if that is behind `stop`, `MessageError` if it is no item."""
    left: list[int | None] = [1]
    while left:
        count = left[-1]
        if count == 0 or (count is None and data[at : at + 1] == b"\xff" and at < stop):
            at += count is None
            left.pop()
            continue
        kind, number, at = read_head(data, at, stop)
        if count is not None:
            left[-1] = count - 1
        if kind in (OCTETS, TEXT):
            at = _string_end(data, at, stop, kind, number)
        elif kind in (ARRAY, MAP):
            left.append(number if number is None or kind == ARRAY else 2 * number)
        elif kind == TAG:
            left.append(1)
        if len(left) > MOST_DEPTH:
            raise MessageError(BROKEN)
    return at


def _string_end(data: bytes, at: int, stop: int, kind: int, number: int | None) -> int:
    """Behind a string of `number` octets; an indefinite one is made of definite ones of its kind."""
    if number is not None:
        if at + number > stop:
            raise ShortError("truncated-record")
        return at + number
    while not _is_break(data, at, stop):
        inner, size, at = read_head(data, at, stop)
        if inner != kind or size is None:
            raise MessageError(BROKEN)
        at = _string_end(data, at, stop, kind, size)
    return at + 1


def _is_break(data: bytes, at: int, stop: int) -> bool:
    if at >= stop:
        raise ShortError("truncated-record")
    return data[at] == BREAK


def read_value(data: bytes, at: int, stop: int, depth: int = MOST_DEPTH) -> tuple[Value, int]:
    """The value of the item at `at`, and where it ends. Raises as `item_end`, and `MessageError` for unwanted items."""
    first = at
    if at < stop and data[at] < _ONE_OCTET:  # most are: small numbers
        return data[at], at + 1
    kind, number, at = read_head(data, at, stop)
    if kind <= NEGATIVE and number is not None:
        return number if kind == UNSIGNED else -1 - number, at
    if kind in (OCTETS, TEXT):
        return _string(data, at, stop, kind, number)
    if data[first] in _BOOLEANS:
        return _BOOLEANS[data[first]], at
    if depth == 0 or kind >= TAG:
        raise MessageError(UNWANTED)
    return (_array if kind == ARRAY else _map)(data, at, stop, number, depth - 1)


def _string(data: bytes, at: int, stop: int, kind: int, number: int | None) -> tuple[bytes | str, int]:
    end = _string_end(data, at, stop, kind, number)
    octets = data[at:end] if number is not None else _joined(data, at, end - 1)
    try:
        return octets.decode() if kind == TEXT else octets, end
    except UnicodeDecodeError:
        raise MessageError(UNWANTED) from None


def _joined(data: bytes, at: int, end: int) -> bytes:
    """The definite strings of an indefinite one."""
    parts: list[bytes] = []
    while at < end:
        _, size, at = read_head(data, at, end)
        parts.append(data[at : at + (size or 0)])
        at += size or 0
    return b"".join(parts)


def _array(data: bytes, at: int, stop: int, count: int | None, depth: int) -> tuple[list[Value], int]:
    found: list[Value] = []
    while len(found) != count:
        if count is None and _is_break(data, at, stop):
            return found, at + 1
        value, at = read_value(data, at, stop, depth)
        found.append(value)
    return found, at


def _map(data: bytes, at: int, stop: int, count: int | None, depth: int) -> tuple[dict[int, Value], int]:
    found: dict[int, Value] = {}
    while len(found) != count:
        if count is None and _is_break(data, at, stop):
            return found, at + 1
        key, at = read_value(data, at, stop, 0)
        if type(key) is not int or key in found:
            raise MessageError(UNWANTED)
        found[key], at = read_value(data, at, stop, depth)
    return found, at


class Window:
    """Items of a source, one after the other; what was stepped over is let go. Owned by one reading."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._data = b""
        self._start = 0
        self._at = 0

    @property
    def position(self) -> int:
        """Octets of the source before the next item."""
        return self._start + self._at

    def head(self, wanted: int) -> int | None:
        """Steps into an array or map: how many items or pairs it has, None for an indefinite length."""
        kind, number, end = self._read(read_head)
        if kind != wanted:
            raise MessageError(UNWANTED)
        self._at = end
        return number

    def at_end(self) -> bool:
        """Whether the source has no more octets."""
        return self._at == len(self._data) and not self._grow()

    def takes_break(self) -> bool:
        """Steps over a break if one is next."""
        if self.at_end():
            raise ShortError("truncated-record")
        is_break = self._data[self._at] == BREAK
        self._at += is_break
        return is_break

    def is_next(self, kind: int) -> bool:
        """Whether the next item is of that major type."""
        return not self.at_end() and self._data[self._at] >> 5 == kind

    def value(self, longest: int) -> tuple[Value, bytes]:
        """The next item, of up to so many octets, and its first octets. It is left where it stands if it is refused."""
        while True:
            stop = min(len(self._data), self._at + longest)
            try:
                found, end = read_value(self._data, self._at, stop)
            except ShortError:
                if stop == self._at + longest:
                    raise MessageError(TOO_LONG) from None
                if not self._grow():
                    raise
                continue
            head = self._data[self._at : min(end, self._at + 32)]
            self._at = end
            return found, head

    def octets(self) -> bytes:
        """The next item as it stands, up to `LONGEST`; whole, and of whatever kind."""
        end = self._read(item_end)
        data = self._data[self._at : end]
        self._at = end
        return data

    def _read[T](self, read: Callable[[bytes, int, int], T]) -> T:
        """What `read` makes of the next item, with as much of the source as that needs."""
        while True:
            try:
                return read(self._data, self._at, len(self._data))
            except ShortError:
                if len(self._data) - self._at > LONGEST:
                    raise MessageError(TOO_LONG) from None
                if not self._grow():
                    raise

    def _grow(self) -> bool:
        more = self._source.read_block()
        if more:
            self._start, self._data, self._at = self.position, self._data[self._at :] + more, 0
        return bool(more)
