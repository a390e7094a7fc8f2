"""Sealing: hash, write-once store, custody events, recognition; each step may be killed and repeated.

Small submissions that wait at the same time go together: each is put into the store by itself, and all of a case are
told in one transaction.
"""

from __future__ import annotations

import fcntl
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from django.db import transaction

from archive import outbox
from archive.models import Blob, BlobMove, Submission
from archive.services import fixity, intake, storing, waiting
from archive.services.copies import look_at, places_of
from archive.services.custody import Happened, record_events
from archive.services.deaccessions import deaccession_of
from archive.services.identification import identify_submissions
from archive.services.keeping import await_others, note_stored
from archive.services.manifests import write_manifest
from archive.services.refusals import Busy, NotKept
from archive.services.worm_check import ensure_stores_hold, look_who_is_away
from archive.storage.store import WHOLE, StoreError
from evidence.digest import Digest, hash_file
from evidence.opening import EventObject

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator, Sequence
    from io import BufferedReader
    from pathlib import Path

    from django.db.models import QuerySet

    from archive.models import Case

INGESTION = "ingestion"
_GONE = "the received bytes are gone from the staging folder; put them back from a backup, or upload the file again"


@dataclass(frozen=True, slots=True)
class _Arrived:
    """What a submission's staged bytes are."""

    submission: Submission
    digest: Digest
    size: int

    def put(self, blob: Blob | None) -> storing.Kept:
        """Into the store, where the blob has them already, if there is one. Raises `StoreError`."""
        staged = intake.staged_file(self.submission.pk)
        return storing.Kept(self.digest, self.size, storing.keep(staged, self.digest, self.submission.case, blob))


def seal_submission(submission_id: uuid.UUID) -> None:
    """Bring a received submission as far as it goes: sealed, its manifest written, recognised, its reading planned."""
    _bring_on(Submission.objects.select_related("case", "user", "blob").get(pk=submission_id))


def seal_waiting() -> None:
    """The same for some that wait; if one of them does not go, each is sent by itself, and says why."""
    rows = waiting.take_received()
    if len(rows) == 1:
        _bring_on(rows[0])
        return
    try:
        _seal(rows)
        _complete(rows)
    except Exception:
        for row in rows:
            outbox.nudge("workers.seal.seal", str(row.pk))
        raise


def _bring_on(submission: Submission) -> None:
    if intake.is_whole(submission):
        _finish_or_say(submission)
    if submission.state == Submission.State.RECEIVED:
        _seal_or_say(submission)
    _complete([submission])


def _complete(rows: Sequence[Submission]) -> None:
    """Of those that are sealed: the manifest, the bytes as the store gives them back, what they are."""
    sealed = [(row, row.blob) for row in rows if row.state == Submission.State.SEALED and row.blob is not None]
    unread = [(row, blob) for row, blob in sealed if not row.read_as]
    places = places_of([blob for _, blob in unread]) if unread else {}
    for row, blob in sealed:
        staged = intake.staged_file(row.pk)
        write_manifest(row)
        if not row.read_as:
            _read_back(blob, places[blob.digest], staged)
        staged.unlink(missing_ok=True)
    for case, group in _by_case(unread):
        identify_submissions(case, [(row, blob, places[blob.digest]) for row, blob in group])


def _finish_or_say(submission: Submission) -> None:
    """What a killed process left undone; a request that is at it does it itself."""
    try:
        intake.finish_whole(submission)
    except Busy:
        return
    except NotKept as refusal:
        Submission.objects.filter(pk=submission.pk).update(problem=str(refusal))


def _seal_or_say(submission: Submission) -> None:
    """What the store answers is shown until it takes the bytes; the sweeper tries again."""
    try:
        _seal([submission])
    except StoreError as error:
        _received(submission).update(problem=f"not sealed yet, and tried again by itself: {error}"[:4000])
        look_who_is_away()
        raise


def _seal(rows: Sequence[Submission]) -> None:
    """Each by one process at a time: the lock on the staged file ends with whoever holds it, however it ends."""
    arrived: dict[str, _Arrived] = {}
    with ExitStack() as held:
        found = [one for row in rows if (one := _arrived(row, held))]
        again = [one for one in found if arrived.setdefault(str(one.digest), one) is not one]
        blobs = Blob.objects.in_bulk(list(arrived))
        wanted = [(blobs.get(digest), one) for digest, one in arrived.items()]
        wanted = [(blob, one) for blob, one in wanted if not _refuse(one, _unwanted(one, blob))]
        if wanted:
            ensure_stores_hold()
        kept = [(one.submission, one.put(blob)) for blob, one in wanted]
        for case, group in _by_case(kept):
            _record(case, group)
    for one in again:  # the same bytes are there already when they come
        outbox.nudge("workers.seal.seal", str(one.submission.pk))


def _arrived(submission: Submission, held: ExitStack) -> _Arrived | None:
    """The staged bytes, locked; None if another process is at them. Raises `StoreError` if they are gone."""
    try:
        file = held.enter_context(intake.staged_file(submission.pk).open("rb"))
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except FileNotFoundError as error:
        if _received(submission).update(problem=_GONE):
            raise StoreError(f"submission {submission.pk}: {_GONE}") from error
        submission.refresh_from_db()  # another process was at it
        return None
    return _Arrived(submission, *_hashed(submission, file))


def _by_case[Held](rows: Sequence[tuple[Submission, Held]]) -> Iterator[tuple[Case, list[tuple[Submission, Held]]]]:
    for _, group in groupby(sorted(rows, key=lambda pair: pair[0].case_id), key=lambda pair: pair[0].case_id):
        found = list(group)
        yield found[0][0].case, found


def _unwanted(arrived: _Arrived, blob: Blob | None) -> str:
    """Why these bytes, which the blob has if there is one, are not taken; empty if they are."""
    digest, declared = arrived.digest, arrived.submission.declared_digest
    if declared and declared != str(digest):
        return (
            f"the bytes that arrived have the digest {digest}, but {declared} was declared; compare the file with its "
            "origin and upload it again"
        )
    if blob is not None and deaccession_of(blob) is not None:
        return f"the bytes of {digest} were taken away by law, and are not taken in again; ask who runs this archive"
    return ""


def _hashed(submission: Submission, staged: BufferedReader) -> tuple[Digest, int]:
    """Digest and size: as the bytes came, if nobody touched the file since; else it is read."""
    seen = submission.arrived
    if seen is not None:
        digest = Digest.parse(seen["digest"])
        if intake.arrived(staged.fileno(), digest) == seen:
            return digest, int(seen["size"])
    return hash_file(intake.staged_file(submission.pk))


def _read_back(blob: Blob, place: str, staged: Path) -> None:
    """What was stored is read again, once its receipt no longer waits for it; till then the staged bytes stay.

    Where they are damaged too, as another name of the same file is, fixity has its say. Raises `StoreError`.
    """
    try:
        if staged.exists():
            storing.restore_blob(blob, staged, place, copies=1)
        elif all(copy.state != WHOLE for copy in look_at(blob, place)):
            fixity.check_blob(blob, lambda _: None)
    except storing.OtherBytesError:
        fixity.check_blob(blob, lambda _: None)


def _received(submission: Submission) -> QuerySet[Submission]:
    return Submission.objects.filter(pk=submission.pk, state=Submission.State.RECEIVED)


def _record(case: Case, kept: Sequence[tuple[Submission, storing.Kept]]) -> None:
    """Of submissions to one case: their blobs, their events, and that they are sealed."""
    with transaction.atomic():
        row = await_others(case)
        kept = _still_received(kept)
        blobs, new = storing.record_blobs([bytes_ for _, bytes_ in kept])
        note_stored(case, row, there_before=set(blobs) - new)
        known = set(Submission.objects.filter(case=case, blob__in=blobs).values_list("blob_id", flat=True))
        told: list[Happened] = []
        for submission, bytes_ in kept:
            submission.blob = blob = blobs[str(bytes_.digest)]
            told += _told(submission, bytes_, known=blob.digest in known)
            told += _told_copies(submission, blob, bytes_, is_new=blob.digest in new)
        ingestions = [said for said in record_events(told) if said.event.type == INGESTION]
        for (submission, _), ingestion in zip(kept, ingestions, strict=True):
            submission.state, submission.problem = Submission.State.SEALED, ""
            submission.event, submission.disclosures = ingestion.event, ingestion.disclosures
        Submission.objects.bulk_update(
            [submission for submission, _ in kept], ["state", "problem", "blob", "event", "disclosures"]
        )


def _still_received(
    kept: Sequence[tuple[Submission, storing.Kept]],
) -> list[tuple[Submission, storing.Kept]]:
    """Those that nobody else sealed or refused, which nobody does until the transaction ends."""
    rows = Submission.objects.select_for_update().filter(pk__in=[submission.pk for submission, _ in kept])
    received = set(rows.filter(state=Submission.State.RECEIVED).values_list("pk", flat=True))
    for submission, _ in kept:
        if submission.pk not in received:
            submission.refresh_from_db()
    return [(submission, bytes_) for submission, bytes_ in kept if submission.pk in received]


def _told(submission: Submission, bytes_: storing.Kept, *, known: bool) -> Iterator[Happened]:
    objects = [EventObject(bytes_.digest, bytes_.size, "source")]
    yield Happened(
        case=submission.case, type=INGESTION, user=submission.user, objects=objects,
        detail={"submission": str(submission.pk), "duplicate": known},
        sealed={
            "file_name": submission.file_name, "note": submission.note, "stated_custody": submission.stated_custody,
        },
    )  # fmt: skip
    yield Happened(
        case=submission.case, type="message digest calculation", objects=objects,
        detail={"algorithm": "sha256", "declared": bool(submission.declared_digest)},
    )  # fmt: skip


def _told_copies(submission: Submission, blob: Blob, bytes_: storing.Kept, *, is_new: bool) -> Iterator[Happened]:
    """That they lie in several stores, or in more than they did, which their row then says, too."""
    copies = len(bytes_.locator.split(" "))
    if more := not is_new and copies > len(blob.place.split(" ")):
        BlobMove.objects.create(blob=blob, locator=bytes_.locator)
    if copies > 1 and (is_new or more):
        objects = [EventObject(bytes_.digest, bytes_.size, "source")]
        yield Happened(case=submission.case, type="replication", objects=objects, detail={"copies": copies})


def _refuse(arrived: _Arrived, problem: str) -> bool:
    """Whether there is a problem with them; what is sealed stays sealed."""
    submission = arrived.submission
    if problem:
        refused = _received(submission).update(state=Submission.State.REFUSED, problem=problem) == 1
        submission.refresh_from_db()
        if refused:
            intake.staged_file(submission.pk).unlink(missing_ok=True)
    return bool(problem)
