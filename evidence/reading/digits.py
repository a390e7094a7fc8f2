"""Numbers and times as columns: eight bytes of each row at once, as one word, in NumPy.

What a function here calls good is what the plain code of `stamps.py` reads, with the same values; the reverse does not
hold, so rows that are not good go there. Buffers are `gather.padded`, ranges as in `gather.strings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evidence.reading import swar
from evidence.reading.gather import word_columns, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.gather import Bytes, Ints

_ZEROS = np.uint64(int.from_bytes(b"00000000", "little"))
_LOW, _BEYOND_NINE = np.uint64(0x7F7F7F7F7F7F7F7F), np.uint64(0x7676767676767676)
_MONTHS = np.arange("0001-01", "10000-02", dtype="M8[M]").astype("M8[D]").astype(np.int64)
"""Days from 1970 to the first of each month, from January of the year 1 on."""
MINUTE = 60_000_000
_UNIX, _DATE, _OFFSET_SIZE = 10, 19, 6  # sizes of seconds since 1970, of a date with its time, and of a zone
_ZULU_SIZE, _MILLISECONDS = 24, 13
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


_DIGITS, _TWO = template("00000000"), template("00??????")
_YEAR_MONTH, _CLOCK = template("0000-00-"), template("???00:00")
_SECONDS, _ZULU = template(":00?????"), template(":00.000Z")
_OFFSET, _MICROS = template("?00:00??"), template(".000000?")
_CLOCK_BYTES, _MICRO_BYTES = np.uint64(0xFFFF00FFFF000000), np.uint64(0x00FFFFFFFFFFFF00)


def pairs(values: Any) -> Any:
    """In each byte the number of two digits that begins there; bytes before it have to be digits or none."""
    return values * np.uint64(10) + (values >> np.uint64(8))


def pair(paired: Any, place: int) -> Any:
    return ((paired >> np.uint64(8 * place)) & np.uint64(0xFF)).astype(np.int64)


def whole(values: Any) -> Any:
    """The number of the eight digits of a word."""
    twos = pairs(values) & np.uint64(0x00FF00FF00FF00FF)
    fours = (twos * np.uint64(100) + (twos >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    return ((fours * np.uint64(10_000) + (fours >> np.uint64(32))) & np.uint64(0xFFFFFFFF)).astype(np.int64)


def leading(word: Any) -> Ints:
    """How many digits stand at the beginning of a word, 0 to 8."""
    return _leading(word ^ _ZEROS)


def leading_number(word: Any) -> tuple[Ints, Ints]:
    """How many digits stand at the beginning of a word, and the number that they are."""
    values = word ^ _ZEROS
    size = _leading(values)
    return size, _number(values, size)


def _number(values: Any, size: Ints) -> Ints:
    """The number of so many first digits, 0 to 8, by their values."""
    found: Ints = whole(values << ((swar.WORD - size).view(np.uint64) << np.uint64(3)))
    return found


def _leading(values: Any) -> Ints:
    others = (((values & _LOW) + _BEYOND_NINE) | values) & ~_LOW
    return swar.first_marked(others)


def numbers(buffer: Bytes, starts: Ints, stops: Ints) -> tuple[Any, Ints]:
    """Where there are one to eight digits, and their number."""
    size, values = stops - starts, words(buffer, starts) ^ _ZEROS
    return (size > 0) & (size <= _leading(values)), _number(values, np.clip(size, 0, swar.WORD))


def days(year: Ints, month: Ints, day: Ints) -> tuple[Any, Ints]:
    """Where there is such a day (years 1 to 9999), and how many days it is from 1970-01-01."""
    good = (year >= 1) & (year <= 9999) & (month >= 1) & (month <= 12)
    place = np.where(good, (year - 1) * 12 + month - 1, 0)
    first = _MONTHS[place]
    return good & (day >= 1) & (day <= _MONTHS[place + 1] - first), first + day - 1


def seldom(read: Callable[..., tuple[Any, Any]], *columns: Any) -> tuple[Any, Any]:
    """`read(*columns)` of columns that change seldom, as days do in a log: rows that repeat theirs are read once."""
    is_new = np.ones(len(columns[0]), dtype=bool)
    is_new[1:] = False
    for column in columns:
        is_new[1:] |= column[1:] != column[:-1]
    heads = np.flatnonzero(is_new)
    if 2 * len(heads) > len(is_new):
        return read(*columns)
    counts = np.diff(heads, append=len(is_new))
    one, two = read(*(column[heads] for column in columns))
    return np.repeat(one, counts), np.repeat(two, counts)


@dataclass(frozen=True, slots=True)
class Times:
    """Where there is a time; microseconds since 1970 in UTC, digits of the second, and the zone's minutes ahead.

    `digits`, `has_zone` and `ahead` are one value where all rows have the same. `has_zone` false: no zone is stated.
    """

    good: Any
    micros: Ints
    digits: Any
    has_zone: Any
    ahead: Any

    def but(self, is_other: Any, other: Times) -> Times:
        """These times, and in the rows of `is_other` those of `other`."""
        return Times(*(np.where(is_other, getattr(other, name), getattr(self, name)) for name in Times.__slots__))


def times(buffer: Bytes, starts: Ints, stops: Ints) -> Times:
    """ISO 8601 as most write it, or ten digits of seconds since 1970; each with up to nine digits of a fraction."""
    size = _shared(stops - starts)
    is_dated = buffer[starts + 4] == ord("-")
    if is_dated.all():
        return _iso(buffer, starts, size)
    is_unix = ~is_dated & (stops > starts)
    if is_unix.all():
        return _unix(buffer, starts, size)
    found = _iso(buffer, starts, size)
    if not is_unix.any():
        return found
    return found.but(is_unix, _unix(buffer, starts, size))


def dated(texts: Bytes, size: int) -> tuple[Any, Ints]:
    """Where texts of one size, side by side, begin as `2026-11-24T22:13:33.621051`, and microseconds since 1970."""
    first, second, ends, fraction = (swar.column(texts, size, place) for place in (0, 8, 16, _DATE))
    good, minutes = seldom(_minutes, first, second)
    usual, rest = _SECONDS.read(ends)
    exact, values = _MICROS.read(fraction)
    late, micros = pair(pairs(rest), 1), whole((values & _MICRO_BYTES) << np.uint64(8))
    return good & usual & exact & (late < 60), minutes + late * 1_000_000 + micros


def seconds_of(first: Any, second: Any, third: Any) -> tuple[Times, Any]:
    """Ten digits of seconds since 1970, a point and one to seven digits in three words, and the byte behind them."""
    (good, values), (low, ends) = _DIGITS.read(first), _TWO.read(second)
    behind = (second >> np.uint64(24)) | (third << np.uint64(40))
    count = leading(behind)
    seconds = whole(values) * 100 + pair(pairs(ends), 0)
    micros = whole((behind ^ _ZEROS) & swar.mask(count)) // 100
    good &= low & (_byte(second, 2) == ord(".")) & (count >= 1) & (count < swar.WORD)
    found = Times(good, seconds * 1_000_000 + micros, count, np.True_, np.int64(0))
    return found, swar.behind(behind, count) & swar.BYTE


def milliseconds(buffer: Bytes, starts: Ints, stops: Ints) -> Times:
    """Thirteen digits of milliseconds since 1970."""
    middle = np.maximum(stops - 8, starts)
    (good, first), (usual, last) = numbers(buffer, starts, middle), numbers(buffer, middle, stops)
    good &= usual & (stops - starts == _MILLISECONDS)
    return Times(good, (first * 100_000_000 + last) * 1000, np.int64(3), np.True_, np.int64(0))


def _shared(values: Any) -> Any:
    """The one value that all rows have, for which there is less to compute; else the column as it is."""
    return values[0] if len(values) and (values == values[0]).all() else values


def _unix(buffer: Bytes, starts: Ints, size: Any) -> Times:
    first, second, third = word_columns(buffer, starts, 3)
    (good, values), (low, ends) = _DIGITS.read(first), _TWO.read(second)
    seconds = whole(values) * 100 + pair(pairs(ends), 0)
    behind = (second >> np.uint64(24)) | (third << np.uint64(40))
    exact, micros, digits = _fractions(_byte(second, 2), behind, _byte(third, 3), size - _UNIX)
    good &= low & exact & (size >= _UNIX)
    return Times(good, seconds * 1_000_000 + micros, digits, np.True_, np.int64(0))


def _iso(buffer: Bytes, starts: Ints, size: Any) -> Times:
    first, second, ends = word_columns(buffer, starts, 3)
    good, minutes = seldom(_minutes, first, second)
    if np.ndim(size) == 0 and size == _ZULU_SIZE:
        usual, rest = _ZULU.read(ends)
        if usual.all():
            return _zulu(good, minutes, pairs(rest), rest)
    usual, rest = _SECONDS.read(ends)
    late = pair(pairs(rest), 1)
    good = good & usual & (late < 60)
    zoned, has_zone, ahead, zone = _zones(buffer, starts + size, size - _DATE)
    point = starts + _DATE
    behind = words(buffer, point + 1)
    exact, micros, digits = _fractions(buffer[point], behind, buffer[point + FRACTION], size - zone - _DATE)
    good = good & zoned & exact & (size - zone >= _DATE)
    return Times(good, minutes + (late - ahead * 60) * 1_000_000 + micros, digits, has_zone, ahead)


def _zulu(good: Any, minutes: Ints, paired: Any, rest: Any) -> Times:
    """Times that all end as `:00.000Z`, which most programs write."""
    second = pair(paired, 1)
    milli = pair(paired, 4) * 10 + ((rest >> np.uint64(48)) & np.uint64(0xFF)).astype(np.int64)
    return Times(good & (second < 60), minutes + (second * 1000 + milli) * 1000, np.int64(3), np.True_, np.int64(0))


def _minutes(first: Any, second: Any) -> tuple[Any, Ints]:
    """Microseconds since 1970 of `2016-08-` and `15T12:00`."""
    (usual, clock), between = _CLOCK.read(second), (second >> np.uint64(16)) & np.uint64(0xFF)
    dated, day = seldom(_dates, first, second & np.uint64(0xFFFF))
    paired = pairs(clock & _CLOCK_BYTES)
    hour, minute = pair(paired, 3), pair(paired, 6)
    good = dated & usual & (hour < 24) & (minute < 60) & ((between == ord("T")) | (between == ord(" ")))
    return good, (day * 1440 + hour * 60 + minute) * MINUTE


def _dates(first: Any, second: Any) -> tuple[Any, Ints]:
    """Days since 1970 of `2016-08-` and `15`; years at the calendar's edges are left out: an offset may lead over."""
    (usual, date), (ends, rest) = _YEAR_MONTH.read(first), _TWO.read(second)
    paired = pairs(date)
    year = pair(paired, 0) * 100 + pair(paired, 2)
    good, day = days(year, pair(paired, 5), pair(pairs(rest), 0))
    return good & usual & ends & (year > 1) & (year < 9999), day


def _zones(buffer: Bytes, stops: Ints, size: Any) -> tuple[Any, Any, Ints, Any]:
    """Where a zone is none or good, whether there is one, its minutes ahead, and its size at the end of the text.

    The text ends at `stops`, and `size` bytes of it are no date; it may be shorter than a date.
    """
    is_utc = (buffer[stops - 1] == ord("Z")) & (size > 0)
    sign = buffer[np.maximum(stops - _OFFSET_SIZE, 0)]
    is_offset = ((sign == ord("+")) | (sign == ord("-"))) & (size >= _OFFSET_SIZE) & ~is_utc
    none = np.zeros(len(stops), dtype=np.int64)
    if not is_offset.any():
        return True, is_utc, none, _shared(is_utc.astype(np.int64))
    usual, values = _OFFSET.read(words(buffer, np.maximum(stops - _OFFSET_SIZE, 0)))
    hour, minute = (pair(pairs(values & np.uint64(0x0F0F000F0F00)), at) for at in (1, 4))
    ahead = np.where(is_offset, (hour * 60 + minute) * np.where(sign == ord("-"), -1, 1), none)
    good = ~is_offset | (usual & (hour < 24) & (minute < 60))
    return good, is_utc | is_offset, ahead, np.where(is_offset, _OFFSET_SIZE, is_utc.astype(np.int64))


def _byte(word: Any, place: int) -> Any:
    return (word >> np.uint64(8 * place)) & np.uint64(0xFF)


def _fractions(point: Any, behind: Any, ninth: Any, size: Any) -> tuple[Any, Ints, Any]:
    """Where nothing or a point and one to nine digits stand, their microseconds, and how many digits there are.

    `point` is the byte where the point should be, `behind` the word behind it, `ninth` the byte behind that.
    """
    count = size - 1
    is_none = count == -1
    if np.all(is_none):
        none = np.zeros(len(point), dtype=np.int64)
        return np.ones(len(point), dtype=bool), none, none
    mask = swar.mask(count)
    good, values = _DIGITS.read((behind & mask) | (_ZEROS & ~mask))
    good &= (point == ord(".")) & (count >= 1) & (count <= FRACTION)
    if np.any(count == FRACTION):
        good &= (count < FRACTION) | ((ninth >= ord("0")) & (ninth <= ord("9")))
    micros = whole(values) // 100
    return good | is_none, np.where(is_none, 0, micros) if np.any(is_none) else micros, np.maximum(count, 0)
