"""Whoever failed is left alone for longer and longer, by every worker, until it answers."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest
from django.utils import timezone

from archive.services import pauses
from archive.services.pauses import Pauses

pytestmark = pytest.mark.django_db
BEGUN = timezone.now()
FIRST, LONGEST = dt.timedelta(seconds=5), dt.timedelta(seconds=120)
PAUSES, OTHERS = Pauses("a kind", FIRST, LONGEST), Pauses("another", FIRST, LONGEST)


@pytest.fixture
def at(monkeypatch):
    def seconds(count: float) -> None:
        now = BEGUN + dt.timedelta(seconds=count)
        monkeypatch.setattr(pauses, "timezone", SimpleNamespace(now=lambda: now))

    return seconds


def test_pauses_grow_to_an_end_and_are_forgotten_after_an_answer(at) -> None:
    now = 0.0
    for length in (5, 10, 20, 40, 80, 120, 120):
        at(now)
        PAUSES.begin("a")
        at(now + length - 1)
        assert PAUSES.under_way("ab") == {"a"}
        now += length + 1
        at(now)
        assert PAUSES.under_way("ab") == set()
    for kind in (PAUSES, OTHERS):
        kind.begin("a")
    PAUSES.forget("a")
    assert (PAUSES.under_way("ab"), OTHERS.under_way("ab")) == (set(), {"a"})
    PAUSES.begin("a")
    at(now + 6)
    assert PAUSES.under_way("ab") == set()


def test_a_pause_of_tomorrow_is_over(at) -> None:
    at(86_400)
    PAUSES.begin("a")
    at(0)
    assert PAUSES.under_way("ab") == set()


def test_a_name_that_is_longer_than_the_column_is_left_alone_and_forgotten_as_others_are(at) -> None:
    name = "http://a.example/" + 400 * "a"
    at(0)
    for _ in range(2):
        PAUSES.begin(name)
        assert PAUSES.under_way([name, "http://b.example/"]) == {name}
    PAUSES.forget(name)
    assert PAUSES.under_way([name]) == set()
