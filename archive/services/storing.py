"""Bytes into the store: new ones are put; of those that a blob has already, every copy is looked at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from archive import wiring
from archive.models import Blob, Fixity
from archive.services import fixity
from archive.services.alarms import raise_alarm
from archive.services.copies import lacks_copies, look_at, mend_blob
from archive.services.deaccessions import deaccession_of
from archive.services.keeping import keeping_of
from archive.storage.store import DAMAGED, UNREACHABLE, WHOLE, StoreError
from evidence.digest import Digest, hash_file

if TYPE_CHECKING:
    from pathlib import Path

    from archive.models import Case
    from archive.storage.store import Copy


class OtherBytesError(StoreError):
    """What was to make copies whole is itself not what it was."""


def keep_bytes(source: Path, digest: Digest, case: Case) -> str:
    """Where the bytes of the fsynced file lie, as many copies as the case asks for. Raises `StoreError`.

    How long they are locked is as the case asks only if no blob had them before (`keeping.note_stored`). What the law
    had taken away is not put back.
    """
    blob = Blob.objects.filter(pk=str(digest)).first()
    if blob is None:
        return wiring.store().put(source, digest, keeping_of(case))
    if deaccession_of(blob) is None:
        restore_blob(blob, source, copies=keeping_of(case).copies)
    return blob.place


def record_blob(digest: Digest, size: int, locator: str) -> tuple[Blob, bool]:
    """The row of bytes that lie there, and whether it is new; what too few stores took fixity looks at soon."""
    with transaction.atomic():
        blob, is_new = Blob.objects.get_or_create(digest=str(digest), defaults={"size": size, "locator": locator})
        if is_new and lacks_copies(blob):
            said = f"{len(locator.split(' '))} of {len(wiring.stores())} copies were made; the others follow"
            Fixity.objects.create(blob=blob, said=said, again=timezone.now())
    return blob, is_new


def restore_blob(blob: Blob, source: Path, *, copies: int) -> None:
    """Damaged copies, and all if too few are whole, are made anew from a file with the same bytes.

    What a store was never given while there are enough is left to fixity: it may be away. Raises `OtherBytesError`;
    `StoreError` if there are then too few.
    """
    found = look_at(blob)
    if DAMAGED not in _states(found) and _states(found).count(WHOLE) >= copies:
        return
    problem = _made_anew(blob, source, found)
    found = look_at(blob)
    if _states(found).count(WHOLE) < copies:
        raise StoreError(f"fewer than {copies} copies of {blob.digest} are whole: {problem or _said(found)}")


def _made_anew(blob: Blob, source: Path, found: list[Copy]) -> str:
    """What kept copies from being made, empty if nothing did; told as fixity tells what it finds."""
    if set(_states(found)) == {UNREACHABLE}:
        return _said(found)
    if DAMAGED in _states(found) or WHOLE not in _states(found):
        raise_alarm(kind=fixity.DAMAGE, subject=blob.digest, text=_said(found))
    _refuse_other_bytes(source, blob)
    try:
        mended = mend_blob(blob, source)
    except StoreError as error:
        return str(error)
    if mended.changed:
        fixity.check_blob(blob, lambda _: None)
    return ""


def _states(copies: list[Copy]) -> list[str]:
    return [copy.state for copy in copies]


def _said(copies: list[Copy]) -> str:
    return "; ".join(f"{copy.store}: {copy.state}, {copy.said}" for copy in copies if copy.state != WHOLE)


def _refuse_other_bytes(source: Path, blob: Blob) -> None:
    found = hash_file(source)[0]
    if str(found) != blob.digest:
        raise OtherBytesError(
            f"{source} was to make copies of {blob.digest} whole and has the digest {found}; restore both from a backup"
        )
