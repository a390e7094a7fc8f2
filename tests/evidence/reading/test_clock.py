"""Times that leave out their zone or year take what was stated, and the report says what was taken."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pyarrow as pa
import pytest

from evidence.errors import ReadingError
from evidence.formats import bind
from evidence.reading.clock import split_parameters
from evidence.table.schema import LOOKUPS, SIGHTINGS, complete

YEARLESS = replace(bind.FORMAT, has_year=False)


def rows(*times: str | None, zone: str | None = None) -> pa.Table:
    stamps = [dt.datetime.fromisoformat(time).replace(tzinfo=dt.UTC) if time else None for time in times]
    count = len(times)
    columns = {
        "line": pa.array(range(count), pa.int64()), "start": pa.array(range(count), pa.int64()),
        "stop": pa.array(range(1, count + 1), pa.int64()), "time": pa.array(stamps, LOOKUPS.field("time").type),
        "time_zone": pa.array([zone] * count, pa.string()), "event": pa.array(["query"] * count),
        "name": pa.array(["a"] * count),
    }  # fmt: skip
    return complete(columns, count, LOOKUPS)


def read(form, parameters: dict, *tables: pa.Table) -> tuple[list[str], list[str]]:
    _, clock = split_parameters(form, parameters)
    found = [time for table in tables for time in clock.to_utc(table)["time"].to_pylist()]
    return [time.isoformat(" ")[:19] if time else "" for time in found], clock.notes()


def test_without_a_zone_utc_is_assumed_and_said() -> None:
    times, notes = read(bind.FORMAT, {}, rows("2016-05-04 00:00:12", None))
    assert times == ["2016-05-04 00:00:12", ""]
    assert notes == [
        "Assumed UTC: the source states no time zone for 1 row, and nobody stated one.", "Without a time: 1 row."
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "time"),
    [("+02:00", "2016-05-03 22:00:12"), ("-05:30", "2016-05-04 05:30:12"), ("Europe/Berlin", "2016-05-03 22:00:12"),
     ("UTC", "2016-05-04 00:00:12")],
)  # fmt: skip
def test_a_stated_zone_is_taken(zone: str, time: str) -> None:
    times, notes = read(bind.FORMAT, {"zone": zone}, rows("2016-05-04 00:00:12"))
    assert times == [time]
    assert notes == [f"The source states no time zone for 1 row: taken as {zone}, as was stated."]


def test_when_a_sighting_was_last_seen_is_moved_too() -> None:
    first, last = dt.datetime(2016, 8, 15, 12, tzinfo=dt.UTC), dt.datetime(2016, 8, 15, 12, 30, tzinfo=dt.UTC)
    columns = {
        "time": pa.array([first] * 3, SIGHTINGS.field("time").type), "time_zone": pa.array([None, "UTC", None]),
        "last": pa.array([last, last, None], SIGHTINGS.field("last").type),
    }  # fmt: skip
    _, clock = split_parameters(bind.FORMAT, {"zone": "Europe/Berlin"})
    moved = clock.to_utc(complete(columns, 3, SIGHTINGS))
    assert [time.hour for time in moved["time"].to_pylist()] == [10, 12, 10]
    assert moved["last"].to_pylist() == [last.replace(hour=10), last, None]
    assert moved.schema.equals(SIGHTINGS)


def test_rows_that_state_their_zone_are_left_as_they_are() -> None:
    assert read(bind.FORMAT, {"zone": "+02:00"}, rows("2016-05-04 00:00:12", zone="UTC")) == (
        ["2016-05-04 00:00:12"], []
    )  # fmt: skip


def test_of_an_hour_that_a_zone_has_twice_the_earlier_is_taken_and_said() -> None:
    times, notes = read(bind.FORMAT, {"zone": "Europe/Berlin"}, rows("2016-10-30 02:30:00", "2016-10-30 12:00:00"))
    assert times == ["2016-10-30 00:30:00", "2016-10-30 11:00:00"]
    assert "In an hour that Europe/Berlin has twice or not at all: 1 time. The earlier is taken." in notes


def test_a_year_is_that_of_the_first_row_and_turns_with_the_time() -> None:
    tables = rows("2000-12-30 00:00:00", "2000-12-31 23:59:59", "2000-01-01 00:00:01"), rows("2000-03-01 00:00:00")
    times, notes = read(YEARLESS, {"year": 2015}, *tables)
    assert times == ["2015-12-30 00:00:00", "2015-12-31 23:59:59", "2016-01-01 00:00:01", "2016-03-01 00:00:00"]
    assert (
        "The source states no year: 2015 is taken for the first row, as was stated, and 1 turn of the year found."
        in notes
    )


def test_a_line_of_the_old_year_that_was_written_late_turns_no_year() -> None:
    """Two threads of a server at midnight: each fall back would be taken for one more year."""
    old, new = "2000-12-31 23:59:59", "2000-01-01 00:00:00"
    tables = rows(old, new, old, new), rows(old, new, "2000-12-30 23:00:00")
    times, notes = read(YEARLESS, {"year": 2015}, *tables)
    first, second = "2015-12-31 23:59:59", "2016-01-01 00:00:00"
    assert times == [first, second, first, second, first, second, "2016-12-30 23:00:00"]
    assert "1 turn of the year found" in notes[-1]
    assert read(YEARLESS, {"year": 2016}, rows(new, old, new))[0] == [second, first, second]


def test_a_day_that_the_stated_year_does_not_have_is_no_time() -> None:
    assert read(YEARLESS, {"year": 2015}, rows("2000-02-29 10:00:00"))[0] == [""]
    assert read(YEARLESS, {"year": 2016}, rows("2000-02-29 10:00:00"))[0] == ["2016-02-29 10:00:00"]


def test_until_a_year_is_stated_there_are_no_times() -> None:
    times, notes = read(YEARLESS, {}, rows("2000-05-04 00:00:00"))
    assert times == [""]
    assert "The source states no year: times are left out until one is stated." in notes


@pytest.mark.parametrize("zone", ["Mars/Olympus", "+25:00", "2", "", "../etc/passwd"])
def test_a_zone_that_nobody_knows_is_refused_in_words(zone: str) -> None:
    with pytest.raises(ReadingError, match="write UTC, an offset as"):
        split_parameters(bind.FORMAT, {"zone": zone})


def test_what_a_format_states_itself_cannot_be_stated_otherwise() -> None:
    with pytest.raises(ReadingError, match="leave out the year"):
        split_parameters(bind.FORMAT, {"year": 2016})
    with pytest.raises(ReadingError, match="leave out the zone"):
        split_parameters(replace(bind.FORMAT, has_zone=True), {"zone": "UTC"})
    with pytest.raises(ReadingError, match="year 3000"):
        split_parameters(YEARLESS, {"year": 3000})
