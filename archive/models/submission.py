"""What one person hands over at one time; while it is being received, the row is the tus upload resource itself."""

from __future__ import annotations

import uuid

from django.db import models

from archive.models.blob import Blob
from archive.models.custody import CustodyEvent
from archive.models.party import Case, User


class Submission(models.Model):
    """A file on its way in: receiving → received → sealed, or refused with a reason.

    The bytes so far lie in the staging folder under `id`; `offset` is what was fsynced. A submission is `sealed` once
    its blob is stored and its ingestion event stands; the receipt exists when the event's leaf is under a checkpoint.
    """

    class State(models.TextChoices):
        RECEIVING = "receiving"
        RECEIVED = "received"
        SEALED = "sealed"
        REFUSED = "refused"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="submissions")
    user = models.ForeignKey(User, on_delete=models.PROTECT)
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVING)
    length = models.BigIntegerField()
    offset = models.BigIntegerField(default=0)
    declared_digest = models.CharField(max_length=71, blank=True)
    file_name = models.TextField(blank=True)
    note = models.TextField(blank=True)
    metadata = models.TextField(blank=True)  # the header Upload-Metadata as it came: tus 1.0 has HEAD give it back
    stated_custody = models.TextField(blank=True)  # what the uploader says of earlier holders: a statement, not a fact
    reading = models.JSONField(default=dict)  # {"procedure"?, "columns"?, "kind"?}: how the uploader says to read it
    created = models.DateTimeField(auto_now_add=True)
    arrived = models.JSONField(null=True)  # digest as the bytes came, and size, inode and ctime of the staged file then
    received = models.DateTimeField(null=True, blank=True)
    blob = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="submissions")
    event = models.ForeignKey(CustodyEvent, null=True, blank=True, on_delete=models.PROTECT)
    disclosures = models.JSONField(default=list)  # RFC 9901 disclosures of the event's sealed members
    read_as = models.CharField(max_length=80, blank=True)  # procedure found by recognition, "none", or "" = not yet
    read_reason = models.TextField(blank=True)
    problem = models.TextField(blank=True)
    try_after = models.DateTimeField(null=True)  # till then the sweeper leaves it alone

    class Meta:
        ordering = ("-created",)
        indexes = (models.Index(fields=("state", "received")),)
