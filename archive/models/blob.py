"""Bytes by digest: that they are in the store, once, whoever handed them in."""

from __future__ import annotations

from django.db import models

from archive.models.append_only import APPEND_ONLY


class Blob(models.Model):
    """Bytes that the write-once store holds. `digest` is `sha256:<hex>`, `locator` where they lay at first."""

    digest = models.CharField(primary_key=True, max_length=71)
    size = models.BigIntegerField()
    locator = models.TextField()
    stored = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = APPEND_ONLY

    @property
    def place(self) -> str:
        """Where the store keeps them now."""
        moved = self.moves.order_by("-id").first()
        return moved.locator if moved else self.locator


class BlobMove(models.Model):
    """That a blob lies elsewhere since a copy was added or mended; the newest counts."""

    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="moves")
    locator = models.TextField()
    moved = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = APPEND_ONLY


class Segments(models.Model):
    """The SHA-256 of each `size` bytes of a large blob, end to end; of its last bytes too if those are fewer.

    Made in one reading that had the blob's own digest. `event` holds their root, so that none is changed unseen.
    """

    blob = models.OneToOneField(Blob, primary_key=True, on_delete=models.PROTECT, related_name="segments")
    size = models.BigIntegerField()
    digests = models.BinaryField()
    event = models.ForeignKey("archive.CustodyEvent", on_delete=models.PROTECT, related_name="+")

    class Meta:
        triggers = APPEND_ONLY


class Fixity(models.Model):
    """When a blob was last re-hashed, last seen whole, and what was seen.

    Of a check that is going on, when it was begun, and how many segments were seen whole since. Of a blob that lies in
    fewer stores than there are, or was not whole everywhere, when it is looked at again before its turn.
    """

    blob = models.OneToOneField(Blob, primary_key=True, on_delete=models.PROTECT, related_name="fixity")
    checked = models.DateTimeField(null=True, db_index=True)
    whole = models.DateTimeField(null=True)
    state = models.CharField(max_length=20, default="unchecked")
    said = models.TextField(blank=True)
    begun = models.DateTimeField(null=True)
    seen = models.BigIntegerField(default=0)
    again = models.DateTimeField(null=True, db_index=True)

    class Meta:
        indexes = (models.Index(fields=("blob",), condition=models.Q(state="suspected"), name="suspected_blobs"),)


class Deaccession(models.Model):
    """That the law had a blob's bytes taken away: asked for by one person, approved by another, in the ledger first."""

    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="deaccessions")
    case = models.ForeignKey("archive.Case", on_delete=models.PROTECT)
    reason = models.TextField()
    asked_by = models.ForeignKey("archive.User", on_delete=models.PROTECT, related_name="+")
    asked = models.DateTimeField(auto_now_add=True)
    approved_by = models.ForeignKey("archive.User", null=True, on_delete=models.PROTECT, related_name="+")
    event = models.ForeignKey("archive.CustodyEvent", null=True, on_delete=models.PROTECT, related_name="+")
