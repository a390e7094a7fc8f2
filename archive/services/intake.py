"""Taking bytes in: a submission is begun, its bytes are appended where they belong, and it is handed to sealing.

Bytes lie in the staging folder under the submission's id: a file name is only ever text. `offset` in the row counts
what was synced to disk, so after a cut or a kill nothing that was acknowledged is missing.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from archive import wiring
from archive.models import Submission
from archive.services import access, waiting
from archive.services.receiving import StagedWriter, SyncFailedError
from archive.services.refusals import BadInput, Busy, NoSpace, NotAllowed, NotKept, NotVisible, WrongOffset
from archive.services.worm_check import ensure_stores_hold
from evidence.digest import Digest
from evidence.errors import FormatError, ReadingError
from evidence.formats.registry import FORMATS
from evidence.reading.clock import YEARS, check_zone

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from archive.services.access import Principal

LARGEST = 1 << 53
QUIET_FOR = 120.0  # seconds without a byte, after which nobody is told to wait for the next one
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LONGEST_NAME = 200
_READING = {"procedure", "columns", "kind", "delimiter", "dates", "zone", "year"}


def begin_submission(  # noqa: PLR0913 -- all that an uploader can say
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
    metadata: str = "",
    chunks: Iterable[bytes] | None = None,
) -> Submission:
    """A submission that waits for `length` bytes; `metadata` is all that was said, as it was said.

    `chunks` are the first of them, or all, if they came along. Where the disk does not take them, its `offset` says how
    many were taken, and whoever goes on is told why. Raises `BadInput`, `NotAllowed`, `StoreError`.
    """
    ensure_stores_hold()
    if not 0 <= length < LARGEST:
        raise BadInput(f"a length of {length} bytes; write the file's size in bytes")
    if declared_digest:
        declared_digest = _digest(declared_digest)
    if reading:
        check_reading(reading)
    wanted = [access.normal_name(name) for name in names]
    with transaction.atomic():
        access.refuse_namesake(principal=principal, reference=case_reference)
        case = access.ensure_case(principal=principal, reference=case_reference)
        if wanted:
            access.watch_names(principal=principal, case=case, names=wanted)
        submission = Submission.objects.create(
            case=case, user=principal.user, length=length, declared_digest=declared_digest,
            file_name=_text(file_name), note=_text(note),
            stated_custody=_text(stated_custody), reading=reading or {}, metadata=metadata,
        )  # fmt: skip
    if length == 0 or chunks is not None:
        with suppress(NoSpace, NotKept, OSError):
            with _locked(staged_file(submission.pk)) as descriptor:
                seen = _take_in(descriptor, submission, chunks or ())
            _finish_if_whole(submission, seen)
    return submission


def staged_file(submission_id: uuid.UUID) -> Path:
    return wiring.staging() / str(submission_id)


def is_abandoned(submission: Submission) -> bool:
    """Whether nothing has arrived for a while of what is still to come."""
    if submission.state != Submission.State.RECEIVING:
        return False
    path = staged_file(submission.pk)
    heard = path.stat().st_mtime if path.exists() else submission.created.timestamp()
    return timezone.now().timestamp() - heard > QUIET_FOR


def own_submission(principal: Principal, submission_id: uuid.UUID) -> Submission:
    """Raises `NotVisible` unless it is the principal's own, `NotAllowed` without the scope upload."""
    found = Submission.objects.filter(pk=submission_id, user=principal.user).first()
    if found is None:
        raise NotVisible("there is no such upload of yours; begin one with POST /api/v1/uploads")
    if not principal.adds:
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
        seen = _take_in(descriptor, submission, chunks)
    _finish_if_whole(submission, seen)
    return submission.offset


def _take_in(descriptor: int, submission: Submission, chunks: Iterable[bytes]) -> dict[str, Any] | None:
    """By what the staged file is known again, if all of it came now."""
    _prepare(descriptor, submission)
    digest = _write(descriptor, submission, chunks)
    return arrived(descriptor, digest) if digest else None


def finish_whole(submission: Submission) -> None:
    """Hand on an upload whose last byte was counted by a process that was killed before it could say so.

    Raises `Busy` while a request is at it, `NotKept` if its bytes are gone.
    """
    with _locked(staged_file(submission.pk)) as descriptor:
        submission.refresh_from_db()
        if is_whole(submission):
            _prepare(descriptor, submission)
    _finish_if_whole(submission, None)


def is_whole(submission: Submission) -> bool:
    """Whether all bytes are here, and nobody has said so yet."""
    return submission.state == Submission.State.RECEIVING and submission.offset == submission.length


def _check_offset(submission: Submission, offset: int) -> None:
    if submission.state != Submission.State.RECEIVING or submission.offset != offset:
        raise WrongOffset(f"the upload continues at byte {submission.offset}, not at {offset}; ask with HEAD where")


def _prepare(descriptor: int, submission: Submission) -> None:
    """What was counted has to be there, as does the file's name, before more is; what was not counted goes."""
    there = os.fstat(descriptor).st_size
    if there < submission.offset:
        raise NotKept(
            f"of the {submission.offset} bytes that had arrived only {there} are left in {wiring.staging()}; put "
            f"{submission.pk} back there from a backup, or begin the upload anew"
        )
    os.ftruncate(descriptor, submission.offset)
    if submission.offset == 0:
        _sync_folder(wiring.staging())


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The upload's file, for this request alone."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    except BlockingIOError as error:
        raise Busy("another request is writing to this upload; wait until it ends") from error
    finally:
        os.close(descriptor)


def _write(descriptor: int, submission: Submission, chunks: Iterable[bytes]) -> Digest | None:
    """The digest of the whole file, if all of it came now. Only what was synced is counted."""
    with StagedWriter(descriptor, submission.offset, partial(_count, submission)) as writer:
        try:
            _take(writer, submission, chunks)
        except SyncFailedError as error:
            raise NotKept(
                f"the disk did not take the upload ({error}); {submission.offset} bytes of {submission.length} are "
                "kept. See to the disk, then resume"
            ) from error
        return writer.digest()


def _take(writer: StagedWriter, submission: Submission, chunks: Iterable[bytes]) -> None:
    """Write the stream; a cut keeps what came before it."""
    try:
        for chunk in chunks:
            _check_room(submission, writer.at + len(chunk))
            writer.write(chunk)
    except SyncFailedError:
        raise
    except Exception as error:
        writer.finish()
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            raise NoSpace(
                f"no space is left for this upload; {submission.offset} bytes of {submission.length} are kept. "
                "Free some, then resume"
            ) from error
        raise
    writer.finish()


def _check_room(submission: Submission, end: int) -> None:
    if end > submission.length:
        raise BadInput(f"more than the {submission.length} bytes that were announced; nothing beyond is kept")


def _count(submission: Submission, at: int) -> None:
    Submission.objects.filter(pk=submission.pk).update(offset=at)
    submission.offset = at


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise NotKept(
            f"the disk did not take a new upload ({error.strerror}); see to the disk, then try again"
        ) from error
    finally:
        os.close(descriptor)


def arrived(descriptor: int, digest: Digest) -> dict[str, Any]:
    """The digest of a staged file, and all by which one can tell that nobody touched the file since."""
    now = os.fstat(descriptor)
    return {"digest": str(digest), "size": now.st_size, "inode": now.st_ino, "changed": now.st_ctime_ns}


def _finish_if_whole(submission: Submission, seen: dict[str, Any] | None) -> None:
    """To be called when the staged file is free: a sealer that met its lock would leave it to the sweeper."""
    if is_whole(submission):
        _finish(submission, seen)


def _finish(submission: Submission, seen: dict[str, Any] | None) -> None:
    """Whoever is first, of this request and one that found all bytes there, sends for a sealer."""
    receiving = Submission.objects.filter(pk=submission.pk, state=Submission.State.RECEIVING)
    submission.state, submission.arrived = Submission.State.RECEIVED, seen
    submission.received = timezone.now()
    if receiving.update(state=submission.state, arrived=seen, received=submission.received, try_after=None):
        waiting.send_received(submission)


def check_reading(reading: dict[str, Any]) -> None:
    """Texts, but `columns` a map of them and `year` a number; nothing PostgreSQL cannot hold. Raises `BadInput`."""
    columns = reading.get("columns", {})
    if set(reading) - _READING or not isinstance(columns, dict):
        raise BadInput(f"reading: only {sorted(_READING)} are understood, columns as a map of names")
    if "year" in reading and (type(reading["year"]) is not int or reading["year"] not in YEARS):
        raise BadInput(f"reading: the year is a number from {YEARS[0]} to {YEARS[-1]}")
    texts = [value for key, value in reading.items() if key not in ("columns", "year")] + [*columns, *columns.values()]
    if not all(isinstance(text, str) and text.isprintable() and len(text) <= _LONGEST_NAME for text in texts):
        raise BadInput(f"reading: names are printable texts of at most {_LONGEST_NAME} characters")
    for name in ("delimiter", "dates"):
        _check_choice(name, reading.get(name))
    if reading.get("zone"):
        _check_zone(reading["zone"])


def _check_choice(name: str, word: str | None) -> None:
    """Against the words of all formats that leave it to the uploader."""
    words = [word for form in FORMATS.values() for word in form.choices.get(name, ())]
    if word and word not in words:
        raise BadInput(f"reading: {name} {word!r}: write one of {', '.join(words)}")


def _check_zone(zone: str) -> None:
    try:
        check_zone(zone)
    except ReadingError as error:
        raise BadInput(f"reading: {error}") from error


def _digest(text: str) -> str:
    try:
        return str(Digest.parse(text.strip().lower() if ":" in text else f"sha256:{text.strip().lower()}"))
    except FormatError as error:
        raise BadInput(f"the declared digest: {error}") from error


def _text(value: str) -> str:
    """PostgreSQL holds no NUL; everything else of a name is kept as it came, as text."""
    return value.replace("\0", "\N{SYMBOL FOR NULL}")[:4000]
