"""Taking bytes in: a submission is begun, its bytes are appended where they belong, and it is handed to sealing.

Bytes lie in the staging folder under the submission's id: a file name is only ever text. `offset` in the row counts
what was synced to disk, so after a cut or a kill nothing that was acknowledged is missing.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from archive import outbox, wiring
from archive.models import Submission
from archive.services import access
from archive.services.refusals import BadInput, Busy, NoSpace, NotAllowed, NotKept, NotVisible, WrongOffset
from archive.services.worm_check import ensure_stores_hold
from evidence.digest import Digest
from evidence.errors import FormatError

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from archive.services.access import Principal

SYNC_EVERY = 64 << 20
LARGEST = 1 << 53
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LONGEST_NAME = 200
_READING = {"procedure", "columns", "kind"}


def begin_submission(
    *,
    principal: Principal,
    case_reference: str,
    length: int,
    file_name: str = "",
    note: str = "",
    stated_custody: str = "",
    declared_digest: str = "",
    names: Iterable[str] = (),
    reading: dict[str, Any] | None = None,
) -> Submission:
    """An empty submission that waits for `length` bytes. Raises `BadInput`, `NotAllowed`, `StoreError`."""
    ensure_stores_hold()
    if not 0 <= length < LARGEST:
        raise BadInput(f"a length of {length} bytes; write the file's size in bytes")
    if declared_digest:
        declared_digest = _digest(declared_digest)
    if reading:
        _check_reading(reading)
    wanted = [access.normal_name(name) for name in names]
    with transaction.atomic():
        case = access.ensure_case(principal=principal, reference=case_reference)
        access.watch_names(principal=principal, case=case, names=wanted)
        submission = Submission.objects.create(
            case=case, user=principal.user, length=length, declared_digest=declared_digest,
            file_name=_text(file_name), note=_text(note),
            stated_custody=_text(stated_custody), reading=reading or {},
        )  # fmt: skip
    if length == 0:
        append_bytes(principal=principal, submission_id=submission.pk, offset=0, chunks=())
        submission.refresh_from_db()
    return submission


def staged_file(submission_id: uuid.UUID) -> Path:
    return wiring.staging() / str(submission_id)


def own_submission(principal: Principal, submission_id: uuid.UUID) -> Submission:
    """Raises `NotVisible` unless it is the principal's own, `NotAllowed` without the scope upload."""
    found = Submission.objects.filter(pk=submission_id, user=principal.user).first()
    if found is None:
        raise NotVisible("there is no such upload of yours; begin one with POST /api/v1/uploads")
    if "upload" not in principal.scopes:
        raise NotAllowed("the token lacks the scope upload; make one with manage.py token --scope upload,read")
    return found


def append_bytes(*, principal: Principal, submission_id: uuid.UUID, offset: int, chunks: Iterable[bytes]) -> int:
    """Append a stream; the new offset. What arrived before a cut is kept, synced and counted.

    Raises `WrongOffset`, `Busy`, `NoSpace`, `StoreError`, `BadInput` (more bytes than were announced).
    """
    ensure_stores_hold()
    submission = own_submission(principal, submission_id)
    _check_offset(submission, offset)
    with _locked(staged_file(submission.pk)) as descriptor:
        submission.refresh_from_db()
        _check_offset(submission, offset)
        os.ftruncate(descriptor, offset)
        _write(descriptor, submission, chunks)
        if submission.offset == submission.length:
            _finish(submission)
    return submission.offset


def _check_offset(submission: Submission, offset: int) -> None:
    if submission.state != Submission.State.RECEIVING or submission.offset != offset:
        raise WrongOffset(f"the upload continues at byte {submission.offset}, not at {offset}; ask with HEAD where")


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The upload's file, for this request alone; an upload that ended meanwhile gets no second, empty one."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    except BlockingIOError as error:
        raise Busy("another request is writing to this upload; wait until it ends") from error
    finally:
        os.close(descriptor)


def _write(descriptor: int, submission: Submission, chunks: Iterable[bytes]) -> None:
    """Write the stream; only what was synced is counted, and a cut keeps what came before it."""
    os.lseek(descriptor, submission.offset, os.SEEK_SET)
    at = submission.offset
    try:
        for chunk in chunks:
            _check_room(submission, at + len(chunk))
            at += _write_all(descriptor, chunk)
            if at - submission.offset >= SYNC_EVERY:
                _count_synced(descriptor, submission, at)
    except NotKept:
        raise
    except Exception as error:
        _count_synced(descriptor, submission, os.lseek(descriptor, 0, os.SEEK_CUR))
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            raise NoSpace(
                f"no space is left for this upload; {submission.offset} bytes of {submission.length} are kept. "
                "Free some, then resume"
            ) from error
        raise
    _count_synced(descriptor, submission, at)


def _check_room(submission: Submission, end: int) -> None:
    if end > submission.length:
        raise BadInput(f"more than the {submission.length} bytes that were announced; nothing beyond is kept")


def _count_synced(descriptor: int, submission: Submission, at: int) -> None:
    """The kernel tells of a failed write once: after a failed sync nothing since the last good one is believed."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise NotKept(
            f"the disk did not take the upload ({error.strerror}); {submission.offset} bytes of {submission.length} "
            "are kept. See to the disk, then resume"
        ) from error
    Submission.objects.filter(pk=submission.pk).update(offset=at)
    submission.offset = at


def _write_all(descriptor: int, chunk: bytes) -> int:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]
    return len(chunk)


def _count(submission: Submission, at: int) -> None:
    Submission.objects.filter(pk=submission.pk).update(offset=at)
    submission.offset = at


def _finish(submission: Submission) -> None:
    """The name in the staging folder is made durable too, then the row says that all is here."""
    folder = os.open(wiring.staging(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    with transaction.atomic():
        submission.state = Submission.State.RECEIVED
        submission.received = timezone.now()
        submission.save(update_fields=["state", "received"])
        outbox.nudge("workers.seal.seal", str(submission.pk))


def _check_reading(reading: dict[str, Any]) -> None:
    """`procedure` and `kind` are texts, `columns` a map of texts; nothing else, and nothing PostgreSQL cannot hold."""
    columns = reading.get("columns", {})
    if set(reading) - _READING or not isinstance(columns, dict):
        raise BadInput(f"reading: only {sorted(_READING)} are understood, columns as a map of names")
    texts = [value for key, value in reading.items() if key != "columns"] + [*columns, *columns.values()]
    if not all(isinstance(text, str) and text.isprintable() and len(text) <= _LONGEST_NAME for text in texts):
        raise BadInput(f"reading: names are printable texts of at most {_LONGEST_NAME} characters")


def _digest(text: str) -> str:
    try:
        return str(Digest.parse(text.strip().lower() if ":" in text else f"sha256:{text.strip().lower()}"))
    except FormatError as error:
        raise BadInput(f"the declared digest: {error}") from error


def _text(value: str) -> str:
    """PostgreSQL holds no NUL; everything else of a name is kept as it came, as text."""
    return value.replace("\0", "\N{SYMBOL FOR NULL}")[:4000]
