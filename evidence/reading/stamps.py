"""Times as logs write them: to microseconds in UTC, with the digits and the zone that are stated.

Each function gives the columns `time`, `time_digits` and `time_zone`, or None for what is no time. A time without a
zone stands in local time, one without a year in `LEAP_YEAR`: the clock moves both (`clock.py`).
"""

from __future__ import annotations

import calendar
import datetime as dt
from typing import Any

from evidence.reading.clock import LEAP_YEAR

MONTHS = {name.encode(): number for number, name in enumerate(calendar.month_abbr) if name}
NO_TIME: dict[str, Any] = {"time": None, "time_digits": None, "time_zone": None}
"""Columns of a record that states no time."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def parse_time(text: str) -> dict[str, Any] | None:
    """ISO 8601, or seconds since 1970."""
    text = text.strip()
    if is_number(text.replace(".", "", 1), 30) and len(text) >= 9:
        return unix_time(*text.partition(".")[::2])
    return iso_time(text)


def iso_time(text: str) -> dict[str, Any] | None:
    """ISO 8601 with or without its zone."""
    try:
        time = dt.datetime.fromisoformat(text)
        zone = None if time.tzinfo is None else f"{time:%:z}"
        utc = time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    return {"time": utc, "time_digits": _digits(text), "time_zone": "UTC" if zone == "+00:00" else zone}


def unix_time(seconds: str, fraction: str = "") -> dict[str, Any] | None:
    """Seconds since 1970, exact to the microsecond, which a float is not; further digits are cut off."""
    try:
        whole = dt.timedelta(seconds=int(seconds or "0"), microseconds=int(fraction[:6].ljust(6, "0")))
        time = _EPOCH + whole
    except (ValueError, OverflowError):
        return None
    return {"time": time, "time_digits": min(len(fraction), 9), "time_zone": "UTC"}


def undated_time(month: bytes, day: bytes, clock: bytes) -> dict[str, Any] | None:
    """`Nov`, ` 4`, `22:11:57` of RFC 3164 §4.1.2: neither year nor zone; perhaps a fraction of the second."""
    whole, _, fraction = clock.partition(b".")
    try:
        hour, minute, second = map(int, whole.split(b":"))
        micros = int(fraction[:6].ljust(6, b"0"))
        time = dt.datetime(LEAP_YEAR, MONTHS[month], int(day), hour, minute, second, micros, tzinfo=dt.UTC)
    except (KeyError, ValueError):
        return None
    return {"time": time, "time_digits": len(fraction), "time_zone": None}


def is_number(text: str, digits: int) -> bool:
    """ASCII digits only, and at most so many."""
    return text.isascii() and text.isdecimal() and len(text) <= digits


def _digits(text: str) -> int:
    """How many digits of a second ISO 8601 states."""
    fraction = text.replace(",", ".").partition(".")[2]
    return min(len(fraction) - len(fraction.lstrip("0123456789")), 9)
