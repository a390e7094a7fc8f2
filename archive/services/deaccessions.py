"""Deletion under law: the program deletes nothing; that an operator must is first said by two persons in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from archive import outbox
from archive.models import Blob, CustodyEvent, Deaccession, RunOutput
from archive.models.run import EXTRACT, PARSE
from archive.services import access
from archive.services.custody import record_event
from archive.services.keeping import cases_of
from archive.services.refusals import BadInput, NotAllowed, NotVisible
from evidence.digest import Digest
from evidence.opening import EventObject
from evidence.parsing import REJECTED, TABLE

if TYPE_CHECKING:
    from collections.abc import Collection

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

    Only then may the operator take them from the store. A token needs the scope audit, or upload for an administrator.
    Raises `NotAllowed`.
    """
    _refuse_approval(principal, deaccession)
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


def _refuse_approval(principal: Principal, deaccession: Deaccession) -> None:
    if principal.user.pk == deaccession.asked_by_id:
        raise NotAllowed("a deaccession is approved by somebody else than who asked for it")
    if not principal.audits:
        access.refuse_reader(principal)
        if not principal.user.is_staff:
            raise NotAllowed("only another administrator or an auditor may approve a deaccession")


def is_shown(principal: Principal) -> bool:
    """What is only asked for is the business of those who ask and approve."""
    return principal.user.is_staff or principal.audits


def deaccessions_of(principal: Principal, blob: Blob) -> list[Deaccession]:
    """What was asked for in one's cases, approved or not, oldest first. Raises `NotAllowed`."""
    if not is_shown(principal):
        raise NotAllowed("deaccessions are asked for by administrators, and approved by them or by auditors")
    rows = Deaccession.objects.filter(blob=blob, case__in=access.cases_visible_to(principal))
    return list(rows.select_related("case", "event").order_by("pk"))


def visible_deaccession(principal: Principal, deaccession_id: int) -> Deaccession:
    """Raises `NotVisible`."""
    cases = access.cases_visible_to(principal)
    row = Deaccession.objects.filter(pk=deaccession_id, case__in=cases).first()
    if row is None:
        raise NotVisible("there is no such deaccession that you may see")
    return row


def cases_to_ask_in(principal: Principal, blob: Blob) -> list[Case]:
    """In which cases this person may ask for a deaccession of the blob."""
    if not principal.user.is_staff:
        return []
    return list(access.own_cases(principal).filter(events__objects_named__digest=blob.digest).distinct())


def may_approve(principal: Principal, deaccession: Deaccession) -> bool:
    """Whether this person's word is what one that was asked for still lacks."""
    try:
        _refuse_approval(principal, deaccession)
    except NotAllowed:
        return False
    return deaccession.event_id is None


def deaccession_in(case: Case, digest: str) -> CustodyEvent | None:
    """The event that tells it in this case."""
    return case.events.filter(type=DEACCESSION, objects_named__digest=digest).order_by("time").first()


def deaccession_of(blob: Blob) -> Deaccession | None:
    """The approved deaccession of these very bytes."""
    return Deaccession.objects.filter(blob=blob).exclude(event=None).select_related("event").first()


def deaccession_behind(blob: Blob, cases: Collection[Case], seen: frozenset[str] = frozenset()) -> Deaccession | None:
    """The deaccession of the blob, or of what it was made from if it shows the content of that; None if it is kept.

    Members, tables and rejects go with the file that they came from, unless they came from another one too or were
    handed in by themselves, in one of these cases. Counts are no content: reports and results stay.
    """
    own = deaccession_of(blob)
    if own is not None or blob.submissions.filter(case__in=cases).exists():
        return own
    found = None
    for output in RunOutput.objects.filter(blob=blob, run__case__in=cases).select_related("run"):
        source = _source_shown(output)
        if source is not None and source.digest in seen:
            continue  # an archive that holds itself came from nowhere else
        found = deaccession_behind(source, cases, seen | {blob.digest}) if source is not None else None
        if found is None:
            return None
    return found


def _source_shown(output: RunOutput) -> Blob | None:
    """The file whose content an output shows."""
    if shows_source(output.run.procedure, output.name):
        return output.run.inputs.select_related("blob").get(role="source").blob
    return None


def shows_source(procedure: str, name: str) -> bool:
    """Whether the output of this name shows the content of the run's source."""
    return procedure.startswith(EXTRACT) or (procedure.startswith(PARSE) and name in (TABLE, REJECTED))
