"""What each file of a submission was taken for, members of archives included, and what was read of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from archive.models import Blob, CustodyEvent, Run
from archive.models.run import EXTRACT, PARSE
from archive.services import access, following
from archive.services.custody import told
from archive.services.deaccessions import deaccession_behind
from archive.services.reading import note_access
from archive.services.refusals import NotReady, NotVisible
from archive.services.tables import report_of
from evidence.extraction import INDEX, shortfalls
from evidence.reading.format import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archive.models import Case, Submission
    from archive.services.access import Principal


@dataclass(frozen=True, slots=True)
class Source:
    """The file itself, or a member by its `way` through the archives."""

    digest: str
    size: int
    way: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a source was taken for at last, by the software or by a person's word (`stated`), and its readings."""

    source: Source
    procedure: str
    reason: str
    confidence: float
    others: tuple[str, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    stated: dict[str, Any] = field(default_factory=dict)
    readings: tuple[Run, ...] = ()
    notes: tuple[str, ...] = ()


def sources_of(submission: Submission) -> Iterator[Source]:
    """The file that was handed in and after it all that was taken out of it, in the order of the archives."""
    blob = submission.blob
    if blob is not None:
        yield Source(blob.digest, blob.size)
        yield from _members(submission.case, blob.digest, ())


def _index(case: Case, digest: str) -> dict[str, Any] | None:
    """What was taken out of an archive and what was not; None for a file that is none, or whose members are gone."""
    ended = Run.objects.filter(case=case, state=Run.State.SUCCEEDED, procedure__startswith=EXTRACT)
    extraction = ended.filter(inputs__role="source", inputs__blob=digest).first()
    if extraction is None or deaccession_behind(following.output(extraction, INDEX), [case]) is not None:
        return None
    index: dict[str, Any] = json.loads(b"".join(following.read_blob(following.output(extraction, INDEX))))
    return index


def _members(case: Case, digest: str, way: tuple[str, ...]) -> Iterator[Source]:
    index = _index(case, digest)
    for member in index["members"] if index else ():
        here = (*way, member["path"] or member["output"])
        yield Source(member["digest"], member["size"], here)
        yield from _members(case, member["digest"], here)


def source_of(submission: Submission, digest: str) -> Source:
    """The file or the member with this digest. Raises `NotReady`, `NotVisible`."""
    if submission.blob is None or not submission.read_as:
        raise NotReady("the file is not sealed and recognised yet; say how to read it when it is")
    wanted = digest or submission.blob.digest
    found = next((source for source in sources_of(submission) if source.digest == wanted), None)
    if found is None:
        raise NotVisible(f"the submission has no member {digest[:80]!r}")
    return found


def recognised_of(submission: Submission, offset: int, limit: int) -> list[Recognised]:
    """What some of its sources were taken for; none before the first is recognised."""
    if not submission.read_as:
        return []
    sources = islice(sources_of(submission), offset, offset + limit)
    return [found for source in sources if (found := recognised(submission.case, source))]


def recognised(case: Case, source: Source) -> Recognised | None:
    """As the last event of its identification says; None for a member that has none yet, or one that cannot be read."""
    events = CustodyEvent.objects.filter(case=case, type="format identification", objects_named__digest=source.digest)
    event = events.order_by("time", "id").last()
    said = told(event) if event else None
    if said is None:
        return None
    detail = said.detail
    runs = Run.objects.filter(case=case, procedure__startswith=PARSE, inputs__blob=source.digest)
    readings = tuple(runs.order_by("created", "id"))
    last = next((run for run in reversed(readings) if run.state == Run.State.SUCCEEDED), None)
    return Recognised(
        source, detail["procedure"], detail["reason"], float(detail["confidence"]), tuple(detail["others"]),
        detail.get("parameters", {}), detail.get("stated", {}), readings,
        tuple(report_of(last)["notes"]) if last else _lost(case, source.digest),
    )  # fmt: skip


def _lost(case: Case, digest: str) -> tuple[str, ...]:
    """What of an archive became no member, or is not whole."""
    index = _index(case, digest)
    return tuple(shortfalls(index)) if index else ()


def look_into(*, principal: Principal, submission: Submission, source: Source) -> bytes:
    """The first bytes, for a member of the case to say how they are read; that they were seen is in the custody.

    Raises `NotAllowed`, `TakenAway`.
    """
    access.ensure_case(principal=principal, reference=str(submission.case_id))
    blob = Blob.objects.get(digest=source.digest)
    note_access(principal=principal, blob=blob)
    return b"".join(following.read_blob(blob, 0, min(blob.size, HEAD)))
