"""What repeats from row to row is read once, and nobody can tell."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.reading import gather
from evidence.reading.digits import leading, leading_number, seldom, times
from evidence.reading.stamps import parse_time, unix_time

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
ZULU = st.from_regex(
    r"(2016|1999)-(0[1-9]|1[0-3])-(0[1-9]|[23][0-9])[T ]([01][0-9]|2[0-4]):[0-6][0-9]:[0-6][0-9][.][0-9]{3}Z",
    fullmatch=True,
)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(1, 9)), min_size=1))
def test_columns_that_change_seldom_are_read_as_if_each_row_was_read(runs: list[tuple[int, int, int]]) -> None:
    rows = np.array([run[:2] for run in runs for _ in range(run[2])])
    asked = []

    def read(first: Any, second: Any) -> tuple[Any, Any]:
        asked.append(len(first))
        return first * 10 + second, second == 1

    found = seldom(read, rows[:, 0], rows[:, 1])
    assert [part.tolist() for part in found] == [part.tolist() for part in read(rows[:, 0], rows[:, 1])]
    changes = 1 + int((np.diff(rows, axis=0) != 0).any(axis=1).sum())
    assert asked[0] == (changes if 2 * changes <= len(rows) else len(rows))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(ZULU | st.sampled_from(["2016-08-15T12:00:00.250Z", "2016-08-15T12:00:59.250Z"]), min_size=1, max_size=6)
)
def test_times_as_most_programs_write_them_are_read_as_one_by_one(written: list[str]) -> None:
    stops = np.cumsum([len(text) + 1 for text in written])
    buffer = gather.padded(",".join([*written, ""]).encode())
    found = times(buffer, stops - [len(text) + 1 for text in written], stops - 1)
    for place, text in enumerate(written):
        wanted = parse_time(text)
        assert bool(found.good[place]) == (wanted is not None)
        if wanted:
            assert found.micros[place] == round(wanted["time"].timestamp() * 1_000_000)
            assert (found.digits, found.has_zone, found.ahead) == (3, True, 0)


@given(
    st.lists(st.binary(min_size=8, max_size=8) | st.text("0459/:", min_size=8, max_size=8).map(str.encode), min_size=1)
)
def test_digits_at_the_beginning_of_a_word_are_counted(written: list[bytes]) -> None:
    digits = [len(word) - len(word.lstrip(b"0123456789")) for word in written]
    words = np.frombuffer(b"".join(written), "<u8")
    assert leading(words).tolist() == digits
    sizes, numbers = leading_number(words)
    assert sizes.tolist() == digits
    assert numbers.tolist() == [int(word[:size] or b"0") for word, size in zip(written, digits, strict=True)]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.from_regex(r"[0-9:]{9,11}([.,][0-9x]{0,10})?", fullmatch=True) | st.just("1471262400.25"),
        min_size=1,
        max_size=6,
    )
)
def test_seconds_since_1970_are_read_as_one_by_one(written: list[str]) -> None:
    stops = np.cumsum([len(text) + 1 for text in written])
    buffer = gather.padded(",".join([*written, ""]).encode())
    found = times(buffer, stops - [len(text) + 1 for text in written], stops - 1)
    micros, shown = (np.broadcast_to(part, len(written)) for part in (found.micros, found.digits))
    for place, text in enumerate(written):
        usual = re.fullmatch(r"([0-9]{10})(?:[.]([0-9]{1,9}))?", text)
        assert bool(found.good[place]) == (usual is not None)
        if usual:
            wanted = unix_time(usual[1], usual[2] or "")
            assert wanted is not None
            assert micros[place] == (wanted["time"] - EPOCH) // dt.timedelta(microseconds=1)
            assert shown[place] == wanted["time_digits"]
