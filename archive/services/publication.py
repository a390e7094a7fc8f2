"""The newest checkpoint that left the house, kept in a file beside the database, so that a restored backup is noticed.

A database alone cannot know that it is older than what others hold already. The file is written after each commit; it
may be one checkpoint behind the database (a crash between the two) and is then written before another is signed, but
never ahead of it or beside it.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from archive import wiring
from archive.models import Alarm, Checkpoint
from evidence.errors import EvidenceError, LogError, SignatureError
from evidence.log import checkpoint as checkpoints
from evidence.log.note import parse_note
from evidence.log.policy import problems

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from evidence.log.note import SignedNote

AHEAD = "ledger ahead"
"""An alarm of this kind stops all signing until it is over."""
UNKEPT = "ledger unkept"
"""An alarm of this kind says that a checkpoint left the house and is kept in the database alone."""
RECOVERY = (
    "Nothing is signed. Was a backup restored? Restore a newer one, or replay the write-ahead log up to the present. "
    "If what is missing is lost for good, this log cannot go on: begin another under a new CUSTOS_ORIGIN "
    "(docs/recovery.md)."
)


class AheadError(LogError):
    """Somebody holds a checkpoint of this log that the database does not have, or has with other leaves."""


def path() -> Path:
    return wiring.home() / "published" / "checkpoint"


def publish(note: str) -> None:
    """Keep the note if it is larger than the one that is kept; whole and on the disk, or not at all.

    Raises `LogError`: what left the house unnoticed could be taken back unnoticed.
    """
    try:
        size = own_checkpoint(note).size
    except EvidenceError as error:
        raise LogError(f"the newest checkpoint is not one that this log signed ({error}): nothing is signed") from error
    try:
        path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (path().parent / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = _kept()
            if known is None or known.size < size:
                _replace(note)
    except OSError as error:
        raise LogError(
            f"the checkpoint of size {size} cannot be kept in {path()} ({error.strerror}); see to that folder: nothing "
            "more is signed until it can"
        ) from error


def _replace(note: str) -> None:
    staged = path().with_name("next")
    with staged.open("w", encoding="utf-8") as file:
        file.write(note)
        file.flush()
        os.fsync(file.fileno())
    staged.rename(path())
    folder = os.open(path().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def refuse_if_ahead(root_at: Callable[[int], bytes]) -> None:
    """Raises `LogError` if what was published is not a beginning of the database's log; `root_at` gives its roots."""
    refuse_note_ahead(kept_note(), root_at)


def refuse_note_ahead(note: str | None, root_at: Callable[[int], bytes]) -> None:
    """The same for a note that was read before the rows were: it may be older than they are, never newer."""
    alarm = Alarm.objects.filter(kind=AHEAD, ended=None).first()
    if alarm is not None:
        raise LogError(f"{alarm.subject}: {alarm.text}")
    if note is not None:
        refuse_other_history(_checkpoint(note), f"the published checkpoint ({path()})", root_at)


def refuse_other_history(seen: checkpoints.Checkpoint, whose: str, root_at: Callable[[int], bytes]) -> None:
    """Raises `AheadError` unless the database holds all of the log that `seen` is of."""
    last = Checkpoint.objects.order_by("-size").first()
    size = last.size if last else 0
    if seen.size > size:
        raise AheadError(f"{whose} has size {seen.size}, the database's last has {size}: it is ahead. {RECOVERY}")
    if root_at(seen.size) != seen.root:
        raise AheadError(f"{whose} of size {seen.size} has another root than this database's leaves. {RECOVERY}")


def kept_note() -> str | None:
    """The note as it was published last. Raises `LogError`."""
    try:
        return path().read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"{path()} cannot be read ({error}). {RECOVERY}") from error


def own_checkpoint(note: str) -> checkpoints.Checkpoint:
    """What a note says that this log signed itself. Raises `EvidenceError` for any other.

    A database that was restored to before a rotation of keys does not know those that followed; their holder does.
    """
    parsed = parse_note(note)
    body = checkpoints.parse_checkpoint(parsed.text)
    found = problems(wiring.log_policy(wiring.period_of(body.size)), parsed)
    if found and not _by_keys_to_come(parsed):
        raise LogError("; ".join(found))
    return body


def _by_keys_to_come(note: SignedNote) -> bool:
    try:
        policy = wiring.log_policy(wiring.period_to_come())
    except SignatureError:
        return False  # there are no such keys
    return not problems(policy, note)


def _kept() -> checkpoints.Checkpoint | None:
    """Raises `LogError` for a file that is damaged or of another log."""
    note = kept_note()
    return None if note is None else _checkpoint(note)


def _checkpoint(note: str) -> checkpoints.Checkpoint:
    try:
        return own_checkpoint(note)
    except EvidenceError as error:
        raise LogError(
            f"{path()} is not a checkpoint of this log ({error}); look at it before you remove it"
        ) from error
