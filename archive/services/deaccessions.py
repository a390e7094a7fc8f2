"""Deletion under law: the program deletes nothing; that an operator must is first said by two persons in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from archive import outbox
from archive.models import Blob, CustodyEvent, Deaccession
from archive.services import access
from archive.services.custody import record_event
from archive.services.keeping import cases_of
from archive.services.refusals import BadInput, NotAllowed
from evidence.digest import Digest
from evidence.opening import EventObject

if TYPE_CHECKING:
    from archive.models import Case
    from archive.services.access import Principal

DEACCESSION = "deaccession"


def ask_deaccession(*, principal: Principal, case: Case, blob: Blob, reason: str) -> Deaccession:
    """The first person's word. Raises `BadInput`, `NotAllowed`."""
    access.ensure_case(principal=principal, reference=str(case.pk))
    if not principal.user.is_staff:
        raise NotAllowed("only an administrator who is a member of the case may ask for a deaccession")
    if not reason.strip():
        raise BadInput("a deaccession needs its reason: which court or law, which order, which date")
    if not case.events.filter(objects_named__digest=blob.digest).exists():
        raise BadInput(f"the case holds no {blob.digest}")
    return Deaccession.objects.create(blob=blob, case=case, reason=reason.strip()[:4000], asked_by=principal.user)


def approve_deaccession(*, principal: Principal, deaccession: Deaccession) -> Deaccession:
    """The second person's word, and the event in every case of the bytes; from then on nobody is given them.

    Only then may the operator take them from the store.
    """
    if principal.user.pk == deaccession.asked_by_id:
        raise NotAllowed("a deaccession is approved by somebody else than who asked for it")
    if not (principal.user.is_staff or principal.audits):
        raise NotAllowed("only another administrator or an auditor may approve a deaccession")
    with transaction.atomic():
        row = Deaccession.objects.select_for_update().get(pk=deaccession.pk)
        if row.event_id is None:
            objects = [EventObject(Digest.parse(row.blob_id), row.blob.size, "deaccessioned")]
            detail = {"reason": row.reason, "asked_by": str(row.asked_by_id), "approved_by": str(principal.user.pk)}
            told = [
                record_event(case=case, type=DEACCESSION, user=principal.user, objects=objects, detail=detail).event
                for case in cases_of(row.blob)
            ]
            row.approved_by = principal.user
            row.event = next(event for event in told if event.case_id == row.case_id)
            row.save(update_fields=["approved_by", "event"])
            outbox.nudge("workers.sequence.sequence")
    return row


def deaccession_in(case: Case, digest: str) -> CustodyEvent | None:
    """The event that tells it in this case."""
    return case.events.filter(type=DEACCESSION, objects_named__digest=digest).order_by("time").first()


def is_deaccessioned(blob: Blob) -> bool:
    return Deaccession.objects.filter(blob=blob).exclude(event=None).exists()
