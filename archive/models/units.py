"""Unit trees: by which single lines or records of a file can be shown later, the others staying hidden."""

from __future__ import annotations

from django.db import models

from archive.models.append_only import APPEND_ONLY
from archive.models.blob import Blob
from archive.models.run import Run


class PendingTree(models.Model):
    """That a blob waits for its tree; `procedure` reads it, empty for text that no reader knows. A row of work."""

    blob = models.OneToOneField(Blob, primary_key=True, on_delete=models.PROTECT, related_name="pending_tree")
    procedure = models.CharField(max_length=80, blank=True)
    since = models.DateTimeField(auto_now_add=True)
    lease = models.DateTimeField(null=True, blank=True)  # whoever plants it has until then; then it is free again


class UnitTree(models.Model):
    """The tree of one blob (trust-formats §7): `key` makes the salts and stays here; `run` found the records."""

    blob = models.OneToOneField(Blob, primary_key=True, on_delete=models.PROTECT, related_name="unit_tree")
    kind = models.CharField(max_length=80)
    key = models.BinaryField(max_length=32)
    count = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    run = models.ForeignKey(Run, null=True, on_delete=models.PROTECT, related_name="+")
    made = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = APPEND_ONLY
