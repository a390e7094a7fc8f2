"""Disclosures of single lines: the unit tree, and the event that holds its root (trust-formats §7)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evidence.errors import FormatError
from evidence.log.units import check_disclosure
from evidence.strictjson import parse_object
from evidence.verify.files import open_regular
from evidence.verify.receipts import open_receipt
from evidence.verify.trust import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from evidence.opening import Event
    from evidence.verify.checkpoints import History
    from evidence.verify.files import Document
    from evidence.verify.findings import Findings
    from evidence.verify.receipts import OpenReceipt
    from evidence.verify.trust import Trust

UNIT_TREE = "custos/unit-tree@1"
LINE = "line"
PIECE = 1 << 20
MOST_UNITS = 2**63


@dataclass(frozen=True, slots=True)
class Shown:
    """Units that a disclosure shows, by their index, and what it says of the file they are of."""

    where: str
    blob: str
    unit: str
    count: int
    units: Mapping[int, bytes]


def open_disclosure_file(
    document: Document, receipts: Sequence[OpenReceipt], trust: Trust, history: History, findings: Findings
) -> Shown | None:
    """Check a disclosure by itself and against its event; what it shows, or None if it cannot be read."""
    try:
        value = parse_object(document.content, "disclosure")
        if isinstance(value.get("count"), int) and value["count"] >= MOST_UNITS:
            raise FormatError(f"disclosure: a count of {MOST_UNITS} units or more")
        shown = check_disclosure(value)
    except REFUSALS as error:
        findings.wrong("disclosure-format", document.name, "the lines shown are not in the tree", got=str(error))
        return None
    units = f"{len(shown)} of {value['count']} units ({_list(shown)})"
    findings.ok("disclosure-root", document.name, f"{units} are in the tree")
    holding = _receipts(document, value, receipts, trust, history, findings)
    if not _check_events(value, holding, document.name, findings):
        message = "no event was given that holds this tree's root, so it is only self-asserted"
        findings.unchecked("disclosure-receipt", document.name, message, wanted=f"a receipt with root {value['root']}")
    return Shown(document.name, value["blob"], value["unit"], value["count"], shown)


def check_shown(shown: Shown, path: Path, findings: Findings) -> None:
    """What is shown, against the file itself, for its tree could be of other lines. Raises `OSError`."""
    if shown.unit != LINE:
        message = f"units of kind {shown.unit!r} are not found again in {path.name} by this check"
        findings.unchecked("disclosure-lines", shown.where, message, wanted=f"units of kind {LINE!r}")
        return
    count, different = _compare(path, shown.units)
    if count != shown.count:
        message = f"{path.name} has another count of lines"
        findings.wrong("disclosure-lines", shown.where, message, got=str(count), wanted=str(shown.count))
    if different:
        message = f"lines shown are not those of {path.name}"
        findings.wrong("disclosure-lines", shown.where, message, got=_list(different), wanted="the lines of the file")
    if count == shown.count and not different:
        findings.ok("disclosure-lines", shown.where, f"the lines shown are lines {_list(shown.units)} of {path.name}")


def _compare(path: Path, units: Mapping[int, bytes]) -> tuple[int, list[int]]:
    """Count of lines, and which of those shown the file does not have, in one pass and small memory."""
    index, at, different = 0, 0, set(units)
    with open_regular(path) as stream:
        while piece := stream.readline(PIECE):
            fits = (
                index in units and units[index][at : at + len(piece)] == piece and (at == 0 or index not in different)
            )
            if fits:
                different.discard(index)
            elif index in units:
                different.add(index)
            at += len(piece)
            if piece.endswith(b"\n"):
                different |= {index} if index in units and at != len(units[index]) else set()
                index, at = index + 1, 0
    if at:
        different |= {index} if index in units and at != len(units[index]) else set()
    return index + bool(at), sorted(different)


def _list(indices: Iterable[int]) -> str:
    some = list(indices)
    return ", ".join(map(str, some[:5])) + (", …" if len(some) > 5 else "")


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
        if tree is None or not receipt.names(value["blob"]) or not _holds_digests(receipt.event):
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


def _holds_digests(event: Event) -> bool:
    return (event.type, event.outcome) == ("message digest calculation", "success")


def _unit_tree(event: Event) -> dict[str, Any] | None:
    for candidate in (event.detail, *event.detail.values()):
        if isinstance(candidate, dict) and candidate.get("format") == UNIT_TREE:
            return candidate
    return None
