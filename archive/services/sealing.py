"""Sealing: hash, write-once store, custody events, recognition; each step may be killed and repeated."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

from django.db import transaction

from archive.models import Blob, BlobMove, Submission
from archive.services import fixity, intake, storing
from archive.services.copies import look_at
from archive.services.custody import record_event
from archive.services.deaccessions import deaccession_of
from archive.services.identification import identify_submission
from archive.services.keeping import await_others, note_stored
from archive.services.manifests import write_manifest
from archive.services.refusals import Busy, NotKept
from archive.services.worm_check import ensure_stores_hold, look_who_is_away
from archive.storage.store import WHOLE, StoreError
from evidence.digest import Digest, hash_file
from evidence.opening import EventObject

if TYPE_CHECKING:
    import uuid
    from pathlib import Path

    from django.db.models import QuerySet

_GONE = "the received bytes are gone from the staging folder; put them back from a backup, or upload the file again"


def seal_submission(submission_id: uuid.UUID) -> None:
    """Bring a received submission as far as it goes: sealed, its manifest written, recognised, its reading planned."""
    submission = Submission.objects.select_related("case", "user", "blob").get(pk=submission_id)
    if intake.is_whole(submission):
        _finish_or_say(submission)
    if submission.state == Submission.State.RECEIVED:
        _seal_or_say(submission)
    if submission.state == Submission.State.SEALED:
        staged = intake.staged_file(submission.pk)
        write_manifest(submission)
        if not submission.read_as:
            _read_back(submission, staged)
        staged.unlink(missing_ok=True)
        if not submission.read_as:
            identify_submission(submission)


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
        _seal(submission)
    except StoreError as error:
        _received(submission).update(problem=f"not sealed yet, and tried again by itself: {error}"[:4000])
        look_who_is_away()
        raise


def _seal(submission: Submission) -> None:
    """By one process at a time: the lock on the staged file ends with whoever holds it, however it ends."""
    staged = intake.staged_file(submission.pk)
    try:
        with staged.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _seal_staged(submission, staged)
    except BlockingIOError:
        return  # another process is at it
    except FileNotFoundError as error:
        if _received(submission).update(problem=_GONE):
            raise StoreError(f"submission {submission.pk}: {_GONE}") from error
        submission.refresh_from_db()  # another process was at it


def _seal_staged(submission: Submission, staged: Path) -> None:
    digest, size = _hashed(submission, staged)
    if problem := _unwanted(submission, digest):
        if _refuse(submission, problem):
            staged.unlink(missing_ok=True)
        return
    ensure_stores_hold()
    locator = storing.keep_bytes(staged, digest, submission.case)
    with transaction.atomic():
        if _received(submission).update(state="sealed") != 1:
            submission.refresh_from_db()
            return
        _record(submission, digest, size, locator)


def _unwanted(submission: Submission, digest: Digest) -> str:
    """Why these bytes are not taken; empty if they are."""
    if submission.declared_digest and submission.declared_digest != str(digest):
        return (
            f"the bytes that arrived have the digest {digest}, but {submission.declared_digest} was declared; compare "
            "the file with its origin and upload it again"
        )
    blob = Blob.objects.filter(pk=str(digest)).first()
    if blob is not None and deaccession_of(blob) is not None:
        return f"the bytes of {digest} were taken away by law, and are not taken in again; ask who runs this archive"
    return ""


def _hashed(submission: Submission, staged: Path) -> tuple[Digest, int]:
    """Digest and size: as the bytes came, if nobody touched the file since; else it is read."""
    seen = submission.arrived
    if seen is not None:
        with staged.open("rb") as file:
            digest = Digest.parse(seen["digest"])
            if intake.arrived(file.fileno(), digest) == seen:
                return digest, int(seen["size"])
    return hash_file(staged)


def _read_back(submission: Submission, staged: Path) -> None:
    """What was stored is read again, once its receipt no longer waits for it; till then the staged bytes stay.

    Where they are damaged too, as another name of the same file is, fixity has its say. Raises `StoreError`.
    """
    blob = submission.blob
    if blob is None:
        return
    try:
        if staged.exists():
            storing.restore_blob(blob, staged, copies=1)
        elif all(copy.state != WHOLE for copy in look_at(blob)):
            fixity.check_blob(blob, lambda _: None)
    except storing.OtherBytesError:
        fixity.check_blob(blob, lambda _: None)


def _received(submission: Submission) -> QuerySet[Submission]:
    return Submission.objects.filter(pk=submission.pk, state=Submission.State.RECEIVED)


def _record(submission: Submission, digest: Digest, size: int, locator: str) -> None:
    copies = len(locator.split(" "))
    await_others(submission.case)
    blob, fresh = storing.record_blob(digest, size, locator)
    if more := copies > len(blob.place.split(" ")):
        BlobMove.objects.create(blob=blob, locator=locator)
    note_stored(submission.case, there_before=[] if fresh else [blob.digest])
    known = blob.submissions.filter(case=submission.case).exists()
    objects = [EventObject(digest, size, "source")]
    ingestion = record_event(
        case=submission.case, type="ingestion", user=submission.user, objects=objects,
        detail={"submission": str(submission.pk), "duplicate": known},
        sealed={
            "file_name": submission.file_name, "note": submission.note, "stated_custody": submission.stated_custody,
        },
    )  # fmt: skip
    record_event(
        case=submission.case, type="message digest calculation", objects=objects,
        detail={"algorithm": "sha256", "declared": bool(submission.declared_digest)},
    )  # fmt: skip
    if copies > 1 and (fresh or more):
        record_event(case=submission.case, type="replication", objects=objects, detail={"copies": copies})
    submission.state, submission.problem = Submission.State.SEALED, ""
    submission.blob, submission.event, submission.disclosures = blob, ingestion.event, ingestion.disclosures
    submission.save(update_fields=["state", "problem", "blob", "event", "disclosures"])


def _refuse(submission: Submission, problem: str) -> bool:
    """Whether it was still to be refused: what is sealed stays sealed."""
    refused = _received(submission).update(state=Submission.State.REFUSED, problem=problem) == 1
    submission.refresh_from_db()
    return refused
