"""A blob's copies in the stores: made whole by one process at a time, with the row and the event that say so."""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from archive import wiring
from archive.models import BlobMove, Fixity
from archive.services.custody import record_event
from archive.services.keeping import cases_of, strictest_keeping
from archive.services.pauses import as_long_again
from archive.storage.store import UNREACHABLE, WHOLE, Copy
from evidence.digest import Digest
from evidence.opening import EventObject

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from django.db.models import QuerySet

    from archive.models import Blob

_SOON, _LATEST = dt.timedelta(minutes=1), dt.timedelta(days=1)
_FOR_ALL = (WHOLE, UNREACHABLE, "unchecked")  # only a copy that was never given, or could not be reached, is wanting


@dataclass(frozen=True, slots=True)
class Mended:
    """How the copies are now, and whether one of them was made."""

    copies: list[Copy]
    changed: bool


def lacks_copies(blob: Blob) -> bool:
    """Whether one of the stores was never given it."""
    return len(blob.place.split(" ")) < len(wiring.stores())


def look_again(blob: Blob, *, troubled_since: dt.datetime | None) -> dt.datetime | None:
    """When its copies are looked at before its turn: those that stores were never given, and those that were not whole.

    None if there are none: all of them are whole and where they belong.
    """
    since = blob.stored if lacks_copies(blob) else troubled_since
    return as_long_again(since, timezone.now(), least=_SOON, longest=_LATEST) if since else None


def to_look_at() -> QuerySet[Fixity]:
    """Of which that time has come; one later than is ever given was written before the clock was set back."""
    now = timezone.now()
    return Fixity.objects.filter(Q(again__lte=now) | Q(again__gt=now + _LATEST)).order_by("again")


def to_look_at_with_all() -> QuerySet[Fixity]:
    """Of those, what only stores that are away could make whole: to look at them sooner would read them for nothing."""
    return to_look_at().filter(state__in=_FOR_ALL)


def to_look_at_with_one() -> QuerySet[Fixity]:
    """Of those, what is not whole in a store that answers: somebody may have put it right, whoever else is away."""
    return to_look_at().exclude(state__in=_FOR_ALL)


@contextmanager
def alone_with(blob: Blob) -> Iterator[None]:
    """For as long as it lasts no other process makes copies of the blob or locks them; the others wait."""
    key = int.from_bytes(Digest.parse(blob.digest).raw[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [key])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def places_of(blobs: Collection[Blob]) -> dict[str, str]:
    """Where each of them lies now, by its digest."""
    moves = BlobMove.objects.filter(blob__in=blobs).order_by("id").values_list("blob_id", "locator")
    return {blob.digest: blob.locator for blob in blobs} | dict(moves)


def look_at(blob: Blob, place: str = "") -> list[Copy]:
    """Every copy, read and hashed at full speed; where they lie need not be asked of who knows."""
    return wiring.store().examine(place or blob.place, lambda _: None)


def mend_blob(blob: Blob, source: Path | None = None) -> Mended:
    """Make every copy whole, from the file `source` or from one that is. Raises `StoreError`."""
    with alone_with(blob):
        place, before = blob.place, look_at(blob)
        if all(copy.state == WHOLE for copy in before):
            return Mended(before, changed=False)
        wanted = strictest_keeping(blob)
        if source is None:
            now = wiring.store().mend(place, wanted)
        else:
            now = wiring.store().replace(source, place, replace(wanted, copies=1))
        after = wiring.store().examine(now, lambda _: None)
        changed = any(old.state != WHOLE == new.state for old, new in zip(before, after, strict=True))
        with transaction.atomic():
            if now != place:
                BlobMove.objects.create(blob=blob, locator=now)
            if changed:
                _tell(blob, after)
    return Mended(after, changed)


def _tell(blob: Blob, copies: list[Copy]) -> None:
    objects = [EventObject(Digest.parse(blob.digest), blob.size, "checked")]
    detail = {"copies": sum(copy.state == WHOLE for copy in copies)}
    for case in cases_of(blob):
        record_event(case=case, type="replication", objects=objects, detail=detail)
