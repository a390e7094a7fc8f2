"""Bytes into the store: new ones are put; of those that a blob has already, every copy is looked at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.utils import timezone

from archive import wiring
from archive.models import Blob, Fixity
from archive.services import fixity
from archive.services.alarms import raise_alarm
from archive.services.copies import look_at, mend_blob
from archive.services.deaccessions import deaccession_of
from archive.services.keeping import keeping_of
from archive.storage.store import DAMAGED, UNREACHABLE, WHOLE, StoreError
from evidence.digest import Digest, hash_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from archive.models import Case
    from archive.storage.store import Copy


_ADD = """
INSERT INTO archive_blob (digest, size, locator, stored)
SELECT digest, size, locator, %s FROM unnest(%s::text[], %s::bigint[], %s::text[]) AS kept (digest, size, locator)
ORDER BY digest ON CONFLICT DO NOTHING RETURNING digest
"""
"""In the order of the digests, so that two who add some of the same never wait for each other."""


class OtherBytesError(StoreError):
    """What was to make copies whole is itself not what it was."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes that lie in the store at `locator`."""

    digest: Digest
    size: int
    locator: str


def keep_bytes(source: Path, digest: Digest, case: Case) -> str:
    """As `keep`, of bytes of which it is not known whether a blob has them."""
    return keep(source, digest, case, Blob.objects.filter(pk=str(digest)).first())


def keep(source: Path, digest: Digest, case: Case, blob: Blob | None) -> str:
    """Where the bytes of the fsynced file lie, as many copies as the case asks for. Raises `StoreError`.

    `blob` has them already, if there is one. How long they are locked is as the case asks only if there is none
    (`keeping.note_stored`).
    """
    if blob is None:
        return wiring.store().put(source, digest, keeping_of(case))
    restore_blob(blob, source, blob.place, copies=keeping_of(case).copies)
    return blob.place


def record_blob(digest: Digest, size: int, locator: str) -> tuple[Blob, bool]:
    """The row of bytes that lie there, and whether it is new."""
    blobs, new = record_blobs([Kept(digest, size, locator)])
    return blobs[str(digest)], str(digest) in new


def record_blobs(kept: Sequence[Kept]) -> tuple[dict[str, Blob], set[str]]:
    """The rows of bytes that lie there, by digest, and which are new; what too few stores took fixity looks at soon."""
    with transaction.atomic(savepoint=False):
        columns = [str(one.digest) for one in kept], [one.size for one in kept], [one.locator for one in kept]
        with connection.cursor() as cursor:
            cursor.execute(_ADD, [timezone.now(), *columns])
            new = {digest for (digest,) in cursor.fetchall()}
        blobs = Blob.objects.in_bulk(columns[0])
        for one in kept:
            copies = len(one.locator.split(" "))
            if str(one.digest) in new and copies < len(wiring.stores()):
                said = f"{copies} of {len(wiring.stores())} copies were made; the others follow"
                Fixity.objects.create(blob=blobs[str(one.digest)], said=said, again=timezone.now())
    return blobs, new


def restore_blob(blob: Blob, source: Path, place: str, *, copies: int) -> None:
    """Damaged copies, and all if too few are whole, are made anew from a file with the same bytes.

    `place` is where they lie. What a store was never given while there are enough is left to fixity: it may be away.
    What the law had taken away is not put back.
    Raises `OtherBytesError`; `StoreError` if there are then too few.
    """
    found = look_at(blob, place)
    if DAMAGED not in _states(found) and _states(found).count(WHOLE) >= copies:
        return
    if deaccession_of(blob) is not None:
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
