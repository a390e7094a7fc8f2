"""Reading sealed content is an act of custody: one event a person, file and minute, however many ranges are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from archive import outbox
from archive.models import AccessWindow, CustodyObject
from archive.services import access, finding, following
from archive.services.custody import record_event, rfc3339
from archive.services.deaccessions import deaccession_behind
from archive.services.refusals import NotVisible, TakenAway
from evidence.digest import Digest
from evidence.opening import EventObject

if TYPE_CHECKING:
    from archive.models import Blob, Run
    from archive.services.access import Principal
    from archive.services.following import Line


def note_access(*, principal: Principal, blob: Blob) -> None:
    """To be called before sealed bytes are shown, handed in or taken out of what was: told in each case that has them.

    Raises `NotVisible`, `TakenAway`.
    """
    named = CustodyObject.objects.filter(digest=blob.digest).values("event__case")
    cases = list(access.cases_visible_to(principal).filter(pk__in=named))
    if not cases:
        raise NotVisible(f"no file with the digest {blob.digest} is in a case that you may see")
    refuse_taken_away(principal, blob)
    minute = timezone.now().replace(second=0, microsecond=0)
    objects = [EventObject(Digest.parse(blob.digest), blob.size, "read")]
    for case in cases:
        with transaction.atomic():
            _, new = AccessWindow.objects.get_or_create(case=case, user=principal.user, blob=blob, minute=minute)
            if new:
                detail = {"from": rfc3339(minute), "seconds": 60}
                record_event(case=case, type="access", user=principal.user, objects=objects, detail=detail)
                outbox.nudge("workers.sequence.sequence")


def refuse_taken_away(principal: Principal, blob: Blob) -> None:
    """Raises `TakenAway` for bytes that the law had taken away, and for what shows the content of such bytes."""
    said = deaccession_behind(blob, access.cases_visible_to(principal))
    if said is None or said.event is None:
        return
    what = f"the bytes of {blob.digest}"
    if said.blob_id != blob.digest:
        what = f"{blob.digest} shows what is in {said.blob_id}, whose bytes"
    raise TakenAway(
        f"{what} were taken away by law on {rfc3339(said.event.time)}; the page of {said.blob_id} shows the event and "
        "its proof"
    )


def read_lines(*, principal: Principal, run: Run, name: str, offset: int, limit: int) -> list[Line]:
    """Some lines behind a finding; that they are read is in the custody of each file."""
    ranges = following.ranges_of(run, name, offset, limit)
    blobs = {digest: finding.blob(principal, digest) for digest in sorted({item["blob"] for item in ranges})}
    for blob in blobs.values():
        note_access(principal=principal, blob=blob)
    return [following.line_at(blobs[item["blob"]], item) for item in ranges]
