"""What a case asks of the stores: copies, retention, legal hold; only ever more of it, save for lifting a hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from archive import outbox, wiring
from archive.models import Blob, BlobMove, Case, CustodyObject
from archive.services import access
from archive.services.custody import record_event
from archive.services.refusals import BadInput
from archive.storage.store import Keeping, StoreError
from evidence.digest import Digest
from evidence.opening import EventObject

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator

    from archive.services.access import Principal

_OBJECTS = 200  # that one event names: it has at most 65,536 bytes
_MOST_COPIES = 9


def keeping_of(case: Case) -> Keeping:
    return wiring.keeping(copies=case.copies, until=case.retain_until, hold=case.hold)


def change_keeping(*, principal: Principal, case: Case, copies: int, retain_until: dt.date | None, hold: bool) -> Case:
    """Ask for more copies, a longer lock, a hold or its end. Raises `BadInput` for less than was promised."""
    access.ensure_case(principal=principal, reference=str(case.pk))
    with transaction.atomic():
        row = Case.objects.select_for_update().get(pk=case.pk)
        if not row.copies <= copies <= _MOST_COPIES:
            raise BadInput(f"copies={copies}: the case has {row.copies}; write as many or more, at most {_MOST_COPIES}")
        if row.retain_until and (retain_until is None or retain_until < row.retain_until):
            raise BadInput(f"retain_until={retain_until}: files are kept until {row.retain_until}, which only extends")
        row.copies, row.retain_until, row.hold, row.kept = copies, retain_until, hold, False
        row.save(update_fields=["copies", "retain_until", "hold", "kept"])
        detail = {"copies": copies, "retain_until": str(retain_until) if retain_until else None, "hold": hold}
        for objects in _batches(blobs_of(row)):
            record_event(case=row, type="retention change", user=principal.user, objects=objects, detail=detail)
        outbox.nudge("workers.keep.apply_keeping", str(row.pk))
        outbox.nudge("workers.sequence.sequence")
    return row


def apply_keeping(case_id: str) -> None:
    """Tell the stores; repeated by the sweeper until they took it. Raises `StoreError`."""
    case = Case.objects.get(pk=case_id)
    for blob in blobs_of(case):
        _apply(blob, strictest_keeping(blob))
    same = Case.objects.filter(pk=case.pk, copies=case.copies, retain_until=case.retain_until, hold=case.hold)
    same.update(kept=True)


def _apply(blob: Blob, wanted: Keeping) -> None:
    """As the strictest of the blob's cases asks; copies that are wanting are made from one that is whole."""
    try:
        wiring.store().protect(blob.place, wanted)
    except StoreError:
        place = blob.place
        now = wiring.store().mend(place, wanted)
        if now != place:
            BlobMove.objects.create(blob=blob, locator=now)
        wiring.store().protect(now, wanted)


def blobs_of(case: Case) -> Iterator[Blob]:
    """All that the case's events name, submitted or derived."""
    named = CustodyObject.objects.filter(event__case=case).values("digest")
    yield from Blob.objects.filter(digest__in=named).order_by("digest").iterator()


def cases_of(blob: Blob) -> list[Case]:
    """All cases whose events name the blob."""
    named = CustodyObject.objects.filter(digest=blob.digest).values("event__case")
    return list(Case.objects.filter(pk__in=named))


def strictest_keeping(blob: Blob) -> Keeping:
    """The most that any of the blob's cases asks for."""
    wanted = [keeping_of(case) for case in cases_of(blob)] or [wiring.keeping(copies=1, until=None, hold=False)]
    ends = [keeping.until for keeping in wanted if keeping.until]
    return Keeping(max(w.copies for w in wanted), max(ends) if ends else None, any(w.hold for w in wanted))


def _batches(blobs: Iterable[Blob]) -> Iterator[list[EventObject]]:
    batch: list[EventObject] = []
    for blob in blobs:
        batch.append(EventObject(Digest.parse(blob.digest), blob.size, "kept"))
        if len(batch) == _OBJECTS:
            yield batch
            batch = []
    if batch:
        yield batch
