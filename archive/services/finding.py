"""Finding what may be seen: every read of a door goes through here, so that invisible is the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F

from archive.models import Blob, CustodyEvent, CustodyObject, Run, RunOutput, Submission
from archive.models.run import EXTRACT, PARSE
from archive.services import access
from archive.services.refusals import NotVisible
from evidence.digest import Digest
from evidence.errors import FormatError

if TYPE_CHECKING:
    import uuid

    from django.db.models import QuerySet

    from archive.services.access import Principal

_LEDGER_ORDER = (F("leaf__index").asc(nulls_last=True), F("pending__id").asc(nulls_last=True), "time", "id")


def submissions(principal: Principal) -> QuerySet[Submission]:
    """All of one's cases, with what their doors show."""
    cases = access.cases_visible_to(principal)
    return Submission.objects.filter(case__in=cases).select_related("case", "blob", "event", "user")


def submission(principal: Principal, submission_id: uuid.UUID) -> Submission:
    """Raises `NotVisible`."""
    found = submissions(principal).filter(pk=submission_id).first()
    if found is None:
        raise NotVisible("there is no such submission that you may see")
    return found


def runs(principal: Principal) -> QuerySet[Run]:
    cases = access.cases_visible_to(principal)
    return Run.objects.filter(case__in=cases).select_related("case", "event", "statement")


def results(principal: Principal) -> QuerySet[Run]:
    """Runs that answer a question: everything but the unpacking and reading of a source."""
    return runs(principal).exclude(procedure__startswith=PARSE).exclude(procedure__startswith=EXTRACT)


def run(principal: Principal, run_id: uuid.UUID) -> Run:
    """Raises `NotVisible`."""
    found = runs(principal).filter(pk=run_id).first()
    if found is None:
        raise NotVisible("there is no such result that you may see")
    return found


def event(principal: Principal, event_id: uuid.UUID) -> CustodyEvent:
    """Raises `NotVisible`."""
    found = CustodyEvent.objects.filter(case__in=access.cases_visible_to(principal), pk=event_id).first()
    if found is None:
        raise NotVisible("there is no such event that you may see")
    return found


def events_of(principal: Principal, digest: str) -> QuerySet[CustodyEvent]:
    """The custody of a blob, as far as one's cases go: in the ledger's order, then in that of what waits for it.

    A clock may have been set back; the order of the ledger cannot be.
    """
    cases = access.cases_visible_to(principal)
    named = CustodyEvent.objects.filter(case__in=cases, objects_named__digest=digest)
    return named.select_related("case", "leaf", "pending").distinct().order_by(*_LEDGER_ORDER)


def blob(principal: Principal, digest: str) -> Blob:
    """A blob that an event of one's cases names. Raises `NotVisible`."""
    text = digest.strip().lower()
    try:
        wanted = str(Digest.parse(text if ":" in text else f"sha256:{text}"))
    except FormatError as error:
        raise NotVisible(str(error)) from error
    found = Blob.objects.filter(digest=wanted).first()
    if found is None or not events_of(principal, wanted).exists():
        raise NotVisible(f"no file with the digest {wanted} is in a case that you may see")
    return found


def blobs(principal: Principal) -> QuerySet[Blob]:
    """All that the events of one's cases name."""
    cases = access.cases_visible_to(principal)
    return Blob.objects.filter(digest__in=CustodyObject.objects.filter(event__case__in=cases).values("digest"))


def runs_of(submission_row: Submission) -> QuerySet[Run]:
    """The runs of a case that rest on a submission: unpacking, reading, and what was asked of the tables."""
    case_runs = Run.objects.filter(case=submission_row.case)
    sources = [submission_row.blob_id]
    reading: set[uuid.UUID] = set()
    while sources:
        found = case_runs.filter(inputs__role="source", inputs__blob__in=sources).exclude(pk__in=reading)
        reading |= set(found.values_list("pk", flat=True))
        members = RunOutput.objects.filter(
            run__in=found, run__procedure__startswith=EXTRACT, name__startswith="member-"
        )
        sources = list(members.values_list("blob_id", flat=True))
    tables = Blob.objects.filter(made_by__run__in=reading, made_by__name="table.parquet")
    resting = case_runs.filter(pk__in=reading) | case_runs.filter(inputs__blob__in=tables)
    return resting.distinct().order_by("created", "id")


def is_done(submission_row: Submission) -> bool:
    """Whether nothing more happens by itself: refused, or sealed, under a checkpoint, read and all runs ended."""
    if submission_row.state == Submission.State.REFUSED:
        return True
    if submission_row.event is None or not submission_row.read_as or not hasattr(submission_row.event, "leaf"):
        return False
    open_states = (Run.State.PENDING, Run.State.RUNNING)
    ended = runs_of(submission_row)
    pending_events = CustodyEvent.objects.filter(leaf=None, run__in=ended)
    return not ended.filter(state__in=open_states).exists() and not pending_events.exists()


def parses_behind(result: Run) -> QuerySet[Run]:
    """The readings whose tables a result rests on."""
    tables = result.inputs.values("blob")
    parses = Run.objects.filter(case=result.case, state=Run.State.SUCCEEDED, procedure__startswith=PARSE)
    return parses.filter(outputs__blob__in=tables).distinct().order_by("created", "id")


def extractions_behind(parse: Run) -> list[Run]:
    """The unpackings that gave a reading its source, the nearest first; none if it was handed in as it is."""
    found: list[Run] = []
    source = parse.inputs.get(role="source").blob_id
    while run := Run.objects.filter(
        case=parse.case, state=Run.State.SUCCEEDED, procedure__startswith=EXTRACT, outputs__blob=source
    ).exclude(pk__in=[each.pk for each in found]).first():  # fmt: skip
        found.append(run)
        source = run.inputs.get(role="source").blob_id
    return found
