"""The whole ledger looked at again: every event, leaf, tile and checkpoint, each row by name where it does not fit.

Triggers refuse changes, but whoever owns the database can take a trigger away. What is found raises an alarm.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import connection, transaction

from archive import wiring
from archive.models import Checkpoint, CustodyEvent, Leaf, TileRoot
from archive.models.key import LOG
from archive.services import key_check, publication, row_check
from archive.services.alarms import end_alarm, raise_alarm
from archive.services.custody import case_id
from archive.services.sequencing import level_hashes, subtree_root
from archive.services.witnessing import refuse_if_a_witness_is_ahead
from evidence.errors import EvidenceError, LogError
from evidence.log.checkpoint import parse_checkpoint
from evidence.log.hashing import leaf_hash, node_hash, tree_root
from evidence.log.note import parse_note
from evidence.log.policy import parse_policy, problems, quorumless
from evidence.log.tile import WIDTH
from evidence.opening import commitment, parse_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evidence.log.note import SignedNote

KIND = "ledger"
_AT_ONCE = 2_000
_SHOWN = 20


@dataclass(slots=True)
class Report:
    """What was looked at, and what does not fit."""

    events: int = 0
    leaves: int = 0
    checkpoints: int = 0
    problems: list[str] = field(default_factory=list)


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
    """The archive's own keys by time, and its records of signatures, which are read once, in step with checkpoints."""

    def __init__(self) -> None:
        self._periods = wiring.key_periods(LOG)
        self._policies = {each.number: quorumless(parse_policy(wiring.policy_of(each))) for each in self._periods}
        self._records = key_check.recorded()
        self._next = next(self._records, None)
        self._since = key_check.recorded_since(LOG)

    def problems(self, note: SignedNote, size: int) -> list[str]:
        period = next((each for each in self._periods if each.holds(size)), None)
        if period is None:
            return ["no log key was in force at its size"]
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
    report = Report()
    try:
        published = publication.kept_note()
    except LogError as error:
        published, report.problems = None, [str(error)]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        report.problems += _published(published)
        report.problems += _events(report)
        report.problems += _lost()
        report.problems += _leaves(report)
        report.problems += _tiles()
        report.problems += key_check.problems()
        report.problems += row_check.problems()
    if report.problems:
        raise_alarm(kind=KIND, subject=wiring.origin(), text="; ".join(report.problems[:_SHOWN]))
    else:
        end_alarm(kind=KIND, subject=wiring.origin())
    return report


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


def _events(report: Report) -> Iterator[str]:
    for row in CustodyEvent.objects.order_by("id").prefetch_related("objects_named").iterator(_AT_ONCE):
        report.events += 1
        if commitment(bytes(row.salt), row.text.encode()) != bytes(row.commitment):
            yield f"event {row.pk}: its text or salt is not what was committed to"
            continue
        try:
            event = parse_event(row.text)
        except EvidenceError as error:
            yield f"event {row.pk}: {error}"
            continue
        said = (event.id, event.case, event.type, event.outcome)
        if said != (str(row.pk), case_id(row.case_id), row.type, row.outcome):
            yield f"event {row.pk}: its columns say something else than its text"
        named = sorted((str(item.digest), item.role) for item in event.objects)
        if named != sorted((item.digest, item.role) for item in row.objects_named.all()):
            yield f"event {row.pk}: the files listed for it are not those of its text"


def _lost() -> Iterator[str]:
    for row in CustodyEvent.objects.filter(leaf=None, pending=None).order_by("id").iterator(_AT_ONCE):
        yield f"event {row.pk}: it is not in the ledger and does not wait for it; the sweeper puts it back"


def _leaves(report: Report) -> Iterator[str]:
    tree, checkpoints = _Tree(), Checkpoint.objects.order_by("size").iterator(_AT_ONCE)
    waiting = next(checkpoints, None)
    own = _Own()
    for row in Leaf.objects.order_by("index").select_related("event").iterator(_AT_ONCE):
        if row.index != tree.size:
            yield f"leaf {tree.size} is missing: the next is {row.index}"
            return
        report.leaves += 1
        if leaf_hash(bytes(row.event.commitment)) != bytes(row.hash):
            yield f"leaf {row.index} (event {row.event_id}): its hash is not that of the event's commitment"
        tree.add(bytes(row.hash))
        while waiting is not None and waiting.size == tree.size:
            report.checkpoints += 1
            yield from _checkpoint(waiting, tree.root, own)
            waiting = next(checkpoints, None)
    if waiting is not None:
        yield f"checkpoint {waiting.size}: the ledger has {tree.size} leaves only"


def _checkpoint(row: Checkpoint, root: bytes, own: _Own) -> Iterator[str]:
    if bytes(row.root) != root:
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


def _tiles() -> Iterator[str]:
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
