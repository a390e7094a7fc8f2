"""What a monitor keeps of one log in a folder: the last checkpoint that held, with the tree's edge, the events of keys
that it was shown, and evidence.

Everything is on the disk, whole, before a function returns. Evidence of misbehaviour is written once and never again.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.errors import EvidenceError
from evidence.log.checkpoint import parse_checkpoint
from evidence.log.growth import Growth, edge_fits
from evidence.log.note import parse_note
from evidence.log.tlogproof import parse_tlog_proof
from evidence.opening import parse_receipt
from evidence.strictjson import b64, members, parse_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evidence.log.checkpoint import Checkpoint

MEMORY, EVIDENCE, KEY_EVENTS = "seen.json", "evidence", "key-events"


class KeepingError(EvidenceError):
    """The folder cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The signed note of the checkpoint that held last, and the edge of its tree."""

    note: str
    checkpoint: Checkpoint
    rows: tuple[bytes, ...]

    def growth(self) -> Growth:
        """A copy, to grow from."""
        return Growth(self.checkpoint.size, list(self.rows))


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the folder, made if need be, for this process alone. Raises `KeepingError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise KeepingError(f"{folder} cannot be used ({error.strerror}); name a folder for one log") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise KeepingError(f"another monitor is at work in {folder}; wait until it is done") from error
        yield


def remembered(folder: Path) -> Kept | None:
    """What was kept last time. Raises `KeepingError` if it is damaged: a monitor that forgets sees no fork."""
    path = folder / MEMORY
    try:
        return _kept(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, EvidenceError, ValueError) as error:
        raise KeepingError(f"{path} is damaged ({error}); put back what it was, or begin another folder") from error


def _kept(data: bytes) -> Kept:
    value = parse_object(data, MEMORY)
    members(value, {"checkpoint": str, "edge": list}, MEMORY)
    checkpoint = parse_checkpoint(parse_note(value["checkpoint"]).text)
    kept = Kept(value["checkpoint"], checkpoint, tuple(b64(row, "edge") for row in value["edge"]))
    if not edge_fits(kept.growth()) or kept.growth().root != checkpoint.root:
        raise KeepingError("the edge is not of the checkpoint's tree")
    return kept


def remember(folder: Path, note: str, growth: Growth) -> None:
    edge = [base64.b64encode(row).decode() for row in growth.rows]
    staged = folder / f".{MEMORY}.next"
    _write(staged, json.dumps({"checkpoint": note, "edge": edge}, indent=1).encode(), 0o600)
    staged.rename(folder / MEMORY)
    _sync(folder)


def receipt_name(index: int) -> str:
    """Where in the folder the receipt of the event of keys at this index is kept."""
    return f"{KEY_EVENTS}/{index}.receipt.json"


def key_events_kept(folder: Path) -> dict[int, str]:
    """The text of each event of keys that was kept, by index. Raises `KeepingError` for a receipt that is damaged."""
    found: dict[int, str] = {}
    for path in (folder / KEY_EVENTS).glob("*.receipt.json"):
        try:
            receipt = parse_receipt(path.read_bytes())
            found[parse_tlog_proof(receipt.proof).index] = receipt.event_text
        except (OSError, EvidenceError, ValueError) as error:
            raise KeepingError(f"{path} is damaged ({error}); put back what it was, or move it away") from error
    return found


def keep_key_events(folder: Path, receipts: Mapping[int, bytes]) -> None:
    """Receipts by the index of their event; one that is there already stays as it is."""
    (folder / KEY_EVENTS).mkdir(mode=0o700, exist_ok=True)
    for index, content in receipts.items():
        path = folder / receipt_name(index)
        if not path.exists():
            staged = path.with_name(f".{path.name}.next")
            _write(staged, content, 0o600)
            staged.rename(path)
    _sync(folder / KEY_EVENTS)
    _sync(folder)


def keep_evidence(folder: Path, name: str, files: dict[str, bytes]) -> None:
    """A folder of files that is never changed again; one that is there already stays as it is. Raises `OSError`."""
    shelf = folder / EVIDENCE
    shelf.mkdir(mode=0o700, exist_ok=True)
    if (shelf / name).exists():
        return
    staged = Path(tempfile.mkdtemp(prefix=".", dir=shelf))
    try:
        for file, content in files.items():
            _write(staged / file, content, 0o400)
        _sync(staged)
        staged.rename(shelf / name)
    except OSError:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    _sync(shelf)
    _sync(folder)


def evidence_kept(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / EVIDENCE).glob("*") if not path.name.startswith("."))


def _write(path: Path, content: bytes, mode: int) -> None:
    with path.open("wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
