"""PREMIS events as they were committed: the exact text, its salt and its commitment; rows that cannot be changed."""

from __future__ import annotations

import uuid

from django.db import models

from archive.models.append_only import APPEND_ONLY
from archive.models.party import Case


class CustodyEvent(models.Model):
    """One custody event. A `PendingLeaf` goes with it until a `Leaf` places its commitment in the ledger."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, null=True, on_delete=models.PROTECT, related_name="events")
    type = models.CharField(max_length=60)
    time = models.DateTimeField()
    outcome = models.CharField(max_length=10)
    text = models.TextField()
    salt = models.BinaryField(max_length=32)
    commitment = models.BinaryField(max_length=32)

    class Meta:
        triggers = APPEND_ONLY
        ordering = ("time", "id")


class CustodyObject(models.Model):
    """Which blobs an event speaks of, so that the custody of a digest is found without opening every event."""

    event = models.ForeignKey(CustodyEvent, on_delete=models.PROTECT, related_name="objects_named")
    digest = models.CharField(max_length=71, db_index=True)
    role = models.CharField(max_length=200)

    class Meta:
        triggers = APPEND_ONLY
