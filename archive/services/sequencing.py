"""The sequencer: pending events become leaves, and one signed checkpoint covers them, in one transaction.

Whoever records an event adds a `PendingLeaf`; one sequencer at a time takes what waits, in the order of its ids. What
comes in meanwhile waits for the next batch. A crash leaves a batch as it was before, and the next sequencer takes it
the same way. It refuses to sign when what lies in the database does not continue the last checkpoint that it signed
and the last that was published.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import Max

from archive import outbox, wiring
from archive.models import Checkpoint, Leaf, PendingLeaf, TileRoot
from archive.services import publication, signatures
from archive.services.alarms import end_alarm, raise_alarm
from evidence.errors import LogError, SignatureError
from evidence.log import checkpoint as checkpoints
from evidence.log import tree
from evidence.log.hashing import leaf_hash
from evidence.log.tile import WIDTH

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

    from archive.models import CustodyEvent

STOPPED = "ledger stopped"
_TASK = "workers.sequence.sequence"
_LOCK = 0x437573746F73  # one sequencer at a time, in the whole database
_FROZEN = "60s"  # after which PostgreSQL takes the lock from a sequencer that does nothing
_BATCH = 5_000
_WINDOW = 1.0  # seconds from one checkpoint to the next, in the long run
_AT_ONCE = 4  # checkpoints that may follow each other without waiting: those of a lone upload
_STINT = 3.0  # seconds after which a worker is let go, so that it can be stopped
_TAKE = """
WITH taken AS (
    DELETE FROM archive_pendingleaf WHERE id IN (SELECT id FROM archive_pendingleaf ORDER BY id LIMIT %s)
    RETURNING id, event_id
)
SELECT taken.event_id, event.commitment, leaf.index
FROM taken JOIN archive_custodyevent event ON event.id = taken.event_id
LEFT JOIN archive_leaf leaf ON leaf.event_id = taken.event_id
ORDER BY taken.id
"""
_PUT_BACK = """
INSERT INTO archive_pendingleaf (event_id)
SELECT event.id FROM archive_custodyevent event
WHERE NOT EXISTS (SELECT FROM archive_leaf leaf WHERE leaf.event_id = event.id)
AND NOT EXISTS (SELECT FROM archive_pendingleaf pending WHERE pending.event_id = event.id)
AND (SELECT count(*) FROM archive_leaf) = (SELECT coalesce(max(size), 0) FROM archive_checkpoint)
ORDER BY event.id
"""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A row that waited; `index` is its event's leaf if there is one already."""

    event_id: uuid.UUID
    commitment: bytes
    index: int | None


class Windows:
    """Lets a checkpoint pass about every second; after a pause a few may follow each other at once.

    The clock is monotonic: one that is set back changes nothing. A process owns its own.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock, self._sleep, self._due = clock, sleep, float("-inf")

    def wait(self) -> None:
        now = self._clock()
        self._due = max(self._due, now - (_AT_ONCE - 1) * _WINDOW)
        if self._due > now:
            self._sleep(self._due - now)
        self._due += _WINDOW


_WINDOWS = Windows()


def sequence_in_windows() -> None:
    """Place what comes in for as long as something does, a checkpoint about every second.

    Whoever adds a pending leaf while others wait need not send a message: this looks again before it ends.
    """
    begun = time.monotonic()
    while PendingLeaf.objects.exists():
        if time.monotonic() - begun > _STINT:
            outbox.nudge(_TASK)
            return
        _WINDOWS.wait()
        sequence_pending()


def nudge_if_one_waits() -> None:
    """Wake the sequencer, whose process alone signs checkpoints: who reads what was handed in never does."""
    if PendingLeaf.objects.exists():
        outbox.nudge(_TASK)


def sequence_pending() -> int:
    """Place what is pending and sign; how many leaves were added. Safe to call at any time, by anybody.

    Raises `LogError` if the rows do not continue the last signed checkpoint, or all that was published, or if that
    cannot be kept, and `SignatureError` if a key does not sign; each is an alarm too, which ends when signing goes on.
    """
    if not PendingLeaf.objects.exists():
        return 0
    placed, taken = 0, _BATCH
    try:
        publish_last()
        while taken == _BATCH:
            taken, added = _sequence()
            placed += added
    except (LogError, SignatureError) as error:
        raise_alarm(kind=STOPPED, subject=wiring.origin(), text=str(error))
        raise
    end_alarm(kind=STOPPED, subject=wiring.origin())
    return placed


def publish_last() -> None:
    """What was committed before a crash, or while the folder took nothing, is kept before more is signed.

    Never over a note of another history, which is all that shows that there is one. Raises `LogError`.
    """
    last = latest_checkpoint()
    if last is not None and publication.kept_note() != last.note:
        publication.refuse_if_ahead(lambda size: subtree_root(0, size))
        publication.publish(last.note)
        end_alarm(kind=publication.UNKEPT, subject=wiring.origin())


def place_alone(event: CustodyEvent) -> int:
    """Place all that waits, and then this event under a checkpoint of its own; its index.

    To be called in the transaction that wrote the event, after `publish_last`. Raises `LogError`, `SignatureError`.
    """
    _lock()
    PendingLeaf.objects.filter(event=event).delete()
    while rows := _take():
        _place_new(rows)
    _place([_Taken(event.pk, bytes(event.commitment), None)])
    return Leaf.objects.get(event=event).index


def put_back_lost() -> int:
    """Let every event wait again that has neither a leaf nor waits for one; how many.

    None while a leaf is missing: its event would get a second one. `manage.py check_ledger` names it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        _lock()
        cursor.execute(_PUT_BACK)
        return int(cursor.rowcount)


def _sequence() -> tuple[int, int]:
    """One batch: how many rows were taken, and how many leaves they became."""
    with transaction.atomic():
        _lock()
        rows = _take()
        return len(rows), _place_new(rows)


def _place_new(rows: list[_Taken]) -> int:
    """Place those that have no leaf yet; how many."""
    events = [row for row in rows if row.index is None]
    if events:
        _place(events)
    return len(events)


def _lock() -> None:
    """Until the transaction ends; whoever freezes while holding it is thrown out."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{_FROZEN}'")


def _take() -> list[_Taken]:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [_BATCH])
        return [_Taken(event, bytes(entry), index) for event, entry, index in cursor.fetchall()]


def _place(events: list[_Taken]) -> None:
    edge = _edge_that_was_signed()
    hashes = [leaf_hash(event.commitment) for event in events]
    Leaf.objects.bulk_create(
        Leaf(index=edge.size + n, event_id=event.event_id, hash=leaf)
        for n, (event, leaf) in enumerate(zip(events, hashes, strict=True))
    )
    edge, full = tree.append(edge, hashes)
    TileRoot.objects.bulk_create(TileRoot(level=tile.level, index=tile.index, hash=tile.hash) for tile in full)
    _sign(edge)


def _edge_that_was_signed() -> tree.Edge:
    """The tree's edge, which has the root that was signed last."""
    last = latest_checkpoint()
    size = last.size if last else 0
    newest = Leaf.objects.aggregate(newest=Max("index"))["newest"]
    leaves = 0 if newest is None else newest + 1
    if leaves != size:
        raise LogError(f"the ledger holds {leaves} leaves, its last checkpoint says {size}: nothing is signed")
    ranges = tree.edge_ranges(size)
    edge = tree.Edge(size, tuple(tuple(level_hashes(level, start, stop)) for level, start, stop in ranges))
    if last and edge.root != bytes(last.root):
        raise LogError(f"the leaves do not have the root of the checkpoint of size {size}: nothing is signed")
    publication.refuse_if_ahead(lambda earlier: edge.root if earlier == size else subtree_root(0, earlier))
    return edge


def _sign(edge: tree.Edge) -> None:
    body = checkpoints.Checkpoint(wiring.origin(), edge.size, edge.root)
    note = signatures.sign_checkpoint(body)
    Checkpoint.objects.create(size=body.size, root=body.root, note=note)
    if wiring.witnesses():
        outbox.nudge("workers.cosign.cosign", expires=_WINDOW)
    transaction.on_commit(lambda: _publish(note), robust=True)


def _publish(note: str) -> None:
    """It is committed whatever becomes of this; nothing more is signed before it worked."""
    try:
        publication.publish(note)
    except LogError as error:
        raise_alarm(kind=publication.UNKEPT, subject=wiring.origin(), text=str(error))


def latest_checkpoint() -> Checkpoint | None:
    return Checkpoint.objects.order_by("-size").first()


def level_hashes(level: int, start: int, stop: int) -> list[bytes]:
    """Hashes `start` up to `stop` of a tile level: leaves at level 0, roots of full tiles above."""
    rows = (
        Leaf.objects.filter(index__gte=start, index__lt=stop)
        if level == 0
        else TileRoot.objects.filter(level=level, index__gte=start, index__lt=stop)
    )
    hashes = [bytes(value) for value in rows.order_by("index").values_list("hash", flat=True)]
    if len(hashes) != stop - start:
        raise LogError(f"tile level {level}: {len(hashes)} hashes from {start} to {stop} are there")
    return hashes


def subtree_root(start: int, stop: int) -> bytes:
    """Root over the leaves `start` up to `stop`, where that is a subtree of RFC 6962."""
    return tree.subtree_root(start, stop, level_hashes)


class Tiles:
    """The tree for a few proofs: each tile is read once, as far as a tree of `size` leaves fills it."""

    def __init__(self, size: int) -> None:
        self._size, self._read = size, dict[tuple[int, int], list[bytes]]()

    def subtree_root(self, start: int, stop: int) -> bytes:
        """As the function of that name. Raises `LogError`."""
        return tree.subtree_root(start, stop, self._hashes)

    def _hashes(self, level: int, start: int, stop: int) -> list[bytes]:
        tile = start // WIDTH
        first = tile * WIDTH
        if (level, tile) not in self._read:
            end = min(first + WIDTH, self._size >> 8 * level)
            self._read[level, tile] = level_hashes(level, first, end)
        return self._read[level, tile][start - first : stop - first]
