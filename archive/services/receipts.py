"""Receipts: the opened event with its inclusion proof under a signed checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive import wiring
from archive.models import Checkpoint, CustodyEvent, Leaf
from archive.services.refusals import BadInput, NotReady
from archive.services.sequencing import subtree_root
from archive.services.witnessing import cosigned
from evidence.log.proof import inclusion_proof
from evidence.log.tlogproof import TlogProof
from evidence.receipt import receipt_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence


def issue_receipt(*, event: CustodyEvent, size: int | None = None, disclosures: Sequence[str] = ()) -> bytes:
    """The receipt at the newest checkpoint, or at the one of `size`. Raises `NotReady`, `BadInput`."""
    leaf = Leaf.objects.filter(event=event).first()
    if leaf is None:
        raise NotReady("the event is not under a checkpoint yet; ask again in a second")
    checkpoint = _checkpoint(leaf, size)
    hashes = inclusion_proof(leaf.index, checkpoint.size, subtree_root)
    return receipt_bytes(
        event=event.text,
        salt=bytes(event.salt),
        proof=str(TlogProof(leaf.index, tuple(hashes), cosigned(checkpoint))),
        disclosures=disclosures,
        policy=wiring.policy(),
    )


def _checkpoint(leaf: Leaf, size: int | None) -> Checkpoint:
    rows = Checkpoint.objects.filter(size__gt=leaf.index)
    found = rows.order_by("-size").first() if size is None else rows.filter(size=size).first()
    if found is None:
        raise BadInput(f"no checkpoint of size {size} holds leaf {leaf.index}; ask without a size for the newest")
    return found
