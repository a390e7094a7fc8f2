"""What a case asks of the stores: copies, retention, legal hold; only ever more of it, save for lifting a hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, Unpack

from django.db import transaction

from archive import outbox, wiring
from archive.models import Blob, Case, CustodyObject
from archive.services import access
from archive.services.custody import record_event
from archive.services.refusals import BadInput
from archive.storage.store import Keeping
from evidence.digest import Digest
from evidence.opening import EventObject

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Iterator

    from django.db.models import QuerySet

    from archive.services.access import Principal

_OBJECTS = 200  # that one event names: it has at most 65,536 bytes
_MOST_COPIES = 9


def keeping_of(case: Case) -> Keeping:
    return wiring.keeping(copies=case.copies, until=case.retain_until, hold=case.hold)


class Asked(TypedDict, total=False):
    """What somebody asks of a case; what is left out stays as it is when the change is made."""

    copies: int
    retain_until: dt.date | None
    hold: bool


def change_keeping(*, principal: Principal, case: Case, **asked: Unpack[Asked]) -> Case:
    """Ask for more copies, a longer lock, a hold or its end. Raises `BadInput` for less than was promised.

    Only what is asked is written, over the row as it is then: a hold that was set meanwhile stays. What asks for
    nothing new is no change and no event; the stores are told once more where they do not have it all yet.
    """
    access.ensure_case(principal=principal, reference=str(case.pk))
    with transaction.atomic():
        row = await_others(case)
        _refuse_less(row, asked)
        changed = {name: value for name, value in asked.items() if value != getattr(row, name)}
        for name, value in changed.items():
            setattr(row, name, value)
        if changed or not row.kept:
            _let_wait(row, *changed)
            _nudge(row)
        if changed:
            _record_change(row, principal)
    return row


def _record_change(row: Case, principal: Principal) -> None:
    end = str(row.retain_until) if row.retain_until else None
    detail = {"copies": row.copies, "retain_until": end, "hold": row.hold}
    for objects in _batches(blobs_of(row)):
        record_event(case=row, type="retention change", user=principal.user, objects=objects, detail=detail)
    outbox.nudge("workers.sequence.sequence")


def _refuse_less(row: Case, asked: Asked) -> None:
    copies, until = asked.get("copies", row.copies), asked.get("retain_until", row.retain_until)
    if not row.copies <= copies <= _MOST_COPIES:
        raise BadInput(f"copies={copies}: the case has {row.copies}; write as many or more, at most {_MOST_COPIES}")
    if row.retain_until and (until is None or until < row.retain_until):
        raise BadInput(f"retain_until={until}: files are kept until {row.retain_until}, which only extends")


def await_others(case: Case) -> Case:
    """The case as it is now; until the transaction ends nobody else records in it or changes what it asks.

    The one lock on a case's row, taken before anything is written that names the case or the bytes that it gets. It
    leaves alone who only refers to the case, and nobody who has it wants a stronger one: so two never wait for each
    other.
    """
    return Case.objects.select_for_update(no_key=True).get(pk=case.pk)


def note_stored(case: Case, row: Case, *, there_before: Collection[str]) -> None:
    """Whether the stores keep bytes as the case asks that were put as it asked when it was read; if not, they are told.

    To be called in the transaction that records the bytes, before their events; `row` is the case as `await_others`
    gave it there. `there_before` are the digests of those that somebody else had put, as another case may have asked
    for less.
    """
    named = CustodyObject.objects.filter(event__case=case, digest__in=there_before)
    new_here = there_before and set(there_before) - set(named.values_list("digest", flat=True))
    if new_here or keeping_of(row) != keeping_of(case):
        was_kept = row.kept
        _let_wait(row)
        if was_kept:
            _nudge(row)


def settle_keeping(case: Case, *, seen: int) -> bool:
    """Whether the stores have all that the case asks, if they took what it asked for its first `seen` blobs."""
    with transaction.atomic():
        row = await_others(case)
        if keeping_of(row) != keeping_of(case) or _named(row).count() != seen:
            return False
        row.kept, row.keep_after = True, None
        row.save(update_fields=["kept", "keep_after"])
    return True


def _let_wait(row: Case, *changed: str) -> None:
    """For its keeping to be told to the stores, though that did not work before."""
    row.kept, row.keep_after = False, None
    row.save(update_fields=[*changed, "kept", "keep_after"])


def _nudge(case: Case) -> None:
    outbox.nudge("workers.keep.apply_keeping", str(case.pk))


def blobs_of(case: Case) -> Iterator[Blob]:
    """All that the case's events name, submitted or derived."""
    yield from _named(case).order_by("digest").iterator()


def _named(case: Case) -> QuerySet[Blob]:
    return Blob.objects.filter(digest__in=CustodyObject.objects.filter(event__case=case).values("digest"))


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
