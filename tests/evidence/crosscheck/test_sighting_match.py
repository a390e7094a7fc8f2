"""Matching sightings with lookups: one to one, as many as can be, against trying everything."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.crosscheck.sighting_match import matches

TIMES = st.lists(st.integers(0, 30), max_size=5).map(sorted)


def most(lookups: list[int], sightings: list[int], tolerance: int) -> int:
    """The largest number of pairs, by trying every order."""
    padded = [*lookups, *[None] * len(sightings)]
    return max(
        sum(ours is not None and abs(ours - theirs) <= tolerance for ours, theirs in zip(order, sightings, strict=True))
        for order in permutations(padded, len(sightings))
    )


@settings(max_examples=80, deadline=None)
@given(TIMES, st.lists(st.integers(0, 30), max_size=4).map(sorted), st.integers(0, 8))
def test_no_sighting_goes_without_that_could_be_matched(lookups: list, sightings: list, tolerance: int) -> None:
    ones = np.ones(len(sightings), dtype=np.int64)
    matched, used = matches(np.array(lookups, np.int64), np.array(sightings, np.int64), ones, tolerance)
    assert matched.sum() == used.sum() == most(lookups, sightings, tolerance)


def test_a_sighting_does_not_take_the_only_lookup_of_the_next() -> None:
    matched, used = matches(np.array([-10, 4]), np.array([0, 10]), np.array([1, 1]), 10)
    assert matched.tolist() == used.tolist() == [True, True]


def test_a_lone_sighting_has_its_nearest_lookup() -> None:
    _, used = matches(np.array([1, 6, 9]), np.array([7]), np.array([1]), 10)
    assert used.tolist() == [False, True, False]


def test_a_sighting_of_several_needs_as_many() -> None:
    lookups = np.array([1, 2, 3])
    assert matches(lookups, np.array([2]), np.array([3]), 1)[0].tolist() == [True]
    assert matches(lookups, np.array([2]), np.array([4]), 1)[0].tolist() == [False]
