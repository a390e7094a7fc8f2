"""Rows of what was derived, held against the events that tell of it: runs, outputs and statements, and unit trees.

An event of a derivation names its statement and each output by digest and name, and the run by its id; an event of a
unit tree the root, and the digest of the key. So a row that was changed, made or taken away differs from its event.
"""

from __future__ import annotations

from itertools import batched
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef

from archive.models import CustodyEvent, CustodyObject, Run, RunOutput, UnitTree
from archive.services.access import as_uuid
from archive.services.custody import case_id, told
from archive.services.unit_trees import DIGESTS, detail_of
from evidence import unit_tree
from evidence.attest.derivation import Derivation
from evidence.digest import Digest
from evidence.errors import EvidenceError

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterator, Sequence

    from evidence.opening import Event

CREATION = "creation"
_AT_ONCE = 500
_STATEMENT = "statement"

type Outputs = dict[tuple[uuid.UUID, str], str]
"""Digests by run and name."""


def _runs() -> Iterator[str]:
    """Those that ended well: what they are of is their identity, and an event tells of them."""
    rows = Run.objects.filter(state=Run.State.SUCCEEDED).prefetch_related("inputs").order_by("pk")
    for run in rows.iterator(_AT_ONCE):
        if run.event_id is None:
            yield f"run {run.pk}: it succeeded, and its row names no event"
        try:
            inputs = tuple((item.role, Digest.parse(item.blob_id)) for item in run.inputs.all())
            said = run.parameters if isinstance(run.parameters, dict) else {"not": "an object"}
            fits = Derivation(run.procedure, said, inputs).identity == run.identity
        except EvidenceError:
            fits = False
        if not fits:
            yield f"run {run.pk}: procedure, parameters and inputs of its row do not have its identity"


def _derivations() -> Iterator[str]:
    """Each event of a derivation against the run's row, its statement and its outputs."""
    events = CustodyEvent.objects.filter(type=CREATION).order_by("id").iterator(_AT_ONCE)
    for batch in batched(events, _AT_ONCE):
        said = [(row, event) for row in batch if (event := told(row)) is not None]  # others are named as events
        wanted = {pk for _row, event in said if (pk := as_uuid(str(event.detail.get("run"))))}
        runs = Run.objects.in_bulk(list(wanted))
        made = RunOutput.objects.filter(run__in=wanted).values_list("run", "name", "blob")
        outputs: Outputs = {(run, name): blob for run, name, blob in made}
        for row, event in said:
            run = runs.get(as_uuid(str(event.detail.get("run"))) or row.pk)
            yield from _derivation(row, event, run, outputs)


def _derivation(row: CustodyEvent, event: Event, run: Run | None, outputs: Outputs) -> Iterator[str]:
    if run is None:
        yield f"event {row.pk}: a creation of which no run knows"
        return
    wrong = _others({
        "state": (run.state, Run.State.SUCCEEDED), "case": (case_id(run.case_id), event.case),
        "procedure": (run.procedure, event.detail.get("procedure")),
        "identity": (run.identity, event.detail.get("identity")),
    })  # fmt: skip
    for item in event.objects:
        known = run.statement_id if item.role == _STATEMENT else outputs.get((run.pk, item.role))
        if known != str(item.digest):
            wrong.append(item.role)
    if wrong:
        yield f"run {run.pk}: its rows say another {', '.join(wrong)} than the event {row.pk}"


def _untold() -> Iterator[str]:
    """Outputs that no event of their case names."""
    events = CustodyObject.objects.filter(
        event__type=CREATION, event__case=OuterRef("run__case"), digest=OuterRef("blob_id"), role=OuterRef("name")
    )
    rows = RunOutput.objects.exclude(Exists(events)).order_by("pk").values_list("run", "name", "blob")
    for run, name, blob in rows.iterator(_AT_ONCE):
        yield f"run {run}: no event says that it made {name} with the digest {blob}"


def _trees() -> Iterator[str]:
    for batch in batched(UnitTree.objects.order_by("pk").iterator(_AT_ONCE), _AT_ONCE):
        named = _of_trees().filter(digest__in=[tree.blob_id for tree in batch]).select_related("event")
        events: dict[str, list[CustodyEvent]] = {}
        for item in named:
            events.setdefault(item.digest, []).append(item.event)
        for tree in batch:
            yield from _tree(tree, events.get(tree.blob_id, []))
    lost = _of_trees().exclude(Exists(UnitTree.objects.filter(pk=OuterRef("digest")))).order_by("pk")
    for digest, event in lost.values_list("digest", "event").iterator(_AT_ONCE):
        yield f"unit tree of {digest}: the event {event} says its root, and its row is gone"


def _of_trees() -> Any:
    """What the events of unit trees name."""
    return CustodyObject.objects.filter(event__type=DIGESTS, event__text__contains=unit_tree.FORMAT)


def _tree(tree: UnitTree, events: Sequence[CustodyEvent]) -> Iterator[str]:
    """The digest of the key stands in events since it is told at all."""
    wanted = detail_of(tree)
    if not events:
        yield f"unit tree of {tree.blob_id}: no event says its root"
    for row in events:
        event = told(row)
        detail = event.detail if event else {}
        wrong = _others({
            "root, kind or count": (detail.get("unit_tree"), wanted["unit_tree"]),
            "key": (detail.get("key_digest", wanted["key_digest"]), wanted["key_digest"]),
        })  # fmt: skip
        if wrong:
            yield f"unit tree of {tree.blob_id}: its row says another {', '.join(wrong)} than the event {row.pk}"


def _others(pairs: dict[str, tuple[Any, Any]]) -> list[str]:
    return [name for name, (got, wanted) in pairs.items() if got != wanted]


LOOKS: dict[str, Callable[[], Iterator[str]]] = {
    "runs": _runs,
    "derivations": _derivations,
    "outputs of runs": _untold,
    "unit trees": _trees,
}
