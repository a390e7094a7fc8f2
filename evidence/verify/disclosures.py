"""Disclosures of single lines: the unit tree, and the event that holds its root (trust-formats §7)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evidence.errors import FormatError
from evidence.log.units import check_disclosure
from evidence.strictjson import parse_object
from evidence.verify.receipts import open_receipt
from evidence.verify.trust import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence.opening import Event
    from evidence.verify.checkpoints import History
    from evidence.verify.files import Document
    from evidence.verify.findings import Findings
    from evidence.verify.receipts import OpenReceipt
    from evidence.verify.trust import Trust

UNIT_TREE = "custos/unit-tree@1"
MOST_UNITS = 2**63


def open_disclosure_file(
    document: Document, receipts: Sequence[OpenReceipt], trust: Trust, history: History, findings: Findings
) -> str | None:
    """Check a disclosure; the digest of the blob it speaks of, or None if it cannot be read."""
    try:
        value = parse_object(document.content, "disclosure")
        if isinstance(value.get("count"), int) and value["count"] >= MOST_UNITS:
            raise FormatError(f"disclosure: a count of {MOST_UNITS} units or more")
        shown = check_disclosure(value)
    except REFUSALS as error:
        findings.wrong("disclosure-format", document.name, "the lines shown are not in the tree", got=str(error))
        return None
    indices = ", ".join(map(str, list(shown)[:5])) + (", …" if len(shown) > 5 else "")
    findings.ok("disclosure-root", document.name, f"{len(shown)} of {value['count']} lines ({indices}) are in the tree")
    holding = _receipts(document, value, receipts, trust, history, findings)
    if not _check_events(value, holding, document.name, findings):
        message = "no event was given that holds this tree's root, so it is only self-asserted"
        findings.unchecked("disclosure-receipt", document.name, message, wanted=f"a receipt with root {value['root']}")
    return str(value["blob"])


def _receipts(
    document: Document,
    value: dict[str, Any],
    receipts: Sequence[OpenReceipt],
    trust: Trust,
    history: History,
    findings: Findings,
) -> Sequence[OpenReceipt]:
    """The receipt that the disclosure brings along, or else all that were given."""
    brought = value["receipt"]
    if brought is None:
        return receipts
    text = brought if isinstance(brought, str) else json.dumps(brought, ensure_ascii=False)
    where = f"receipt in {document.name}"
    opened = open_receipt(text.encode("utf-8", "replace"), where, trust, history, findings)
    return [opened] if opened else []


def _check_events(value: dict[str, Any], receipts: Sequence[OpenReceipt], where: str, findings: Findings) -> bool:
    """Whether an event holds a unit tree of this blob; one that holds another is wrong."""
    held = False
    for receipt in receipts:
        tree = _unit_tree(receipt.event)
        if tree is None or not receipt.names(value["blob"]):
            continue
        held = True
        got = {"root": value["root"], "count": value["count"], "kind": value["unit"]}
        wanted = {name: tree.get(name) for name in got}
        if got == wanted:
            findings.ok("disclosure-receipt", where, f"the tree's root stands in the event of {receipt.where}")
        else:
            message = f"the event of {receipt.where} holds another tree of this file"
            findings.wrong("disclosure-receipt", where, message, got=str(got), wanted=str(wanted))
    return held


def _unit_tree(event: Event) -> dict[str, Any] | None:
    for candidate in (event.detail, *event.detail.values()):
        if isinstance(candidate, dict) and candidate.get("format") == UNIT_TREE:
            return candidate
    return None
