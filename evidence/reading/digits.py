"""Numbers and times as columns: eight bytes of each row at once, as one word, in NumPy.

What a function here calls good is what the plain code of `stamps.py` reads, with the same values; the reverse does not
hold, so rows that are not good go there. Buffers are `gather.padded`, ranges as in `gather.strings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evidence.reading.gather import words

if TYPE_CHECKING:
    from evidence.reading.gather import Bytes, Ints

_ZEROS = np.uint64(int.from_bytes(b"00000000", "little"))
_ALL = np.uint64(2**64 - 1)
_MONTHS = np.arange("0001-01", "10000-02", dtype="M8[M]").astype("M8[D]").astype(np.int64)
"""Days from 1970 to the first of each month, from January of the year 1 on."""
MINUTE = 60_000_000
_UNIX, _DATE = 10, 19  # sizes of seconds since 1970 and of a date with its time
FRACTION = 9  # digits


@dataclass(frozen=True, slots=True)
class Template:
    """Eight bytes of which some are digits, some stand for themselves, and some are not looked at."""

    flip: np.uint64
    carry: np.uint64
    mask: np.uint64

    def read(self, word: Any) -> tuple[Any, Any]:
        """Where words look like this, and the value of each digit in its byte; of other bytes nothing is said."""
        values = word ^ self.flip
        return ((values | (values + self.carry)) & self.mask) == 0, values


def template(text: str) -> Template:
    """`0` for a digit, `?` for any byte, anything else for itself."""
    flip, carry, mask = (
        np.uint64(int.from_bytes(bytes(part), "little"))
        for part in (
            [0 if char == "?" else ord(char) for char in text],
            [6 if char == "0" else 0 for char in text],
            [{"0": 0xF0, "?": 0}.get(char, 0xFF) for char in text],
        )
    )
    return Template(flip, carry, mask)


_DIGITS = template("00000000")
_YEAR_MONTH, _DAY_HOUR, _CLOCK = template("0000-00-"), template("00?00:00"), template("00:00:00")
_OFFSET = template("?00:00??")


def pairs(values: Any) -> Any:
    """In each byte the number of two digits that begins there."""
    return values * np.uint64(10) + (values >> np.uint64(8))


def pair(paired: Any, place: int) -> Any:
    return ((paired >> np.uint64(8 * place)) & np.uint64(0xFF)).astype(np.int64)


def whole(values: Any) -> Any:
    """The number of the eight digits of a word."""
    twos = pairs(values) & np.uint64(0x00FF00FF00FF00FF)
    fours = (twos * np.uint64(100) + (twos >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    return ((fours * np.uint64(10_000) + (fours >> np.uint64(32))) & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _first(count: Ints) -> Any:
    """A mask of so many first bytes of a word, 0 to 8."""
    sizes = np.clip(count, 0, 8).astype(np.uint64) * np.uint64(8)
    return np.where(sizes == 0, np.uint64(0), _ALL >> ((np.uint64(64) - sizes) & np.uint64(63)))


def numbers(buffer: Bytes, starts: Ints, stops: Ints) -> tuple[Any, Ints]:
    """Where there are one to eight digits, and their number."""
    sizes = stops - starts
    mask = _first(sizes)
    good, values = _DIGITS.read((words(buffer, starts) & mask) | (_ZEROS & ~mask))
    shift = ((8 - np.clip(sizes, 1, 8)) * 8).astype(np.uint64)
    return good & (sizes >= 1) & (sizes <= 8), whole(values << shift)


def days(year: Ints, month: Ints, day: Ints) -> tuple[Any, Ints]:
    """Where there is such a day (years 1 to 9999), and how many days it is from 1970-01-01."""
    good = (year >= 1) & (year <= 9999) & (month >= 1) & (month <= 12)
    place = np.where(good, (year - 1) * 12 + month - 1, 0)
    first = _MONTHS[place]
    return good & (day >= 1) & (day <= _MONTHS[place + 1] - first), first + day - 1


@dataclass(frozen=True, slots=True)
class Times:
    """Where there is a time; microseconds since 1970 in UTC, digits of the second, and the zone's minutes ahead.

    `has_zone` false: no zone is stated.
    """

    good: Any
    micros: Ints
    digits: Ints
    has_zone: Any
    ahead: Ints


def times(buffer: Bytes, starts: Ints, stops: Ints) -> Times:
    """ISO 8601 as most write it, or ten digits of seconds since 1970; each with up to nine digits of a fraction."""
    is_unix = (buffer[starts + 4] != ord("-")) & (stops > starts)
    if is_unix.all():
        return _unix(buffer, starts, stops)
    found = _iso(buffer, starts, stops)
    if not is_unix.any():
        return found
    other = _unix(buffer, starts, stops)
    return Times(*(np.where(is_unix, getattr(other, name), getattr(found, name)) for name in Times.__slots__))


def _unix(buffer: Bytes, starts: Ints, stops: Ints) -> Times:
    (good, values), (low, ends) = (_DIGITS.read(words(buffer, starts + at)) for at in (0, 2))
    paired = pairs(ends)
    seconds = whole(values) * 100 + pair(paired, 6)
    exact, micros, digits = _fractions(buffer, starts + _UNIX, stops)
    stated = np.ones(len(starts), dtype=bool)
    return Times(
        good & low & exact & (stops - starts >= _UNIX), seconds * 1_000_000 + micros, digits, stated,
        np.zeros(len(starts), dtype=np.int64),
    )  # fmt: skip


def _iso(buffer: Bytes, starts: Ints, stops: Ints) -> Times:
    good, day = _dates(buffer, starts)
    (usual, clock), between = _CLOCK.read(words(buffer, starts + 11)), buffer[starts + 10]
    hour, minute, second = (pair(pairs(clock), place) for place in (0, 3, 6))
    good &= usual & (hour < 24) & (minute < 60) & (second < 60) & ((between == ord("T")) | (between == ord(" ")))
    zoned, has_zone, ahead, size = _zones(buffer, starts + _DATE, stops)
    exact, micros, digits = _fractions(buffer, starts + _DATE, stops - size)
    good &= zoned & exact & (stops - size - starts >= _DATE)
    seconds = day * 86_400 + hour * 3600 + (minute - ahead) * 60 + second
    return Times(good, seconds * 1_000_000 + micros, digits, has_zone, ahead)


def _dates(buffer: Bytes, starts: Ints) -> tuple[Any, Ints]:
    """Days since 1970; years at the calendar's edges are left out, as an offset may lead over them."""
    (first, date), (second, rest) = (
        kind.read(words(buffer, starts + at)) for kind, at in ((_YEAR_MONTH, 0), (_DAY_HOUR, 8))
    )
    paired = pairs(date)
    year = pair(paired, 0) * 100 + pair(paired, 2)
    good, day = days(year, pair(paired, 5), pair(pairs(rest), 0))
    return good & first & second & (year > 1) & (year < 9999), day


def _zones(buffer: Bytes, starts: Ints, stops: Ints) -> tuple[Any, Any, Ints, Ints]:
    """Where a zone is none or good, whether there is one, its minutes ahead, and its size at the end of the text."""
    is_utc = (buffer[stops - 1] == ord("Z")) & (stops > starts)
    place = np.maximum(stops - 6, 0)
    sign = buffer[place]
    is_offset = ((sign == ord("+")) | (sign == ord("-"))) & (stops - starts >= 6) & ~is_utc
    none = np.zeros(len(starts), dtype=np.int64)
    if not is_offset.any():
        return np.ones(len(starts), dtype=bool), is_utc, none, is_utc.astype(np.int64)
    usual, values = _OFFSET.read(words(buffer, place))
    hour, minute = (pair(pairs(values & np.uint64(0x0F0F000F0F00)), at) for at in (1, 4))
    ahead = np.where(is_offset, (hour * 60 + minute) * np.where(sign == ord("-"), -1, 1), none)
    good = ~is_offset | (usual & (hour < 24) & (minute < 60))
    return good, is_utc | is_offset, ahead, np.where(is_offset, 6, is_utc.astype(np.int64))


def _fractions(buffer: Bytes, starts: Ints, stops: Ints) -> tuple[Any, Ints, Ints]:
    """Where nothing or a point and one to nine digits stand, their microseconds, and how many digits there are."""
    size = stops - starts - 1
    if (size == -1).all():
        none = np.zeros(len(starts), dtype=np.int64)
        return np.ones(len(starts), dtype=bool), none, none
    mask = _first(size)
    good, values = _DIGITS.read((words(buffer, starts + 1) & mask) | (_ZEROS & ~mask))
    ninth = buffer[starts + FRACTION]
    good &= (buffer[starts] == ord(".")) & (size >= 1) & (size <= FRACTION)
    good &= (size < FRACTION) | ((ninth >= ord("0")) & (ninth <= ord("9")))
    micros = whole(values) // 100
    is_none = size == -1
    return good | is_none, np.where(is_none, 0, micros), np.maximum(size, 0)
