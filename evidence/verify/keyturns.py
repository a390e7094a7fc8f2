"""Whether the events of keys that one log shows can be all of them (trust-formats §9).

Keys are replaced by two events side by side: the one that ends the old keys, at index i, and the one that introduces
those named as the next, at i + 1 and after that size. So a turn that is left out leaves a hole beside those that are
shown, or a key in use that nothing introduces. What leaves none is the newest turn of a purpose together with every
use of the keys after it: that only somebody finds who saw it before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evidence.opening import KEY_INTRODUCTION
from evidence.verify.keylives import DSSE, LOG

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evidence.verify.findings import Findings
    from evidence.verify.keylives import Lives, Turn


@dataclass(frozen=True, slots=True)
class Use:
    """A key that signs or is said to: for which purpose, and where that is seen."""

    purpose: str
    keyid: str
    where: str


@dataclass(frozen=True, slots=True)
class Shown:
    """All that a log of this origin shows of its keys below this size."""

    origin: str
    size: int
    lives: Lives
    awaited: frozenset[str]
    """Ids of keys whose introduction is said to stand beyond the size, which nobody can check yet."""

    def turns(self, purpose: str) -> list[Turn]:
        """One an index, ascending: an event that is shown twice is one."""
        found = {turn.index: turn for turn in self.lives.turns if (turn.origin, turn.purpose) == (self.origin, purpose)}
        return [found[index] for index in sorted(found)]

    def is_introduced(self, purpose: str, keyid: str) -> bool:
        life = self.lives.of(self.origin, keyid)
        return life is not None and life.purpose == purpose and KEY_INTRODUCTION in life.told


def check_turns(shown: Shown, uses: Iterable[Use], findings: Findings) -> None:
    """Say `key-end` and `key-introduction` for each hole, and that there is none."""
    before = findings.wrongs
    for purpose in (LOG, DSSE):
        turns = shown.turns(purpose)
        _check_ends(turns, findings)
        _check_next(turns, shown, findings)
        ended = [Use(purpose, keyid, turn.where) for turn in turns if _ends(turn) for keyid in turn.keys]
        _check_introduced(ended, shown, findings)
    _check_introduced(uses, shown, findings)
    if findings.wrongs == before:
        findings.ok("key-end", shown.origin, "keys after the first follow on the event that ended those before")
        findings.ok("key-introduction", shown.origin, "no key is used or ended whose introduction is kept back")


def _ends(turn: Turn) -> bool:
    return turn.type != KEY_INTRODUCTION


def _check_ends(turns: Sequence[Turn], findings: Findings) -> None:
    """All but the first keys begin where an event ended those before."""
    ends = {turn.index + 1 for turn in turns if _ends(turn)}
    introductions = [turn for turn in turns if not _ends(turn)]
    for number, begin in enumerate(introductions):
        if (number or begin.after) and begin.after not in ends:
            message = f"introduces {begin.purpose} keys after others, and no event is shown that ends those"
            wanted = f"a rotation or revocation at index {max(begin.after, begin.index) - 1}"
            findings.wrong("key-end", begin.where, message, got=f"after size {begin.after}", wanted=wanted)


def _check_next(turns: Sequence[Turn], shown: Shown, findings: Findings) -> None:
    """Where an event ends keys, the next leaf introduces those that follow, if the tree reaches so far."""
    begun = {turn.index for turn in turns if not _ends(turn)}
    for end in turns:
        following = end.index + 1
        if _ends(end) and following < shown.size and following not in begun:
            message = f"ends {end.purpose} keys, and no event is shown that introduces those it names as the next"
            findings.wrong("key-introduction", end.where, message, wanted=f"a key introduction at index {following}")


def _check_introduced(uses: Iterable[Use], shown: Shown, findings: Findings) -> None:
    for use in uses:
        if shown.is_introduced(use.purpose, use.keyid):
            continue
        if use.keyid in shown.awaited:
            message = f"the {use.purpose} key {use.keyid} is said to be introduced beyond this checkpoint"
            findings.unchecked("key-introduction", use.where, message, wanted=f"an index below {shown.size}")
        else:
            message = f"the {use.purpose} key {use.keyid} is used here, and no event is shown that introduces it"
            findings.wrong("key-introduction", use.where, message, wanted=f"its introduction below {shown.size}")
