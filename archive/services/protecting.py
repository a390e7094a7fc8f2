"""Telling the stores what a case asks of them: more copies, a longer lock, a hold or its end."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from archive import wiring
from archive.models import Case
from archive.services.alarms import end_alarm, raise_alarm
from archive.services.copies import alone_with, mend_blob
from archive.services.deaccessions import deaccession_behind
from archive.services.keeping import blobs_of, cases_of, settle_keeping, strictest_keeping
from archive.services.rounds import one_at_a_time
from archive.services.worm_check import does_one_answer, look_who_is_away
from archive.storage.store import MissingBlobError, StoreError

if TYPE_CHECKING:
    from archive.models import Blob

KIND = "keeping"
_NAMED = 5  # of those that did not take it; the others are counted


def apply_keeping(case_id: str) -> None:
    """All of a case's blobs, whatever becomes of one; the sweeper repeats it until all took it. Raises `StoreError`.

    Who is at the case already finds out by itself what was asked meanwhile.
    """
    with one_at_a_time(int.from_bytes(uuid.UUID(case_id).bytes[:8], signed=True)) as alone:
        if alone:
            _apply_all(Case.objects.get(pk=case_id))


def _apply_all(case: Case) -> None:
    seen, refused = 0, []
    for blob in blobs_of(case):
        seen += 1
        try:
            _apply(blob)
        except StoreError as error:
            refused.append(f"{blob.digest}: {error}")
            if not does_one_answer():
                break  # a store that is away is not asked for blob after blob
    if refused:
        said = f"{len(refused)} of the files of case {case.pk} are not kept as it asks: {'; '.join(refused[:_NAMED])}"
        raise_alarm(kind=KIND, subject=str(case.pk), text=said)
        look_who_is_away()
        raise StoreError(said)
    end_alarm(kind=KIND, subject=str(case.pk))
    settle_keeping(case, seen=seen)


def _apply(blob: Blob) -> None:
    """As the strictest of the blob's cases asks; copies that are wanting are made from one that is whole.

    What the law had taken away is left alone, or it would come back.
    """
    if deaccession_behind(blob, cases_of(blob)) is not None:
        return
    with alone_with(blob):
        try:
            wiring.store().protect(blob.place, strictest_keeping(blob))
        except MissingBlobError:
            mend_blob(blob)
            wiring.store().protect(blob.place, strictest_keeping(blob))
