"""The ledger: what waits for it, leaves in order, the roots of full tiles, and every checkpoint ever signed."""

from __future__ import annotations

from django.db import models

from archive.models.append_only import APPEND_ONLY
from archive.models.custody import CustodyEvent


class PendingLeaf(models.Model):
    """An event that waits for its place in the log: made with the event, gone in the transaction that writes its leaf.

    The order of the log is that of `id`, which no clock has a part in. A row of work, and no evidence.
    """

    id = models.BigAutoField(primary_key=True)
    event = models.OneToOneField(CustodyEvent, on_delete=models.PROTECT, related_name="pending")


class Leaf(models.Model):
    """Entry `index` of the log: its 32 bytes are the event's commitment."""

    index = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(CustodyEvent, on_delete=models.PROTECT, related_name="leaf")
    hash = models.BinaryField(max_length=32)

    class Meta:
        triggers = APPEND_ONLY


class TileRoot(models.Model):
    """Root of the full tile `index` at tile level `level` - 1: entry `index` of tile level `level` (≥ 1)."""

    level = models.SmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        triggers = APPEND_ONLY
        constraints = (models.UniqueConstraint(fields=("level", "index"), name="one_tile_root"),)


class Checkpoint(models.Model):
    """A signed checkpoint: `note` is the exact signed note. Only one is ever signed for a size."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField(max_length=32)
    note = models.TextField()
    signed = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = APPEND_ONLY
        ordering = ("size",)


class Timestamp(models.Model):
    """An RFC 3161 response over a checkpoint's note text, verified before it was kept; `authority` as certified."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="timestamps")
    url = models.CharField(max_length=400)
    authority = models.CharField(max_length=400)
    response = models.BinaryField()
    time = models.DateTimeField()
    kept = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = APPEND_ONLY
        constraints = (models.UniqueConstraint(fields=("checkpoint", "url"), name="one_timestamp"),)


class Cosignature(models.Model):
    """A witness's signature line over a checkpoint, verified before it was kept; `witness` as the policy names it."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="cosignatures")
    witness = models.CharField(max_length=200)
    line = models.TextField()
    kept = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = APPEND_ONLY
        ordering = ("witness",)
        constraints = (models.UniqueConstraint(fields=("checkpoint", "witness"), name="one_cosignature"),)
