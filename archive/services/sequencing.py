"""The sequencer: pending events become leaves, and one signed checkpoint covers them, in one transaction.

It refuses to sign when what lies in the database does not continue the last checkpoint that it signed and the last
that was published.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.db import connection, transaction

from archive import outbox, wiring
from archive.models import Checkpoint, CustodyEvent, Leaf, TileRoot
from archive.services import publication
from archive.services.alarms import end_alarm, raise_alarm
from evidence.errors import LogError
from evidence.log import checkpoint as checkpoints
from evidence.log.hashing import leaf_hash, split, tree_root
from evidence.log.tile import WIDTH

if TYPE_CHECKING:
    from collections.abc import Sequence

STOPPED = "ledger stopped"
_LOCK = 0x437573746F73  # one sequencer at a time, in the whole database
_BATCH = 5_000


def sequence_pending() -> int:
    """Place what is pending and sign; how many leaves were added. Safe to call at any time, by anybody.

    Raises `LogError` if the rows do not continue the last signed checkpoint, or all that was published; that is an
    alarm as well, which ends when signing goes on.
    """
    if not CustodyEvent.objects.filter(leaf=None).exists():
        return 0
    try:
        placed = _sequence()
    except LogError as error:
        raise_alarm(kind=STOPPED, subject=wiring.origin(), text=str(error))
        raise
    end_alarm(kind=STOPPED, subject=wiring.origin())
    return placed


def _sequence() -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        pending = CustodyEvent.objects.filter(leaf=None).order_by("time", "id")[:_BATCH]
        return _place(list(pending))


def _place(events: Sequence[CustodyEvent]) -> int:
    if not events:
        return 0
    size = _size_that_was_signed()
    leaves = [
        Leaf(index=size + n, event=event, hash=leaf_hash(bytes(event.commitment))) for n, event in enumerate(events)
    ]
    Leaf.objects.bulk_create(leaves)
    new_size = size + len(leaves)
    _add_tile_roots(size, new_size)
    _sign(new_size)
    return len(leaves)


def _size_that_was_signed() -> int:
    last = latest_checkpoint()
    size = last.size if last else 0
    if Leaf.objects.count() != size:
        raise LogError(
            f"the ledger holds {Leaf.objects.count()} leaves, its last checkpoint says {size}: nothing is signed"
        )
    if last and subtree_root(0, size) != bytes(last.root):
        raise LogError(f"the leaves do not have the root of the checkpoint of size {size}: nothing is signed")
    publication.refuse_if_ahead(lambda earlier: subtree_root(0, earlier))
    return size


def _add_tile_roots(old: int, new: int) -> None:
    """One row for each tile that became full, level by level."""
    level, width = 1, WIDTH
    while new // width > old // width:
        rows = [
            TileRoot(
                level=level, index=index, hash=tree_root(level_hashes(level - 1, index * WIDTH, (index + 1) * WIDTH))
            )
            for index in range(old // width, new // width)
        ]
        TileRoot.objects.bulk_create(rows)
        level, width = level + 1, width * WIDTH


def _sign(size: int) -> None:
    signers = wiring.log_signers()
    body = checkpoints.Checkpoint(wiring.origin(), size, subtree_root(0, size))
    note = checkpoints.sign_checkpoint(body, signers.ed25519, signers.ml_dsa_44, int(time.time()))
    Checkpoint.objects.create(size=size, root=body.root, note=str(note))
    transaction.on_commit(lambda: publication.publish(str(note)), robust=True)
    if wiring.witnesses():
        outbox.nudge("workers.cosign.cosign")


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
    count = stop - start
    level = 0
    while count and count % WIDTH ** (level + 1) == 0 and start % WIDTH ** (level + 1) == 0:
        level += 1
    unit = WIDTH**level
    if count // unit <= WIDTH:
        return tree_root(level_hashes(level, start // unit, stop // unit))
    middle = start + split(count)
    return tree_root([subtree_root(start, middle), subtree_root(middle, stop)])
