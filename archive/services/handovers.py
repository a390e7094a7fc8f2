"""Hand-overs between people inside the newsroom: offered by one, acknowledged by the other, both in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from archive import outbox
from archive.models import Handover, Membership, User
from archive.services import access
from archive.services.custody import record_event
from archive.services.refusals import BadInput, NotVisible
from evidence.digest import Digest
from evidence.opening import EventObject

if TYPE_CHECKING:
    import uuid

    from archive.models import Blob, Case
    from archive.services.access import Principal


def offer_handover(*, principal: Principal, case: Case, blob: Blob, receiver: str, note: str = "") -> Handover:
    """Say that a file's care goes to another member of the case. Raises `BadInput`, `NotAllowed`."""
    access.ensure_case(principal=principal, reference=str(case.pk))
    user = User.objects.filter(username=receiver, membership__case=case).first()
    if user is None or user == principal.user:
        raise BadInput(f"{receiver[:80]!r} is not another member of the case; add them first")
    if not case.events.filter(objects_named__digest=blob.digest).exists():
        raise BadInput(f"the case holds no {blob.digest}")
    with transaction.atomic():
        row = Handover.objects.create(case=case, blob=blob, giver=principal.user, receiver=user, note=note[:4000])
        row.disclosures = _record(row, principal.user, "offered", {"note": row.note} if row.note else None)
        row.save(update_fields=["disclosures"])
    return row


def acknowledge_handover(*, principal: Principal, handover_id: uuid.UUID) -> Handover:
    """The receiver's word that they have it. Raises `NotVisible`, `NotAllowed`."""
    access.refuse_reader(principal)
    with transaction.atomic():
        row = Handover.objects.select_for_update().filter(pk=handover_id, receiver=principal.user).first()
        if row is None or not Membership.objects.filter(case=row.case, user=principal.user).exists():
            raise NotVisible("there is no hand-over to you of this id")
        if row.acknowledged is None:
            row.acknowledged = timezone.now()
            row.save(update_fields=["acknowledged"])
            _record(row, principal.user, "acknowledged")
    return row


def _record(row: Handover, user: User, stage: str, sealed: dict[str, str] | None = None) -> list[str]:
    """Tells it; what opens what was sealed."""
    detail = {"handover": str(row.pk), "stage": stage, "from": str(row.giver_id), "to": str(row.receiver_id)}
    objects = [EventObject(Digest.parse(row.blob_id), row.blob.size, "handed over")]
    told = record_event(case=row.case, type="transfer", user=user, objects=objects, detail=detail, sealed=sealed)
    outbox.nudge("workers.sequence.sequence")
    return told.disclosures


def handovers_of(principal: Principal, blob: Blob) -> list[Handover]:
    """The file's hand-overs in one's cases, oldest first."""
    rows = Handover.objects.filter(blob=blob, case__in=access.cases_visible_to(principal))
    return list(rows.select_related("giver", "receiver", "case").order_by("offered"))


def receivers_for(principal: Principal, blob: Blob) -> list[tuple[Case, User]]:
    """To whom one may hand it over: the other members of one's own cases that hold it."""
    rows = Membership.objects.filter(
        case__membership__user=principal.user, case__events__objects_named__digest=blob.digest
    )
    found = rows.exclude(user=principal.user).select_related("case", "user").order_by("case__slug", "user__username")
    return [(row.case, row.user) for row in found.distinct()]
