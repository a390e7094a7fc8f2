"""Refreshing a receipt: more cosignatures and tokens over the same event (trust-formats §5).

Evidence is only ever added. After a rotation of the log's keys a new receipt is under a later checkpoint, and has not
the tokens of the old one: then both are kept.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from client.api import ClientError, Server
from evidence.errors import EvidenceError
from evidence.log.checkpoint import parse_checkpoint
from evidence.log.note import parse_note
from evidence.log.tlogproof import parse_tlog_proof
from evidence.opening import RECEIPT_FORMAT

SAME = ("event", "salt")
SUFFIX = ".receipt.json"
MEMBERS = {"event": str, "salt": str, "proof": str, "timestamps": list, "disclosures": list}


def refresh(server: Server, path: Path) -> dict[str, Any]:
    """Get the newest receipt of the file's event; where it lies and what it holds. Or raises `ClientError`.

    It takes the file's place if it has all tokens and cosigners of the old one, or else a place beside it.
    """
    old = _receipt(path.read_bytes(), str(path))
    event = str(json.loads(old["event"]).get("id"))
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".refresh-") as folder:
        staged = Path(folder) / path.name
        server.save(f"/api/v1/events/{quote(event, safe='')}/receipt", staged)
        new = _receipt(staged.read_bytes(), server.url)
        _refuse_another(new, old, server.url, path)
        lost = [item for item in old["disclosures"] if item not in new["disclosures"]]
        if lost:
            new["disclosures"] += lost
            text = json.dumps(new, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            staged.write_text(text, encoding="utf-8")
        target = _place_for(new, old, server.url, path)
        staged.replace(target)
    said = {"receipt": str(target), "signatures": len(_signers(new)), "timestamps": len(new["timestamps"])}
    return said if target == path else {**said, "kept": str(path)}


def _place_for(new: dict[str, Any], old: dict[str, Any], url: str, path: Path) -> Path:
    """The file itself, or one beside it where the new receipt lacks what the old one proves."""
    if not _lacks(new, old):
        return path
    beside = path.with_name(f"{path.name.removesuffix(SUFFIX)}.size-{_size(new, url)}{SUFFIX}")
    if beside.exists():
        there = _receipt(beside.read_bytes(), str(beside))
        _refuse_another(new, there, url, beside)
        lacking = _lacks(new, there)
        if lacking:
            raise ClientError(f"{url} gives a receipt that lacks {lacking}: {beside} and {path} are left as they are")
    return beside


def _refuse_another(new: dict[str, Any], old: dict[str, Any], url: str, path: Path) -> None:
    changed = [name for name in SAME if new[name] != old[name]]
    if changed:
        raise ClientError(f"{url} has another {' and '.join(changed)} for this receipt: {path} is left as it is")


def _lacks(new: dict[str, Any], old: dict[str, Any]) -> str:
    """What the old receipt proves and the new one does not, in words; empty where it has all.

    The very token has to be there: another one by the same authority would prove a later time, or none.
    """
    kept = [(stamp.get("authority"), stamp.get("response")) for stamp in new["timestamps"]]
    tokens = [f"the token by {stamp.get('authority')}" for stamp in old["timestamps"]
              if (stamp.get("authority"), stamp.get("response")) not in kept]  # fmt: skip
    names = [f"the signature by {name}" for name in sorted(set(_signers(old)) - set(_signers(new)))]
    return ", ".join(tokens + names)


def _signers(receipt: dict[str, Any]) -> list[str]:
    """Names on the signature lines of the receipt's checkpoint, one for each line."""
    return [line.split(" ")[1] for line in receipt["proof"].rpartition("\n\n")[2].split("\n") if line.count(" ") == 2]


def _size(receipt: dict[str, Any], where: str) -> int:
    """Of the receipt's checkpoint. Raises `ClientError`."""
    try:
        return parse_checkpoint(parse_note(parse_tlog_proof(receipt["proof"]).checkpoint).text).size
    except EvidenceError as error:
        raise ClientError(f"{where}: its receipt has no proof that can be read ({error})") from error


def _receipt(content: bytes, where: str) -> dict[str, Any]:
    try:
        value: Any = json.loads(content)
        whole = all(isinstance(value[name], kind) for name, kind in MEMBERS.items())
        stamps = all(isinstance(stamp, dict) for stamp in value["timestamps"])
        if whole and stamps and value["format"] == RECEIPT_FORMAT and isinstance(json.loads(value["event"]), dict):
            return dict(value)
    except (ValueError, KeyError, TypeError):
        pass
    raise ClientError(f"{where}: not a receipt; name a file that ends with .receipt.json")
