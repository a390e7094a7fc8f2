"""From the times of a log to UTC: the zone and the year that a log leaves out are taken from the uploader, and said.

Where no zone is stated, times are taken as UTC and the report says so. A year that is stated holds from the first row
on; where the time falls back by more than half a year, the next year has begun. Where it leaps ahead by all of a year
but its last day, it is a line of the old year that was written late, as servers with several threads do.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.errors import ReadingError
from evidence.reading.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evidence.reading.format import Format

_OFFSET = re.compile(r"([+-])([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_QUARTER = 15 * 60 * 1_000_000  # zones change their offset at full quarters of an hour
_DAY = 86_400 * 1_000_000
_HALF_YEAR, _WHOLE_YEAR = 182 * _DAY, 366 * _DAY
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 -- local time, whose zone is what is looked for
_FIRST, _LAST = 0, 2**55  # microseconds; beyond, no calendar of the standard library reaches
YEARS = range(1970, 2200)
LEAP_YEAR = 2000
"""Readers of logs without a year put their times into this one, which has a 29 February."""


def split_parameters(form: Format, parameters: Mapping[str, Any]) -> tuple[dict[str, Any], Clock]:
    """The format's own parameters, and the clock that the common ones `zone` and `year` set.

    Raises `ReadingError` for a zone or year that is none, or that the format states itself.
    """
    own = dict(parameters)
    zone, year = own.pop("zone", None), own.pop("year", None)
    if zone is not None and form.has_zone:
        raise ReadingError(f"{form.procedure} states the zone of its times; leave out the zone")
    if year is not None and form.has_year:
        raise ReadingError(f"{form.procedure} states the year of its times; leave out the year")
    if zone is not None:
        check_zone(zone)
    if year is not None and (type(year) is not int or year not in YEARS):
        raise ReadingError(f"year {year!r}: write one from {YEARS[0]} to {YEARS[-1]}")
    return own, Clock(form, zone, year)


def check_zone(zone: str) -> None:
    """Raises `ReadingError` for a zone that nobody knows."""
    offset_at(zone, _EPOCH)


def offset_at(zone: str, local: dt.datetime, fold: int = 0) -> dt.timedelta:
    """How far local time is ahead of UTC. Raises `ReadingError` for a zone that nobody knows."""
    found = _OFFSET.fullmatch(str(zone))
    if zone == "UTC":
        return dt.timedelta()
    if found:
        size = dt.timedelta(hours=int(found[2]), minutes=int(found[3]))
        return -size if found[1] == "-" else size
    try:
        offset = zoneinfo.ZoneInfo(zone).utcoffset(local.replace(fold=fold))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise ReadingError(f"zone {zone!r}: write UTC, an offset as +02:00, or a name as Europe/Berlin") from error
    return offset or dt.timedelta()


@dataclass(slots=True)
class Clock:
    """Turns the rows of one reading, in order, to UTC; it counts what it took on whose word."""

    form: Format
    zone: str | None
    year: int | None
    local: int = 0
    twice: int = 0
    turned: int = 0
    untimed: int = 0
    _last: int | None = None

    def to_utc(self, rows: pa.Table) -> pa.Table:
        """The same rows; those whose zone is not stated moved from local time to UTC."""
        if (self.form.has_zone and self.form.has_year) or not len(rows):
            self.untimed += rows["time"].null_count
            return rows
        if self.form.has_year and self.zone in (None, "UTC"):
            self.untimed += rows["time"].null_count
            is_local = pc.and_(pc.is_valid(rows["time"]), pc.is_null(rows["time_zone"]))
            self.local += pc.sum(is_local).as_py()
            return rows
        values, known = _micros(rows["time"])
        if not self.form.has_year and known.any():
            values[known], exists = self._turn_years(values[known])
            known[known] = exists & (self.year is not None)
        is_local = known & pc.is_null(rows["time_zone"].combine_chunks()).to_numpy(zero_copy_only=False)
        self.local += int(is_local.sum())
        if self.zone not in (None, "UTC"):
            values[is_local] -= self._offsets(values[is_local])
        self.untimed += int((~known).sum())
        return self._last_to_utc(_with_times(rows, "time", values, known), is_local)

    def _last_to_utc(self, rows: pa.Table, is_local: Any) -> pa.Table:
        """When a sighting was last seen stands in the zone in which it was first seen (`mapping.convert`)."""
        if "last" not in rows.column_names or self.zone in (None, "UTC"):
            return rows
        values, known = _micros(rows["last"])
        moved = is_local & known
        values[moved] -= self._offsets(values[moved])
        return _with_times(rows, "last", values, known)

    def _turn_years(self, values: Any) -> tuple[Any, Any]:
        """Times in the years that are meant, and which of them are no day of theirs (29 February)."""
        steps = np.diff(values, prepend=values[0] if self._last is None else self._last)
        turns = (steps < -_HALF_YEAR).astype(np.int64) - (steps > _WHOLE_YEAR - _DAY)
        later = self.turned + np.cumsum(turns)
        self.turned, self._last = int(later[-1]), int(values[-1])
        times = values.view("M8[us]")
        months = times.astype("M8[M]")
        moved = months + 12 * ((self.year or LEAP_YEAR) - LEAP_YEAR + later)
        turned = moved.astype("M8[us]") + (times - months.astype("M8[us]"))
        return turned.view(np.int64), turned.astype("M8[M]") == moved

    def _offsets(self, values: Any) -> Any:
        """How far each local time is ahead, in microseconds; looked up once a quarter of an hour."""
        quarters, places = np.unique(np.clip(values, _FIRST, _LAST) // _QUARTER, return_inverse=True)
        ahead, later = (
            np.array(
                [_microseconds(self.zone or "UTC", int(quarter) * _QUARTER, fold) for quarter in quarters],
                dtype=np.int64,
            )
            for fold in (0, 1)
        )
        self.twice += int((ahead != later)[places].sum())
        return ahead[places]

    def notes(self) -> list[str]:
        """What a reader of the result has to know about its times."""
        found, local = [], amount(self.local, "row")
        if self.local and self.zone is None:
            found.append(f"Assumed UTC: the source states no time zone for {local}, and nobody stated one.")
        elif self.local:
            found.append(f"The source states no time zone for {local}: taken as {self.zone}, as was stated.")
        if self.twice:
            twice = amount(self.twice, "time")
            found.append(f"In an hour that {self.zone} has twice or not at all: {twice}. The earlier is taken.")
        if not self.form.has_year and self.year is None:
            found.append("The source states no year: times are left out until one is stated.")
        elif not self.form.has_year:
            later = f", and {amount(self.turned, 'turn')} of the year found" if self.turned > 0 else ""
            found.append(f"The source states no year: {self.year} is taken for the first row, as was stated{later}.")
        if self.untimed:
            found.append(f"Without a time: {amount(self.untimed, 'row')}.")
        return found


def _micros(times: pa.ChunkedArray) -> tuple[Any, Any]:
    """Microseconds since 1970, of one's own to change, and which of them are known."""
    found = times.combine_chunks().cast(pa.timestamp("us")).cast(pa.int64())
    known = pc.is_valid(found).to_numpy(zero_copy_only=False)
    return found.fill_null(0).to_numpy(zero_copy_only=False).copy(), known


def _with_times(rows: pa.Table, name: str, values: Any, known: Any) -> pa.Table:
    field = rows.schema.field(name)
    times = pa.array(values, pa.int64(), mask=~known).view(field.type)
    return rows.set_column(rows.schema.get_field_index(name), field, times)


def _microseconds(zone: str, at: int, fold: int) -> int:
    return offset_at(zone, _EPOCH + dt.timedelta(microseconds=at), fold) // dt.timedelta(microseconds=1)
