"""Saying what bytes are, by recognition or by a person's word, both custody events; and planning their reading."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction

from archive import wiring
from archive.models import Blob, Run, Submission, UnitTree
from archive.models.run import EXTRACT
from archive.services import access, intake, recognised, runs
from archive.services.custody import Happened, record_events
from archive.services.keeping import await_others
from archive.services.refusals import BadInput
from archive.services.unit_trees import want_tree
from evidence.digest import Digest
from evidence.errors import ReadingError
from evidence.extraction import DEPTH, inside
from evidence.opening import EventObject
from evidence.reading.format import HEAD
from evidence.reading.mapping import check_mapping
from evidence.recognition import Recognition, recognise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archive.models import Case, User
    from archive.services.access import Principal
    from archive.services.recognised import Source

_MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a blob is, in what role, and by whose word if a person stated it."""

    blob: Blob
    found: Recognition
    role: str
    user: User | None = None
    stated: dict[str, Any] = field(default_factory=dict)


def identify_submissions(case: Case, sealed: Sequence[tuple[Submission, Blob, str]]) -> None:
    """What the bytes are that lie at a place; and the plan to read them. Those that no reader knows are kept, too."""
    seen = {row.pk: (row, _Seen(blob, _look(blob, place, row.reading), "source")) for row, blob, place in sealed}
    with transaction.atomic():
        await_others(case)
        unread = Submission.objects.select_for_update().filter(pk__in=seen, read_as="")
        fresh = set(unread.values_list("pk", flat=True))  # the others somebody else identified a moment ago
        rows = []
        for row, each in (pair for pk, pair in seen.items() if pk in fresh):
            row.read_as, row.read_reason = each.found.procedure or "none", each.found.reason
            row.try_after = None
            rows.append(row)
        Submission.objects.bulk_update(rows, ["read_as", "read_reason", "try_after"])
        _record(case, [seen[row.pk][1] for row in rows])
        runs.plan_follow_ups(case=case)  # of bytes that were read before, about names that are watched since


def state_reading(
    *, principal: Principal, submission: Submission, reading: dict[str, Any], member: str = ""
) -> Submission:  # fmt: skip
    """A person says how a sealed file, or a member of it, is to be read: format, columns, order of dates, zone, year.

    Earlier tables stay beside the new. What is said of an archive is said of each of its members.
    Raises `BadInput`, `NotAllowed`, `NotReady`, `NotVisible`.
    """
    access.ensure_case(principal=principal, reference=str(submission.case_id))
    intake.check_reading(reading)
    source = recognised.source_of(submission, member)
    size = submission.blob.size if submission.blob else 0
    looked = [(blob, *_look_at(blob, reading, way, size)) for blob, way in _meant(submission, source)]
    with transaction.atomic():
        row = Submission.objects.select_for_update().get(pk=submission.pk)
        if not source.way:
            _, _, found = looked[0]
            row.reading, row.read_as, row.read_reason = reading, found.procedure or "none", found.reason
            row.save(update_fields=["reading", "read_as", "read_reason"])
        said = [_Seen(blob, found, role, principal.user, reading) for blob, role, found in looked]
        _record(submission.case, said)
    return row


def _meant(submission: Submission, source: Source) -> list[tuple[Blob, tuple[str, ...]]]:
    """The source and all that was taken out of it, with their ways."""
    depth = len(source.way)
    found = [
        (each.digest, each.way)
        for each in recognised.sources_of(submission)
        if each == source or (each.way[:depth] == source.way and len(each.way) > depth)
    ]
    if len(found) > _MOST_AT_ONCE:
        raise BadInput(f"it has more than {_MOST_AT_ONCE} members; say of each of them how it is to be read")
    blobs = Blob.objects.in_bulk([digest for digest, _ in found])
    return [(blobs[digest], way) for digest, way in found]


def _look_at(blob: Blob, reading: dict[str, Any], way: tuple[str, ...], outermost: int) -> tuple[str, Recognition]:
    """In what role, and as what. Raises `BadInput` for columns that no row could be made by."""
    found = _look(blob, blob.place, reading, len(way), outermost)
    columns = found.parameters.get("columns")
    if columns is not None:
        try:
            check_mapping(found.parameters["kind"], columns)
        except ReadingError as error:
            raise BadInput(f"reading: {error}") from error
    return "member" if way else "source", found


def look_at_members(run: Run, outputs: Sequence[tuple[str, Blob]]) -> list[tuple[Blob, Recognition]]:
    """What the members of an archive are, to be planned in the transaction that records them."""
    if not run.procedure.startswith(EXTRACT):
        return []
    stated = _stated(run)
    outermost = run.parameters.get("outermost") or run.inputs.select_related("blob").get(role="source").blob.size
    return [
        (blob, _look(blob, blob.place, stated, run.parameters["depth"], outermost))
        for name, blob in outputs
        if name.startswith("member-")
    ]


def plan_members(case: Case, members: Sequence[tuple[Blob, Recognition]]) -> None:
    _record(case, [_Seen(blob, found, "member") for blob, found in members])


def _look(blob: Blob, place: str, stated: dict[str, Any], depth: int = 0, outermost: int = 0) -> Recognition:
    """As what it is read; an archive inside others with the size of the one that was handed in."""
    head = b"".join(wiring.store().open_range(place, 0, min(blob.size, HEAD)))
    found = recognise(head, stated, whole=blob.size <= HEAD)
    if found.procedure is None or not found.procedure.startswith(EXTRACT):
        return found
    if depth >= DEPTH:
        return Recognition(None, f"an archive inside {DEPTH} others: kept closed; upload it by itself")
    return Recognition(found.procedure, found.reason, inside(depth, outermost), found.confidence)


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


def _record(case: Case, seen: Sequence[_Seen]) -> None:
    """The events, and a run where there is a procedure; inside the caller's transaction."""
    record_events([_told(case, each) for each in seen])
    _want_trees(seen)
    for each in seen:
        if each.found.procedure:
            runs.plan_run(
                case=case, procedure=each.found.procedure, parameters=each.found.parameters,
                inputs=[("source", Digest.parse(each.blob.digest))],
            )  # fmt: skip


def _want_trees(seen: Sequence[_Seen]) -> None:
    """In the order of the digests, so that two cases that get some of the same never wait for each other.

    Binary data that no reader knows has no units, unless it was said in another case what it is: then its tree is told
    in this one, too.
    """
    binary = [each.blob for each in seen if each.found.is_binary]
    planted = set(UnitTree.objects.filter(blob__in=binary).values_list("blob", flat=True)) if binary else set()
    for each in sorted(seen, key=lambda each: each.blob.digest):
        if not each.found.is_binary or each.blob.digest in planted:
            want_tree(each.blob, each.found.procedure)


def _told(case: Case, seen: _Seen) -> Happened:
    found = seen.found
    detail = {
        "procedure": found.procedure or "none", "reason": found.reason, "confidence": f"{found.confidence:.2f}",
        "others": [name for name, _ in found.others], "parameters": found.parameters,
    }  # fmt: skip
    return Happened(
        case=case, type="format identification", user=seen.user, outcome="success" if found.procedure else "warning",
        objects=[EventObject(Digest.parse(seen.blob.digest), seen.blob.size, seen.role)],
        detail=detail | ({"stated": seen.stated} if seen.stated else {}),
    )  # fmt: skip
