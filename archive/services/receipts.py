"""Receipts: the opened event with its inclusion proof under a signed checkpoint, cosignatures and timestamps.

A receipt is made under the earliest checkpoint with a token that holds its event, for that bounds its time best and
stays the same; until there is one, under the newest. Where the archive asks for witnesses, one with their quorum goes
before all others, and the tokens over later ones come with it. It is always one by the log keys that are in force, so
that it fits the policy that is given out now; a receipt of an earlier size carries the policy of its time.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from archive import wiring
from archive.models import Checkpoint, CustodyEvent, Leaf, Timestamp
from archive.models.key import LOG
from archive.services.refusals import BadInput, NotReady
from archive.services.sequencing import Tiles
from archive.services.witnessing import asked_for, cosigned, has_quorum, quorum_is_asked
from evidence.log.proof import consistency_proof, inclusion_proof
from evidence.log.tlogproof import TlogProof
from evidence.opening import Timestamp as Stamp
from evidence.receipt import receipt_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_LOOKED_AT = 20
"""Checkpoints of each kind in which one with its quorum is looked for."""


def issue_receipt(*, event: CustodyEvent, size: int | None = None, disclosures: Sequence[str] = ()) -> bytes:
    """The receipt at the best checkpoint for it, or at the one of `size`. Raises `NotReady`, `BadInput`."""
    leaf, checkpoint = place_in_log(event=event, size=size)
    hashes = inclusion_proof(leaf.index, checkpoint.size, Tiles(checkpoint.size).subtree_root)
    return receipt_bytes(
        event=event.text,
        salt=bytes(event.salt),
        proof=str(TlogProof(leaf.index, tuple(hashes), cosigned(checkpoint))),
        disclosures=disclosures,
        policy=wiring.policy(checkpoint.size),
        timestamps=tuple(_stamps(checkpoint)),
    )


def place_in_log(*, event: CustodyEvent, size: int | None = None) -> tuple[Leaf, Checkpoint]:
    """The event's leaf, and the checkpoint that its receipt leads to. Raises `NotReady`, `BadInput`."""
    leaf = Leaf.objects.filter(event=event).first()
    if leaf is None:
        raise NotReady("the event is not under a checkpoint yet; ask again in a second")
    return leaf, _checkpoint(leaf, size)


def common_size(events: Iterable[CustodyEvent]) -> int | None:
    """Size of the checkpoint under which receipts of all these events are given together; None without one yet."""
    indices = list(Leaf.objects.filter(event__in=list(events)).values_list("index", flat=True))
    found = _best(max(indices, default=-1))
    return found.size if found else None


def _checkpoint(leaf: Leaf, size: int | None) -> Checkpoint:
    rows = Checkpoint.objects.filter(size__gt=leaf.index)
    found = _best(leaf.index) if size is None else rows.filter(size=size).first()
    if found is None:
        raise BadInput(f"no checkpoint of size {size} holds leaf {leaf.index}; ask without a size for the newest")
    return found


def _best(index: int) -> Checkpoint | None:
    """Over a leaf: the earliest stamped checkpoint, or the newest, that has the quorum; below it, simply the newest.

    One that was stamped without its quorum would stay without for good: witnesses cosign only what is new.
    """
    rows = Checkpoint.objects.filter(size__gt=max(index, wiring.key_periods(LOG)[-1].after))
    stamped = rows.filter(timestamps__isnull=False).distinct().order_by("size")
    if not quorum_is_asked():
        return stamped.first() or rows.order_by("-size").first()
    cosigned_ones = rows.filter(cosignatures__witness__in=asked_for()).distinct()
    candidates = chain(
        stamped.filter(cosignatures__witness__in=asked_for())[:_LOOKED_AT],
        cosigned_ones.order_by("-size")[:_LOOKED_AT],
        cosigned_ones.order_by("size")[:_LOOKED_AT],
    )
    return next(filter(has_quorum, candidates), None) or rows.order_by("-size").first()


def tokens_over(checkpoint: Checkpoint) -> list[Timestamp]:
    """Of each authority the earliest token over the checkpoint, or over one after it by the same log keys."""
    rows = Timestamp.objects.filter(checkpoint__size__gte=checkpoint.size).select_related("checkpoint")
    last = wiring.period_of(checkpoint.size).last
    if last is not None:
        rows = rows.filter(checkpoint__size__lte=last)
    return list(rows.order_by("url", "checkpoint__size").distinct("url"))


def _stamps(checkpoint: Checkpoint) -> Iterator[Stamp]:
    for row in tokens_over(checkpoint):
        if row.checkpoint_id == checkpoint.size:
            yield Stamp(row.authority, bytes(row.response), None, ())
        else:
            hashes = tuple(consistency_proof(checkpoint.size, row.checkpoint_id, Tiles(row.checkpoint_id).subtree_root))
            yield Stamp(row.authority, bytes(row.response), cosigned(row.checkpoint), hashes)
