"""What an archive says of its keys, read beside its log: the events of their lives, and its list (trust-formats §9).

Each event has to stand under the newest checkpoint; what they tell of a key decides which checkpoints it may have
signed, and the list may not say otherwise. Those that it shows have to leave no hole that an event would fill which it
does not show, and hold all that an earlier run was shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.digest import Digest
from evidence.keys import keyid
from evidence.opening import KEY_EVENTS, KEY_INTRODUCTION, parse_receipt
from evidence.strictjson import parse_object
from evidence.verify.attestations import vouched_keys
from evidence.verify.checkpoints import History, Seen
from evidence.verify.files import DOCUMENT_LIMIT, Document
from evidence.verify.findings import Findings
from evidence.verify.keyfile import check_keys_file, listed_keyids
from evidence.verify.keylives import DSSE, LOG, check_checkpoint_keys, read_lives
from evidence.verify.keyturns import Shown, Use, check_turns
from evidence.verify.receipts import open_receipt
from evidence.verify.trust import REFUSALS
from monitor.keeping import receipt_name
from monitor.source import AnswerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evidence.log.checkpoint import Checkpoint
    from evidence.verify.receipts import OpenReceipt
    from evidence.verify.trust import Trust
    from evidence.verify.views import View
    from monitor.source import Source

EVENTS, LISTED = "key-events", ".well-known/custos-keys.json"
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Told:
    """What the archive tells of its keys beside one checkpoint."""

    listed: bytes
    receipts: list[OpenReceipt]
    contents: dict[int, bytes]
    """Bytes of the receipts of events of keys, by index."""
    awaited: frozenset[str]
    """Ids of keys whose introduction is said to stand beyond the checkpoint."""
    is_readable: bool
    """Whether nothing came that could not be read: of that nobody can say what it would tell."""


def look_at_keys(
    log: Source,
    site: Source,
    views: Sequence[View],
    trusts: Sequence[Trust],
    kept: Mapping[int, str],
    findings: Findings,
) -> dict[int, bytes]:
    """The receipts of the events that are shown, by index.

    `site` is the root of the log's host; the first of `views` is the newest, which the events have to be under, and the
    first of `trusts` is for it. `kept` are the texts of the events that an earlier run was shown, by index.
    """
    newest = views[0].checkpoint
    history = History()
    history.see(newest, views[0].where, findings)
    try:
        told = _told(log, site, newest, trusts[0], history, findings)
    except AnswerError as error:
        _say_unlooked(error, LISTED, "keys were not looked at", findings)
        return {}
    lives = read_lives(told.receipts, findings)
    notes = [Seen(view.where, view.note, view.checkpoint) for view in views]
    # That they are of one history is shown, or not, by the tiles.
    check_checkpoint_keys(lives, notes, lambda _origin, _one, _other: True, findings)
    document = Document(Path(LISTED), "keys", told.listed, Digest.of(told.listed))
    check_keys_file(document, told.receipts, lives, trusts[0], findings)
    if told.is_readable:
        uses = [*_signers(notes, trusts), *(Use(DSSE, name, LISTED) for name in sorted(listed_keyids(told.listed)))]
        check_turns(Shown(newest.origin, newest.size, lives, told.awaited), uses, findings)
        _compare_kept(kept, told.contents, newest.size, findings)
    return told.contents


def _told(log: Source, site: Source, newest: Checkpoint, trust: Trust, history: History, findings: Findings) -> Told:
    """Raises `AnswerError`."""
    # First the list: the event that introduces a key of it is in the list of events by the time that one is asked for.
    listed = site.get(LISTED, DOCUMENT_LIMIT)
    named = _named(log.get(EVENTS, DOCUMENT_LIMIT), newest.size, findings)
    names, awaited = named or ([], frozenset())
    opened: list[OpenReceipt] = []
    contents: dict[int, bytes] = {}
    is_readable = named is not None
    for where, data in _receipts(log, names, newest.size, findings):
        receipt = _opened(data, where, newest, trust, history, findings)
        if receipt is None or receipt.index is None:
            is_readable = False
        elif receipt.event.type in KEY_EVENTS:
            opened.append(receipt)
            contents[receipt.index] = data
    return Told(listed, opened, contents, awaited, is_readable)


def _receipts(log: Source, names: Iterable[str], size: int, findings: Findings) -> Iterator[tuple[str, bytes]]:
    """Of each event that is served; one that is named and not served is as good as hidden. Raises `AnswerError`."""
    for name in names:
        where = f"{EVENTS}/{name}.receipt.json"
        try:
            yield where, log.get(f"{where}?size={size}", DOCUMENT_LIMIT)
        except AnswerError as error:
            if error.code != "tile-missing":
                raise
            _say_unlooked(error, where, "the receipt of an event that is named", findings)


def _opened(
    data: bytes, where: str, newest: Checkpoint, trust: Trust, history: History, findings: Findings
) -> OpenReceipt | None:
    """None if there is no event to read, or it is shown under another checkpoint than was asked for."""
    judged = Findings()
    receipt = open_receipt(data, where, trust, history, judged)
    for item in judged.of("wrong"):
        findings.wrong(item.code, item.where, item.message, got=item.got, wanted=item.wanted)
    if receipt is None or receipt.checkpoint is None or receipt.checkpoint == newest:
        return receipt
    message = "the event is not shown under the checkpoint that was asked for"
    findings.wrong("key-event", where, message, got=receipt.checkpoint.text, wanted=newest.text)
    return None


def _say_unlooked(error: AnswerError, where: str, what: str, findings: Findings) -> None:
    code = "answer-none" if error.code == "tile-missing" else error.code
    findings.unchecked(code, where, f"{what}: {error}", got=error.got, wanted=error.wanted)


def _named(data: bytes, size: int, findings: Findings) -> tuple[list[str], frozenset[str]] | None:
    """The ids of events below this size, and the keys that those which came later introduce."""
    try:
        events = parse_object(data, EVENTS)["events"]
        placed = [event for event in events if event["leaf"] is not None and event["leaf"] < size]
        names = [event["id"] for event in placed if _ID.fullmatch(event["id"])]
        later = [event["detail"] for event in events if event not in placed and event["type"] == KEY_INTRODUCTION]
        awaited = frozenset(keyid for detail in later for keyid in vouched_keys(detail))
    except (*REFUSALS, KeyError, TypeError, AttributeError) as error:
        findings.wrong("key-event", EVENTS, "not a list of the events of keys", got=f"{error!s:.200}")
        return None
    if len(names) != len(placed):
        findings.wrong("key-event", EVENTS, "an event whose id is none")
        return None
    return names, awaited


def _signers(notes: Iterable[Seen], trusts: Iterable[Trust]) -> Iterator[Use]:
    """The log's keys that somebody trusts and that signed one of these checkpoints."""
    known = [vkey for trust in trusts if trust.policy is not None for vkey in trust.policy.logs]
    for seen in notes:
        signed = {(line.name, line.keyid) for line in seen.note.signatures if line.name == seen.checkpoint.origin}
        yield from (Use(LOG, keyid(vkey.public), seen.where) for vkey in known if (vkey.name, vkey.keyid) in signed)


def _compare_kept(kept: Mapping[int, str], shown: Mapping[int, bytes], size: int, findings: Findings) -> None:
    """What was shown once is shown again, as far as the tree goes."""
    lost = [index for index, text in kept.items() if index < size and _text_at(index, shown) != text]
    for index in sorted(lost):
        message = "an event of keys that an earlier run saw is not shown any more, or another in its place"
        wanted = f"the event in {receipt_name(index)} of the monitor's folder"
        findings.wrong("key-event-lost", f"{EVENTS}: index {index}", message, wanted=wanted)
    if kept and not lost:
        findings.ok("key-event-lost", EVENTS, f"the {len(kept)} events of keys that were seen before are shown")


def _text_at(index: int, shown: Mapping[int, bytes]) -> str | None:
    return parse_receipt(shown[index]).event_text if index in shown else None
