"""Why a service says no. The words are for people; which HTTP status fits is the API's business."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 -- a refusal is an answer, not a fault
    """What was refused, and what to do instead."""


class NotVisible(Refusal):
    """There is no such thing, or not for this person; which of the two is not told."""


class NotAllowed(Refusal):
    """The person is known and may not do this."""


class BadInput(Refusal):
    """What was handed in cannot be used as it is."""


class WrongOffset(Refusal):
    """The bytes do not continue where the last ones ended."""


class Busy(Refusal):
    """Somebody else is at it; try again."""


class NoSpace(Refusal):
    """The disk is full; what arrived before is kept."""


class NotKept(Refusal):
    """The disk did not take some bytes; only what it took before is counted."""


class TakenAway(Refusal):
    """The law had the bytes taken away; that they were here stays proved."""


class NotReady(Refusal):
    """It will be there a moment later."""
