"""The whole ledger looked at again: every event, leaf, tile and checkpoint, each row by name where it does not fit.

Triggers refuse changes, but whoever owns the database can take a trigger away. What is found raises an alarm.
"""

from __future__ import annotations

import hashlib
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from django.db import DataError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Func, TextField

from archive import wiring
from archive.models import Checkpoint, CustodyEvent, Leaf, TileRoot
from archive.models.key import LOG
from archive.services import key_check, publication, row_check, run_check, store_check, voucher_check
from archive.services.alarms import end_alarm, raise_alarm
from archive.services.custody import case_id
from archive.services.following import visible
from archive.services.sequencing import level_hashes, subtree_root
from archive.services.witnessing import refuse_if_a_witness_is_ahead
from evidence.errors import EvidenceError, LogError
from evidence.log.checkpoint import parse_checkpoint
from evidence.log.hashing import leaf_hash, node_hash, tree_root
from evidence.log.note import parse_note
from evidence.log.policy import problems
from evidence.log.tile import WIDTH
from evidence.opening import commitment, parse_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archive.models.key import Period
    from evidence.log.note import SignedNote
    from evidence.log.policy import Policy

KIND = "ledger"
_AT_ONCE = 2_000
_SHOWN = 5  # of what one look finds, in the alarm
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Report:
    """What was looked at, and what does not fit; `shown` are the first of it, from each look.

    `notices` are what may well be as it should, and what could not be looked at.
    """

    events: int = 0
    leaves: int = 0
    checkpoints: int = 0
    problems: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def add(self, what: str, found: list[str]) -> None:
        self.problems += found
        self.shown += found[:_SHOWN]
        if len(found) > _SHOWN:
            self.shown.append(f"and {len(found) - _SHOWN} more about {what}")


@dataclass(slots=True)
class _Tree:
    """RFC 6962 roots of a growing tree, from the roots of its full subtrees (largest first)."""

    size: int = 0
    peaks: list[tuple[int, bytes]] = field(default_factory=list)

    def add(self, leaf: bytes) -> None:
        width, node = 1, leaf
        while self.peaks and self.peaks[-1][0] == width:
            node = node_hash(self.peaks.pop()[1], node)
            width *= 2
        self.peaks.append((width, node))
        self.size += 1

    @property
    def root(self) -> bytes:
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        _, node = self.peaks[-1]
        for _width, left in reversed(self.peaks[:-1]):
            node = node_hash(left, node)
        return node


class _Own:
    """The archive's own keys by time, and its records of signatures, which are read once, in step with checkpoints.

    `faults` are keys that are none: said once, and not of each checkpoint in their time.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._periods: list[Period] = []
        self._policies: dict[int, Policy] = {}
        try:
            self._periods = wiring.key_periods(LOG)
        except (EvidenceError, DataError) as error:
            self.faults.append(f"the log keys: {error}")
        for each in self._periods:
            self._read(each)
        self._records = key_check.recorded()
        self._next = next(self._records, None)
        self._since = key_check.recorded_since(LOG) if self._periods else None

    def _read(self, period: Period) -> None:
        try:
            self._policies[period.number] = wiring.log_policy(period)
        except EvidenceError as error:
            names = ", ".join(key.name for key in period.keys)
            self.faults.append(f"the log keys {names}: no signature can be checked by them: {error}")

    def problems(self, note: SignedNote, size: int) -> list[str]:
        """What is wrong with a checkpoint's signatures, as far as there are keys to say it. Raises `FormatError`."""
        period = next((each for each in self._periods if each.holds(size)), None)
        if period is None:
            return ["no log key was in force at its size"] if self._periods else []
        if period.number not in self._policies:
            return []
        found = problems(self._policies[period.number], note)
        if self._since is not None and size > self._since:
            found += key_check.differences(note, period, self._recorded(size))
        return found

    def _recorded(self, size: int) -> key_check.Signatures:
        while self._next is not None and self._next[0] < size:
            self._next = next(self._records, None)
        return self._next[1] if self._next is not None and self._next[0] == size else set()


def check_ledger() -> Report:
    """Look at all rows, in one snapshot and small memory; an alarm names the first that do not fit.

    What was published is read before the snapshot is taken: the ledger grows meanwhile, and would be ahead of it.
    """
    report, published = Report(), None
    try:
        published = publication.kept_note()
    except LogError as error:
        report.add("what was published", [str(error)])
    looks: dict[str, Callable[[], Iterator[str]]] = {
        "what was published": lambda: _published(published),
        "the events": lambda: _events(report),
        "events that are not in the ledger": _lost,
        "leaves and checkpoints": lambda: _leaves(report),
        "tiles": lambda: _tiles(report),
        **key_check.LOOKS,
        **row_check.LOOKS,
        **run_check.LOOKS,
        **store_check.LOOKS,
        **voucher_check.looks(report.notices),
    }
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for what, look in looks.items():
            report.add(what, _found(what, look))
    if report.problems:  # before the stores are listed: that can take hours, and the database can be away after it
        _alarm(report)
    files = _found("the files in the store", lambda: store_check.lost_files(report.notices))
    report.add("the files in the store", files)
    report.notices[:] = map(_plain, report.notices)
    if report.notices:
        _log.warning("ledger_notices", count=len(report.notices), first=report.notices[:_SHOWN])
    if files:
        _alarm(report)
    elif not report.problems:
        end_alarm(kind=KIND, subject=wiring.origin())
    return report


def _alarm(report: Report) -> None:
    raise_alarm(kind=KIND, subject=wiring.origin(), text="; ".join(report.shown))


def _found(what: str, look: Callable[[], Iterator[str]]) -> list[str]:
    """What a look finds, in characters that can be kept and shown. One that breaks off says so, and ends no other.

    Whoever changes rows past the triggers can write into them what no code expects; a check that only failed over it
    would say nothing of all the rest. That the database is away is no finding.
    """
    found: list[str] = []
    try:
        with transaction.atomic(), _closing_cursors():
            for said in look():
                found.append(_plain(said))  # noqa: PERF401 -- what was found before it broke off counts
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 -- whatever a changed row leads to
        said = f"{what}: the look at them broke off over a row that cannot be read ({type(error).__name__}: {error})"
        found.append(_plain(said))
    return found


@contextmanager
def _closing_cursors() -> Iterator[None]:
    """An error keeps the cursors of its frames; they are closed before the savepoint is that they are in."""
    try:
        yield
    except Exception as error:
        traceback.clear_frames(error.__traceback__)
        raise


def _plain(said: str) -> str:
    return visible(said.encode("utf-8", "backslashreplace"))


def check_start() -> list[str]:
    """Is the database what was published, and what witnesses saw? Those that are silent. Raises `LogError`.

    Witnesses come first: an alarm about one that is over, or is named no longer, ends here.
    """
    silent = refuse_if_a_witness_is_ahead()
    publication.refuse_if_ahead(lambda size: subtree_root(0, size))
    return silent


def _published(note: str | None) -> Iterator[str]:
    try:
        publication.refuse_note_ahead(note, lambda size: subtree_root(0, size))
        if note is not None:
            parsed = parse_note(note)
            size = parse_checkpoint(parsed.text).size
            found = key_check.differences(parsed, wiring.period_of(size), key_check.recorded_at(size))
            yield from (f"the published checkpoint ({publication.path()}): {each}" for each in found)
    except EvidenceError as error:
        yield str(error)


class _Utc(Func):
    """A time as events say it: as text, for the column holds times that Python has not (`infinity`)."""

    template = "to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
    output_field = TextField()


def _events(report: Report) -> Iterator[str]:
    rows = CustodyEvent.objects.defer("time").annotate(utc=_Utc(F("time"))).order_by("id")
    for row in rows.prefetch_related("objects_named").iterator(_AT_ONCE):
        report.events += 1
        if commitment(bytes(row.salt), row.text.encode()) != bytes(row.commitment):
            yield f"event {row.pk}: its text or salt is not what was committed to"
            continue
        try:
            event = parse_event(row.text)
        except EvidenceError as error:
            yield f"event {row.pk}: {error}"
            continue
        said = (event.id, event.case, event.type, event.outcome, event.time)
        if said != (str(row.pk), case_id(row.case_id), row.type, row.outcome, row.utc):
            yield f"event {row.pk}: its columns say something else than its text"
        named = sorted((str(item.digest), item.role) for item in event.objects)
        if named != sorted((item.digest, item.role) for item in row.objects_named.all()):
            yield f"event {row.pk}: the files listed for it are not those of its text"


def _lost() -> Iterator[str]:
    lost = CustodyEvent.objects.filter(leaf=None, pending=None).order_by("id").values_list("pk", flat=True)
    for pk in lost.iterator(_AT_ONCE):
        yield f"event {pk}: it is not in the ledger and does not wait for it; the sweeper puts it back"


def _leaves(report: Report) -> Iterator[str]:
    """After a missing leaf no root can be told, but for what else leaves and checkpoints say."""
    own, tree, end = _Own(), _Tree(), 0
    yield from own.faults
    checkpoints = Checkpoint.objects.defer("signed").order_by("size").iterator(_AT_ONCE)
    waiting = next(checkpoints, None)
    rows = Leaf.objects.order_by("index").values_list("index", "hash", "event_id", "event__commitment")
    for index, digest, event, committed in rows.iterator(_AT_ONCE):
        if index != end:
            yield f"leaf {end} is missing: the next is {index}"
        report.leaves, end = report.leaves + 1, index + 1
        if leaf_hash(bytes(committed)) != bytes(digest):
            yield f"leaf {index} (event {event}): its hash is not that of the event's commitment"
        if index == tree.size:
            tree.add(bytes(digest))
        while waiting is not None and waiting.size <= end:
            report.checkpoints += 1
            yield from _checkpoint(waiting, tree.root if tree.size == waiting.size else None, own)
            waiting = next(checkpoints, None)
    if waiting is not None:
        yield f"checkpoint {waiting.size}: the ledger has {end} leaves only"


def _checkpoint(row: Checkpoint, root: bytes | None, own: _Own) -> Iterator[str]:
    if root is not None and bytes(row.root) != root:
        yield f"checkpoint {row.size}: its root is not that of the leaves before it"
    try:
        note = parse_note(row.note)
        said, found = parse_checkpoint(note.text), own.problems(note, row.size)
    except EvidenceError as error:
        found, said = [str(error)], None
    if said is not None and (said.size, said.root) != (row.size, bytes(row.root)):
        found.append("its note says another size or root")
    if found:
        yield f"checkpoint {row.size}: {'; '.join(found)}"


def _tiles(report: Report) -> Iterator[str]:
    """Each against the level below, and how many of a level there are against the leaves."""
    level, full = 1, report.leaves // WIDTH
    while full:
        if (known := TileRoot.objects.filter(level=level).count()) != full:
            yield f"tile roots of level {level}: {known} are there, {report.leaves} leaves fill {full}"
        level, full = level + 1, full // WIDTH
    for row in TileRoot.objects.order_by("level", "index").iterator(_AT_ONCE):
        width = WIDTH**row.level
        try:
            fits = _tile_root(row.level, row.index) == bytes(row.hash)
        except LogError:
            fits = False
        if not fits:
            yield f"tile root {row.level}/{row.index}: not the root of leaves {row.index * width} and after"


def _tile_root(level: int, index: int) -> bytes:
    return tree_root(level_hashes(level - 1, index * WIDTH, (index + 1) * WIDTH))
