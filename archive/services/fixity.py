"""Fixity: every copy of every blob is read and hashed again and again, the one longest unseen first.

Each check is a custody event in every case of the blob. Damage raises an alarm and is mended from a whole copy where
there is one; where there is none, the alarm stays.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from archive import wiring
from archive.models import Blob, Fixity
from archive.services.alarms import end_alarm, raise_alarm
from archive.services.copies import Mended, mend_blob
from archive.services.custody import record_event
from archive.services.deaccessions import deaccession_behind
from archive.services.keeping import cases_of
from archive.services.manifests import check_manifests
from archive.services.rounds import one_at_a_time
from archive.services.worm_check import AWAY, try_those_back
from archive.storage.store import DAMAGED, UNREACHABLE, WHOLE, Copy, StoreError, digest_at
from evidence.digest import Digest
from evidence.opening import EventObject

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from django.db.models import QuerySet

_LOCK = 0x666978697479  # one round at a time, in the whole database
DAMAGE, DEACCESSIONED = "damage", "deaccessioned"


class Pace:
    """Lets bytes pass at no more than `limit` a second; 0 lets all pass."""

    def __init__(self, limit: int) -> None:
        self._limit, self._begun, self._passed = limit, time.monotonic(), 0

    def __call__(self, count: int) -> None:
        self._passed += count
        if self._limit:
            time.sleep(max(0.0, self._begun + self._passed / self._limit - time.monotonic()))


def due_blobs(seen_before: dt.datetime) -> QuerySet[Blob]:
    """Blobs that nobody looked at since then; never looked at comes first."""
    due = Q(fixity=None, stored__lte=seen_before) | Q(fixity__checked__lte=seen_before)
    return Blob.objects.filter(due).order_by(F("fixity__checked").asc(nulls_first=True), "digest")


def check_due() -> int:
    """A minute's share of the schedule, at the installation's pace."""
    period, limit = wiring.fixity_schedule()
    return check_round(seconds=45, older_than=period, limit=limit)


def check_round(*, seconds: float, older_than: dt.timedelta, limit: int) -> int:
    """Check what is due for about so many seconds; how many. What is cut off begins again with the same blob."""
    deadline, seen_before, checked = time.monotonic() + seconds, timezone.now() - older_than, 0
    with one_round() as alone:
        while alone and time.monotonic() < deadline and (blob := due_blobs(seen_before).first()):
            check_blob(blob, Pace(limit))
            check_manifests(blob)
            checked += 1
    return checked


def one_round() -> AbstractContextManager[bool]:
    """Whether no other round is going on; for as long as it lasts none begins."""
    return one_at_a_time(_LOCK)


def check_blob(blob: Blob, pace: Callable[[int], None]) -> Fixity:
    """Look at every copy of one blob, mend what can be mended, and tell it."""
    place = blob.place
    copies = wiring.store().examine(place, pace)
    _say_who_is_away(copies)
    gone = deaccession_behind(blob, cases_of(blob))
    if gone is not None:
        said = f"the bytes of {gone.blob_id} were taken away by law"
        end_alarm(kind=DAMAGE, subject=blob.digest)
        return _tell(blob, copies, DEACCESSIONED, said, mended=False)
    bad = [copy for copy in copies if copy.state != WHOLE]
    if strange := _strange(blob, place, whole=not bad):
        raise_alarm(kind=DAMAGE, subject=blob.digest, text=strange)
        return _tell(blob, copies, DAMAGED, strange, mended=False)
    if not bad:
        end_alarm(kind=DAMAGE, subject=blob.digest)
        return _tell(blob, copies, WHOLE, "", mended=False)
    said = "; ".join(f"{copy.store}: {copy.state}, {copy.said}" for copy in bad)
    if all(copy.state == UNREACHABLE for copy in bad):
        return _tell(blob, copies, UNREACHABLE, said, mended=False)
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


def _tell(blob: Blob, copies: list[Copy], state: str, said: str, *, mended: bool) -> Fixity:
    """The row, and one event for each case: success, warning for what was mended or is away, failure."""
    now = timezone.now()
    some_whole = any(copy.state == WHOLE for copy in copies)
    all_whole = state == WHOLE and all(copy.state == WHOLE for copy in copies)
    outcome = "success" if all_whole else "warning" if some_whole else "failure"
    objects = [EventObject(Digest.parse(blob.digest), blob.size, "checked")]
    detail = {"copies": [copy.state for copy in copies], "state": state, "mended": mended}
    with transaction.atomic():
        for case in cases_of(blob):
            record_event(case=case, type="fixity check", objects=objects, detail=detail, outcome=outcome)
        values = {"checked": now, "state": state, "said": said}
        if state == WHOLE:
            values["whole"] = now
        return Fixity.objects.update_or_create(blob=blob, defaults=values)[0]
