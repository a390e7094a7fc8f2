"""Saying what bytes are, by recognition or by a person's word, both custody events; and planning their reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from archive import wiring
from archive.models import Run, Submission
from archive.models.run import EXTRACT
from archive.services import access, intake, runs
from archive.services.custody import record_event
from archive.services.refusals import NotReady
from archive.services.unit_trees import want_tree
from evidence.digest import Digest
from evidence.extraction import DEPTH
from evidence.formats.reading import HEAD
from evidence.opening import EventObject
from evidence.recognition import Recognition, recognise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archive.models import Blob, Case, User
    from archive.services.access import Principal


def identify_submission(submission: Submission) -> None:
    """What the bytes are; and the plan to read them. Bytes that no reader knows are kept all the same."""
    blob = submission.blob
    if blob is None:
        return
    found = _look(blob, submission.reading)
    with transaction.atomic():
        unread = Submission.objects.filter(pk=submission.pk, read_as="")
        if unread.update(read_as=found.procedure or "none", read_reason=found.reason) != 1:
            return  # somebody else identified it a moment ago
        _record(submission.case, blob, found, "source")


def state_reading(*, principal: Principal, submission: Submission, reading: dict[str, Any]) -> Submission:
    """A person says how a sealed file is to be read: format, columns, zone, year. Earlier tables stay beside the new.

    Raises `BadInput`, `NotAllowed`, `NotReady`.
    """
    access.ensure_case(principal=principal, reference=str(submission.case_id))
    intake.check_reading(reading)
    blob = submission.blob
    if blob is None or not submission.read_as:
        raise NotReady("the file is not sealed and recognised yet; say how to read it when it is")
    found = _look(blob, reading)
    with transaction.atomic():
        row = Submission.objects.select_for_update().get(pk=submission.pk)
        row.reading, row.read_as, row.read_reason = reading, found.procedure or "none", found.reason
        row.save(update_fields=["reading", "read_as", "read_reason"])
        _record(submission.case, blob, found, "source", principal.user, reading)
    return row


def look_at_members(run: Run, outputs: Sequence[tuple[str, Blob]]) -> list[tuple[Blob, Recognition]]:
    """What the members of an archive are, to be planned in the transaction that records them."""
    if not run.procedure.startswith(EXTRACT):
        return []
    stated = _stated(run)
    return [
        (blob, _look(blob, stated, run.parameters["depth"])) for name, blob in outputs if name.startswith("member-")
    ]


def plan_members(case: Case, members: Sequence[tuple[Blob, Recognition]]) -> None:
    for blob, found in members:
        _record(case, blob, found, "member")


def _look(blob: Blob, stated: dict[str, Any], depth: int = 0) -> Recognition:
    head = b"".join(wiring.store().open_range(blob.place, 0, min(blob.size, HEAD)))
    found = recognise(head, stated, whole=blob.size <= HEAD)
    if found.procedure is None or not found.procedure.startswith(EXTRACT):
        return found
    if depth >= DEPTH:
        return Recognition(None, f"an archive inside {DEPTH} others: kept closed; upload it by itself")
    return Recognition(found.procedure, found.reason, {"depth": depth + 1}, found.confidence)


def _stated(run: Run) -> dict[str, Any]:
    """What the uploader said of the file that was handed in, however deep the members lie in it."""
    source = run.inputs.get(role="source").blob_id
    seen = set()
    while source not in seen:
        seen.add(source)
        row = Submission.objects.filter(case=run.case, blob=source).exclude(reading={}).order_by("-created").first()
        if row is not None:
            reading: dict[str, Any] = row.reading
            return reading
        outer = Run.objects.filter(case=run.case, procedure__startswith=EXTRACT, outputs__blob=source).first()
        source = outer.inputs.get(role="source").blob_id if outer else source
    return {}


def _record(
    case: Case, blob: Blob, found: Recognition, role: str, user: User | None = None,
    stated: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """The event, and the run if there is a procedure; inside the caller's transaction."""
    detail = {
        "procedure": found.procedure or "none", "reason": found.reason, "confidence": f"{found.confidence:.2f}",
        "others": [name for name, _ in found.others],
    }  # fmt: skip
    record_event(
        case=case, type="format identification", user=user, outcome="success" if found.procedure else "warning",
        objects=[EventObject(Digest.parse(blob.digest), blob.size, role)],
        detail=detail | ({"stated": stated} if stated else {}),
    )  # fmt: skip
    want_tree(blob, found.procedure)
    if found.procedure:
        runs.plan_run(
            case=case, procedure=found.procedure, parameters=found.parameters,
            inputs=[("source", Digest.parse(blob.digest))],
        )  # fmt: skip
