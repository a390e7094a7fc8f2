"""Fixity: every copy of every blob is read and hashed again and again, the one longest unseen first.

Each check is a custody event in every case of the blob. Damage raises an alarm and is mended from a whole copy where
there is one; where there is none, the alarm stays. A large blob is checked segment by segment, in one round or process
after another, until something is not as it should be: then all of it is looked at.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Case, F, Q, When
from django.utils import timezone

from archive import wiring
from archive.models import Blob, Fixity, Segments
from archive.services import segments
from archive.services.alarms import end_alarm, is_open, raise_alarm
from archive.services.copies import (
    Mended,
    look_again,
    mend_blob,
    to_look_at,
    to_look_at_with_all,
    to_look_at_with_one,
)
from archive.services.custody import record_event, rfc3339
from archive.services.deaccessions import deaccession_behind
from archive.services.keeping import cases_of
from archive.services.manifests import check_manifests
from archive.services.rounds import one_at_a_time
from archive.services.worm_check import AWAY, does_one_answer, look_who_is_away, stores_away, try_those_back
from archive.storage.store import DAMAGED, UNREACHABLE, WHOLE, Copy, StoreError, digest_at
from evidence.digest import Digest
from evidence.opening import EventObject

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from django.db.models import QuerySet

_LOCK = 0x666978697479  # one round at a time, in the whole database
_AT_ONCE = 500  # files whose turn is found out together
DAMAGE, DEACCESSIONED, SUSPECTED = "damage", "deaccessioned", "suspected"


class Pace:
    """Lets bytes pass at no more than `limit` a second; 0 lets all pass."""

    def __init__(self, limit: int) -> None:
        self._limit, self._begun, self._passed = limit, time.monotonic(), 0

    def __call__(self, count: int) -> None:
        self._passed += count
        if self._limit:
            time.sleep(max(0.0, self._begun + self._passed / self._limit - time.monotonic()))


def due_blobs(seen_before: dt.datetime) -> QuerySet[Blob]:
    """Blobs that nobody looked at since then; never looked at comes first, and what is suspected before all."""
    suspected = Q(fixity__state=SUSPECTED)
    never = Q(fixity__checked=None, stored__lte=seen_before)  # which those have, too, of which there is no row
    due = suspected | never | Q(fixity__checked__lte=seen_before)
    first = Case(When(suspected, then=0), default=1)
    return Blob.objects.filter(due).order_by(first, F("fixity__checked").asc(nulls_first=True), "digest")


def suspect(blob: Blob, said: str) -> None:
    """Somebody was about to be given other bytes: an alarm until the next round, which looks at this blob first."""
    raise_alarm(kind=DAMAGE, subject=blob.digest, text=said)
    Fixity.objects.update_or_create(blob=blob, defaults={"state": SUSPECTED, "said": said})


def check_due() -> int:
    """A minute's share of the schedule, at the installation's pace."""
    period, limit = wiring.fixity_schedule()
    return check_round(seconds=45, older_than=period, limit=limit)


def check_round(*, seconds: float, older_than: dt.timedelta, limit: int) -> int:
    """Check what is due for about so many seconds; how many. What is cut off goes on with the same blob.

    First what is suspected, then what was not whole; what a store was never given or did not answer for, if all answer
    now. While none answers, nothing is looked at.
    """
    deadline, seen_before, checked = time.monotonic() + seconds, timezone.now() - older_than, 0
    with one_round() as alone:
        looking = alone and (not stores_away().exists() or does_one_answer())
        with_all = looking and to_look_at_with_all().exists() and look_who_is_away()
        for blob in _in_turn(seen_before, with_all=with_all) if looking else ():
            row = go_on(blob, Pace(limit), deadline) if time.monotonic() < deadline else None
            if row is None:
                break
            check_manifests(blob)
            checked += 1
            if row.state == UNREACHABLE and not does_one_answer():
                break
    return checked


def _in_turn(seen_before: dt.datetime, *, with_all: bool) -> Iterator[Blob]:
    """One after another, until nothing is due; what is suspected meanwhile comes next.

    Whose turn it is by age is asked for many at once, as all rows are read and sorted for that.
    """
    turn: list[Blob] = []
    while True:
        again = to_look_at() if with_all else to_look_at_with_one()
        if row := Fixity.objects.filter(state=SUSPECTED).first() or again.first():
            yield row.blob
        elif turn := turn or list(due_blobs(seen_before)[:_AT_ONCE]):
            yield turn.pop(0)
        else:
            return


def one_round() -> AbstractContextManager[bool]:
    """Whether no other round is going on; for as long as it lasts none begins."""
    return one_at_a_time(_LOCK)


def go_on(blob: Blob, pace: Callable[[int], None], deadline: float = math.inf) -> Fixity | None:
    """Check a blob from where the last round was cut off; None if there is more to do at the deadline (monotonic).

    Segment by segment where these are known, and all at one go where they are not or where something is not as it
    should be: that says what, of which copy.
    """
    row = segments.known(blob)
    if row is None or segments.contradiction(row) or is_open(kind=DAMAGE, subject=blob.digest) or _is_gone(blob):
        return check_blob(blob, pace)
    going = Fixity.objects.get_or_create(blob=blob)[0]
    if going.begun is None:
        going.begun, going.seen = timezone.now(), 0
    for number in range(going.seen, segments.hashed_of(row).count):
        if time.monotonic() >= deadline:
            return None
        if not _is_whole(row, number, pace):
            return check_blob(blob, pace)
        going.seen = number + 1
        going.save(update_fields=["begun", "seen"])
    if _strange(blob, blob.place, whole=True):
        return check_blob(blob, pace)
    copies = [Copy(store.name, WHOLE) for store in wiring.stores()]
    _say_who_is_away(copies)
    return _tell(blob, copies, WHOLE, "", since=going.begun)


def _is_whole(row: Segments, number: int, pace: Callable[[int], None]) -> bool:
    try:
        return segments.is_whole(row, number, pace)
    except StoreError:
        return False


def _is_gone(blob: Blob) -> bool:
    return deaccession_behind(blob, cases_of(blob)) is not None


def check_blob(blob: Blob, pace: Callable[[int], None]) -> Fixity:
    """Look at every copy of one blob at one go, mend what can be mended, and tell it."""
    place = blob.place
    copies = wiring.store().examine(place, pace)
    _say_who_is_away(copies)
    gone = deaccession_behind(blob, cases_of(blob))
    if gone is not None:
        said = f"the bytes of {gone.blob_id} were taken away by law"
        end_alarm(kind=DAMAGE, subject=blob.digest)
        return _tell(blob, copies, DEACCESSIONED, said)
    bad = [copy for copy in copies if copy.state != WHOLE]
    if strange := _strange(blob, place, whole=not bad):
        raise_alarm(kind=DAMAGE, subject=blob.digest, text=strange)
        return _tell(blob, copies, DAMAGED, strange)
    if not bad:
        end_alarm(kind=DAMAGE, subject=blob.digest)
        return _tell(blob, copies, WHOLE, "", hashed=segments.hash_new(blob, pace))
    said = "; ".join(f"{copy.store}: {copy.state}, {copy.said}" for copy in bad)
    if all(copy.state == UNREACHABLE for copy in bad):
        return _tell(blob, copies, UNREACHABLE, said)
    raise_alarm(kind=DAMAGE, subject=blob.digest, text=said)
    mended, said = _mend(blob, copies, said)
    left = [copy.state for copy in mended.copies if copy.state != WHOLE]
    if set(left) <= {UNREACHABLE}:
        end_alarm(kind=DAMAGE, subject=blob.digest)
    return _tell(blob, copies, left[0] if left else WHOLE, said, mended=mended.changed)


def _say_who_is_away(copies: list[Copy]) -> None:
    """Of each store by itself: its alarm ends when it answers for any blob and lets none be changed."""
    for copy in copies:
        if copy.state == UNREACHABLE:
            raise_alarm(kind=AWAY, subject=copy.store, text=copy.said)
    try_those_back({copy.store for copy in copies if copy.state != UNREACHABLE})


def _strange(blob: Blob, place: str, *, whole: bool) -> str:
    """Whether the database's own rows lead to other bytes: those of another digest, or of another size."""
    if any(str(digest_at(locator)) != blob.digest for locator in place.split(" ")):
        return f"the database says that {blob.digest} lies at {place}; see who changed its rows, and restore them"
    row = segments.known(blob)
    if row is not None and (said := segments.contradiction(row)):
        return said
    size = wiring.store().stat(place).size if whole else blob.size
    if size != blob.size:
        return f"the database says {blob.size} bytes, the store holds {size} of this digest; restore its row"
    return ""


def _mend(blob: Blob, copies: list[Copy], said: str) -> tuple[Mended, str]:
    try:
        return mend_blob(blob), said
    except StoreError as error:
        raise_alarm(kind=DAMAGE, subject=blob.digest, text=f"{said}. Not mended: {error}")
        return Mended(copies, changed=False), f"{said}. Not mended: {error}"


def _tell(
    blob: Blob,
    copies: list[Copy],
    state: str,
    said: str,
    *,
    mended: bool = False,
    since: dt.datetime | None = None,
    hashed: segments.Hashed | None = None,
) -> Fixity:
    """The row, and one event for each case: success, warning for what was mended or is away, failure.

    What a check saw whole it saw so at its beginning at the earliest, so that counts: `since`, if it was in segments.
    """
    now = timezone.now()
    detail: dict[str, Any] = {"copies": [copy.state for copy in copies], "state": state, "mended": mended}
    detail |= {"since": rfc3339(since)} if since else {}
    detail |= {"segments": hashed.detail} if hashed else {}
    objects = [EventObject(Digest.parse(blob.digest), blob.size, "checked")]
    with transaction.atomic():
        told = [
            record_event(
                case=case, type="fixity check", objects=objects, detail=detail, outcome=_outcome(copies, state)
            ).event
            for case in cases_of(blob)
        ]
        if hashed and told:
            Segments.objects.create(blob=blob, size=hashed.size, digests=hashed.digests, event=told[0])
        values: dict[str, Any] = {"checked": now, "state": state, "said": said, "begun": None, "seen": 0}
        if state == WHOLE:
            values["whole"] = since or now
        values["again"] = _again(blob, state)
        return Fixity.objects.update_or_create(blob=blob, defaults=values)[0]


def _again(blob: Blob, state: str) -> dt.datetime | None:
    """What is not whole does not wait for its turn: somebody may put it right, or a store come back."""
    if state == DEACCESSIONED:
        return None
    seen = Fixity.objects.filter(blob=blob).first()
    last_whole = seen.whole if seen and seen.whole else blob.stored
    return look_again(blob, troubled_since=None if state == WHOLE else last_whole)


def _outcome(copies: list[Copy], state: str) -> str:
    some_whole = any(copy.state == WHOLE for copy in copies)
    all_whole = state == WHOLE and all(copy.state == WHOLE for copy in copies)
    return "success" if all_whole else "warning" if some_whole else "failure"
