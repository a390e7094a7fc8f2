"""Events of keys that are left out: each leaves a hole that is told by code, but the newest turn of keys nobody uses."""

from __future__ import annotations

import pytest

from evidence.keys import keyid
from evidence.verify.checkpoints import History
from evidence.verify.findings import Findings
from evidence.verify.keylives import read_lives
from evidence.verify.keyturns import Shown, Use, check_turns
from evidence.verify.receipts import open_receipt
from evidence.verify.trust import Trust
from tests.evidence.verify.keyworld import World

TURNS = (0, 1, 3, 4, 6, 7)
WHOLE = 8


@pytest.fixture
def world(golden) -> World:
    return World(golden)


@pytest.fixture
def said(world):
    """Codes by level if these events are shown under a checkpoint of this size while these keys are in use."""

    def of(shown, *, size: int = WHOLE, used=("log", "dsse"), awaited=frozenset(), keys=None) -> dict[str, set[str]]:
        receipts = [
            open_receipt(
                world.receipt(index, size, world.new["log"]), f"{index}", Trust(None, ()), History(), Findings()
            )
            for index in shown
        ]
        findings = Findings()
        lives = read_lives(receipts, findings)
        uses = [Use(name, keyid(key.public), "here") for name in used for key in (keys or world.new)[name]]
        check_turns(Shown(world.golden.ORIGIN, size, lives, awaited), uses, findings)
        return {level: {item.code for item in findings.of(level)} for level in ("ok", "wrong", "unchecked")}

    return of


def test_all_events_leave_no_hole(said) -> None:
    assert said(TURNS) == {"ok": {"key-end", "key-introduction"}, "wrong": set(), "unchecked": set()}
    assert said((*TURNS, 4, 0)) == said(TURNS)


@pytest.mark.parametrize(
    ("hidden", "code"),
    [
        ({0}, "key-introduction"), ({1}, "key-introduction"), ({4}, "key-introduction"), ({7}, "key-introduction"),
        ({3}, "key-end"), ({6}, "key-end"), ({0, 6}, "key-end"), ({1, 3}, "key-end"), ({3, 4}, "key-introduction"),
        ({6, 7}, "key-introduction"), (set(TURNS), "key-introduction"),
    ],
)  # fmt: skip
def test_an_event_that_is_left_out_is_told(said, hidden, code) -> None:
    assert said([index for index in TURNS if index not in hidden])["wrong"] == {code}


def test_a_second_first_introduction_ends_nothing(world, said) -> None:
    world.events[4] = world.introduction(4, "dsse", world.new["dsse"], 0)
    assert said(TURNS)["wrong"] == {"key-end"}


def test_of_the_newest_turn_nothing_is_told_while_its_keys_are_not_used(world, said) -> None:
    """Who saw the events before can tell: the monitor keeps them."""
    assert said((0, 1, 6, 7), used=("log",))["wrong"] == set()


def test_an_end_that_is_the_last_leaf_waits_for_the_next_keys(world, said) -> None:
    assert said((0, 1, 3), size=4, keys=world.old)["wrong"] == set()
    assert said((0, 1, 3), size=5, keys=world.old)["wrong"] == {"key-introduction"}


def test_a_key_that_is_said_to_come_later_is_not_checked(world, said) -> None:
    names = frozenset(keyid(key.public) for key in world.new["dsse"])
    found = said((0, 1), size=3, used=("dsse",), awaited=names)
    assert (found["wrong"], found["unchecked"]) == (set(), {"key-introduction"})
    assert said((0, 1), size=3, used=("dsse",))["wrong"] == {"key-introduction"}


def test_a_key_of_the_other_purpose_is_not_introduced(world, said) -> None:
    assert said(TURNS, keys={"log": world.new["dsse"], "dsse": world.new["log"]})["wrong"] == {"key-introduction"}
