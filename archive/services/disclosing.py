"""Disclosing: a few lines or records of a sealed file, with proof, and without the others (trust-formats §7)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import transaction

from archive.models import UnitTree
from archive.services import access
from archive.services.custody import record_event
from archive.services.following import read_blob, sources_of
from archive.services.reading import refuse_taken_away
from archive.services.receipts import issue_receipt
from archive.services.refusals import BadInput, NotReady
from archive.services.unit_trees import Cut, event_of, in_child
from evidence import unit_tree
from evidence.canonical import canonical
from evidence.digest import Digest
from evidence.errors import EvidenceError
from evidence.opening import EventObject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archive.models import Blob, Case, Run
    from archive.services.access import Principal

MOST = 100_000


def disclose_units(*, principal: Principal, case: Case, blob: Blob, numbers: Sequence[int]) -> bytes:
    """The disclosure of lines or records by their numbers, from 1.

    Raises `BadInput`, `NotAllowed`, `NotReady`, `TakenAway`.
    """
    return _disclose(principal, case, blob, {"indices": [number - 1 for number in sorted(set(numbers))]})


def disclose_finding(*, principal: Principal, run: Run, name: str, blob: Blob) -> bytes:
    """The disclosure of all units that carry a finding's number. Raises as `disclose_units`."""
    found = (json.loads(line) for line in b"".join(read_blob(sources_of(run, name))).splitlines())
    ranges = [[item["start"], item["stop"]] for item in found if item["blob"] == blob.digest]
    return _disclose(principal, run.case, blob, {"ranges": ranges})


def _disclose(principal: Principal, case: Case, blob: Blob, wanted: dict[str, Any]) -> bytes:
    access.ensure_case(principal=principal, reference=str(case.pk))
    refuse_taken_away(principal, blob)
    units = next(iter(wanted.values()))
    if not 0 < len(units) <= MOST:
        raise BadInput(f"{len(units)} units: name at least one, and at most {MOST} at a time")
    tree = UnitTree.objects.select_related("run").filter(blob=blob).first()
    holding = event_of(tree, case) if tree else None
    if tree is None or holding is None:
        raise NotReady(f"{blob.digest} has no unit tree in this case yet; ask again in a moment, or see the alarms")
    _refuse_missing(tree, wanted.get("indices", ()))
    receipt = issue_receipt(event=holding)
    parameters = {"key": bytes(tree.key).hex(), "kind": tree.kind, **wanted}
    try:
        value = in_child(unit_tree.DISCLOSE, blob, Cut(tree.kind, tree.run), parameters, "disclosure.json")
    except EvidenceError as error:
        raise BadInput(str(error)) from error
    data = canonical(value | {"receipt": receipt.decode()})
    _record(principal, case, blob, value, data)
    return data


def _refuse_missing(tree: UnitTree, indices: Sequence[int]) -> None:
    """Raises `BadInput` for numbers that the file does not have, as they are said: from 1."""
    missing = [index + 1 for index in indices if not 0 <= index < tree.count]
    if missing:
        said = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
        raise BadInput(f"the file has no {tree.kind} {said}: name numbers from 1 to {tree.count}")


def _record(principal: Principal, case: Case, blob: Blob, value: dict[str, Any], data: bytes) -> None:
    """That somebody let lines go out is a custody event: how many of which file, and the digest of what went."""
    objects = [
        EventObject(Digest.parse(blob.digest), blob.size, "disclosed"),
        EventObject(Digest.of(data), len(data), "disclosure"),
    ]
    detail = {"kind": value["unit"], "shown": len(value["shown"]), "of": value["count"]}
    with transaction.atomic():
        record_event(case=case, type="disclosure", user=principal.user, objects=objects, detail=detail)
