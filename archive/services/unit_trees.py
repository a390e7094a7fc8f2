"""Planting unit trees: right after sealing, each file's tree is computed and its root goes into the ledger.

Text is cut into lines; a binary format into the records of its reader, once it has read them. Archives have none: their
members have. The key of a tree never leaves the database, but for the salts of units that somebody discloses.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import secrets
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from archive import outbox, wiring
from archive.models import CustodyEvent, PendingTree, Run, UnitTree
from archive.models.run import EXTRACT
from archive.services.alarms import end_alarm, raise_alarm
from archive.services.custody import record_event
from archive.services.keeping import cases_of
from archive.services.whole import local_whole_copy
from archive.storage.store import StoreError
from evidence import unit_tree
from evidence.digest import Digest
from evidence.errors import EvidenceError
from evidence.formats.registry import FORMATS
from evidence.opening import EventObject
from evidence.sandbox import run_in_child

if TYPE_CHECKING:
    from archive.models import Blob, Case

_LEASE, _SOON = dt.timedelta(minutes=2), dt.timedelta(seconds=5)
_SLOWEST, _LONGEST = 5e6, dt.timedelta(days=1)  # bytes a second; no file takes longer
DIGESTS = "message digest calculation"
KIND = "unit tree"


@dataclass(frozen=True, slots=True)
class Cut:
    """How a blob is cut: the kind of unit, and for records the run that found them."""

    kind: str
    run: Run | None = None


def want_tree(blob: Blob, procedure: str | None) -> None:
    """Let the blob wait for its tree; inside the transaction that says what it is."""
    if blob.size and not (procedure or "").startswith(EXTRACT):
        PendingTree.objects.update_or_create(blob=blob, defaults={"procedure": procedure or "", "lease": None})
        outbox.nudge("workers.plant.plant", blob.digest)


def plant_tree(digest: str) -> None:
    """The tree of a blob that waits for one, and an event in each of its cases; may be killed and repeated."""
    pending = _take(digest)
    if pending is None:
        return
    tree = UnitTree.objects.filter(blob=digest).first()
    try:
        made = tree or _grown(pending)
    except (EvidenceError, StoreError) as error:
        raise_alarm(kind=KIND, subject=digest, text=f"no unit tree was made, so no lines can be disclosed: {error}")
        if isinstance(error, EvidenceError):
            pending.delete()  # of whole bytes: the same would fail again
        return  # else once a copy is mended, or its store is back, and the lease has passed, it is tried again
    if made is not None:
        _record(pending, made)
    else:
        PendingTree.objects.filter(pk=digest).update(lease=timezone.now() + _SOON)


def nudge_what_waits() -> None:
    """Send again for trees that nobody is at."""
    now = timezone.now()
    free = Q(lease=None, since__lt=now - _SOON) | _passed(now)
    for digest in PendingTree.objects.filter(free).values_list("pk", flat=True):
        outbox.nudge("workers.plant.plant", digest)


def _take(digest: str) -> PendingTree | None:
    """The row of work, for a time in which a file of its size is surely done."""
    now = timezone.now()
    pending = PendingTree.objects.select_related("blob").filter(pk=digest).first()
    if pending is None:
        return None
    lease = now + min(_LEASE + dt.timedelta(seconds=pending.blob.size / _SLOWEST), _LONGEST)
    free = Q(lease=None) | _passed(now)
    return pending if PendingTree.objects.filter(free, pk=digest).update(lease=lease) == 1 else None


def _passed(now: dt.datetime) -> Q:
    """A lease that ends later than any is given was written before the clock was set back."""
    return Q(lease__lt=now) | Q(lease__gt=now + _LONGEST)


def _grown(pending: PendingTree) -> UnitTree | None:
    """A new tree, not saved yet; None while its records are not known, or if there are no units."""
    cut = _cut(pending)
    if cut is None:
        return None
    key = secrets.token_bytes(32)
    said = in_child(unit_tree.PLANT, pending.blob, cut, {"key": key.hex(), "kind": cut.kind}, "tree.json")
    root = base64.b64decode(said["root"])
    return UnitTree(blob=pending.blob, kind=cut.kind, key=key, count=said["count"], root=root, run=cut.run)


def _cut(pending: PendingTree) -> Cut | None:
    form = FORMATS.get(pending.procedure)
    if form is None or form.is_text:
        if form is None and b"\0" in _head(pending.blob):
            pending.delete()  # binary data that no reader knows has no units
            return None
        return Cut(unit_tree.LINE)
    runs = Run.objects.filter(procedure=pending.procedure, inputs__role="source", inputs__blob=pending.blob)
    read = runs.filter(state=Run.State.SUCCEEDED).order_by("finished").first()
    if read is None and not runs.exclude(state=Run.State.FAILED).exists():
        pending.delete()
    name = pending.procedure.removeprefix("parse.").partition("@")[0]
    return Cut(f"{name}-{form.unit}", read) if read else None


def _head(blob: Blob) -> bytes:
    return b"".join(wiring.store().open_range(blob.place, 0, min(blob.size, 1 << 16)))


def in_child(job: str, blob: Blob, cut: Cut, parameters: dict[str, Any], name: str) -> dict[str, Any]:
    """What a job of `evidence.unit_tree` says of a blob, from whole copies of all that it reads.

    Raises `StoreError` where there is none, `EvidenceError` for what the job refuses.
    """
    blobs = {"source": blob}
    if cut.run is not None:
        outputs = {output.name: output.blob for output in cut.run.outputs.select_related("blob")}
        blobs |= {"table": outputs["table.parquet"], "rejects": outputs["rejects.parquet"]}
    with ExitStack() as stack:
        paths = {role: stack.enter_context(local_whole_copy(each)) for role, each in blobs.items()}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=wiring.staging(), prefix="units-")))
        digests = {role: Digest.parse(each.digest) for role, each in blobs.items()}
        run_in_child(job, paths, digests, parameters, folder, wiring.reader_limits(blob.size))
        value: dict[str, Any] = json.loads((folder / name).read_bytes())
        return value


def _record(pending: PendingTree, made: UnitTree) -> None:
    with transaction.atomic():
        tree, _ = UnitTree.objects.get_or_create(
            blob=made.blob,
            defaults={"kind": made.kind, "key": made.key, "count": made.count, "root": made.root, "run": made.run},
        )
        for case in cases_of(pending.blob):
            if event_of(tree, case) is None:
                record_event(case=case, type=DIGESTS, objects=_objects(tree), detail=detail_of(tree))
        PendingTree.objects.filter(pk=pending.pk).delete()
    end_alarm(kind=KIND, subject=made.blob_id)


def _objects(tree: UnitTree) -> list[EventObject]:
    return [EventObject(Digest.parse(tree.blob_id), tree.blob.size, "source")]


def detail_of(tree: UnitTree) -> dict[str, Any]:
    """As the event says it. The key is secret; by its digest it is seen whether it is still the one of this tree."""
    root = base64.b64encode(bytes(tree.root)).decode()
    said = {"format": unit_tree.FORMAT, "kind": tree.kind, "count": tree.count, "root": root}
    return {"algorithm": "sha256", "unit_tree": said, "key_digest": str(Digest.of(bytes(tree.key)))}


def event_of(tree: UnitTree, case: Case) -> CustodyEvent | None:
    """The event by which a case's custody says the tree's root."""
    named = CustodyEvent.objects.filter(case=case, type=DIGESTS, objects_named__digest=tree.blob_id)
    return named.filter(text__contains=unit_tree.FORMAT).order_by("time", "id").first()
