"""What people do with sealed files: read them, and hand them over."""

from __future__ import annotations

import uuid

from django.db import models

from archive.models.blob import Blob
from archive.models.party import Case, User


class AccessWindow(models.Model):
    """That a person read a file in a minute; the custody event was written with the first read."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT)
    user = models.ForeignKey(User, on_delete=models.PROTECT)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT)
    minute = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("case", "user", "blob", "minute"), name="one_access_a_minute"),)


class Handover(models.Model):
    """A file's care goes from one member of a case to another."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT)
    giver = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    receiver = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    note = models.TextField(blank=True)
    disclosures = models.JSONField(default=list)  # RFC 9901: what opens the note in the event of the offer
    offered = models.DateTimeField(auto_now_add=True)
    acknowledged = models.DateTimeField(null=True, blank=True)
