"""What an archive says of its keys, read beside its log: the events of their lives, and its list (trust-formats §9).

Each event has to stand under the newest checkpoint; what they tell of a key decides which checkpoints it may have
signed, and the list may not say otherwise.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.digest import Digest
from evidence.errors import EvidenceError
from evidence.strictjson import parse_object
from evidence.verify.checkpoints import History, Seen
from evidence.verify.files import DOCUMENT_LIMIT, Document
from evidence.verify.findings import Findings
from evidence.verify.keyfile import check_keys_file
from evidence.verify.keylives import check_checkpoint_keys, read_lives
from evidence.verify.receipts import open_receipt
from monitor.source import AnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evidence.verify.receipts import OpenReceipt
    from evidence.verify.trust import Trust
    from evidence.verify.views import View
    from monitor.source import Source

EVENTS, LISTED = "key-events", ".well-known/custos-keys.json"
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def look_at_keys(log: Source, site: Source, views: Sequence[View], trust: Trust, findings: Findings) -> None:
    """`site` is the root of the log's host; the first of `views` is the newest, which the events have to be under."""
    newest = views[0]
    history = History()
    history.see(newest.checkpoint, newest.where, findings)
    try:
        receipts = list(_receipts(log, newest.checkpoint.size, trust, history, findings))
        listed = site.get(LISTED, DOCUMENT_LIMIT)
    except AnswerError as error:
        code = "answer-none" if error.code == "tile-missing" else error.code
        findings.unchecked(code, LISTED, f"keys were not looked at: {error}", got=error.got, wanted=error.wanted)
        return
    lives = read_lives(receipts, findings)
    notes = [Seen(view.where, view.note, view.checkpoint) for view in views]
    # That they are of one history is shown, or not, by the tiles.
    check_checkpoint_keys(lives, notes, lambda _origin, _one, _other: True, findings)
    check_keys_file(Document(Path(LISTED), "keys", listed, Digest.of(listed)), receipts, lives, trust, findings)


def _receipts(log: Source, size: int, trust: Trust, history: History, findings: Findings) -> Iterator[OpenReceipt]:
    """Of every event that the log names below this size. Raises `AnswerError`."""
    for name in _named(log.get(EVENTS, DOCUMENT_LIMIT), size, findings):
        where = f"{EVENTS}/{name}.receipt.json"
        judged = Findings()
        receipt = open_receipt(log.get(f"{where}?size={size}", DOCUMENT_LIMIT), where, trust, history, judged)
        for item in judged.of("wrong"):
            findings.wrong(item.code, item.where, item.message, got=item.got, wanted=item.wanted)
        if receipt is not None:
            yield receipt


def _named(data: bytes, size: int, findings: Findings) -> list[str]:
    """The ids of events; those that came after the checkpoint are for another time."""
    try:
        events = parse_object(data, EVENTS)["events"]
        placed = [event for event in events if event["leaf"] is not None and event["leaf"] < size]
        names = [event["id"] for event in placed if _ID.fullmatch(event["id"])]
    except (EvidenceError, ValueError, KeyError, TypeError) as error:
        findings.wrong("key-event", EVENTS, "not a list of the events of keys", got=f"{error!s:.200}")
        return []
    if len(names) != len(placed):
        findings.wrong("key-event", EVENTS, "an event whose id is none")
    return names
