"""Bytes by digest: that they are in the store, once, whoever handed them in."""

from __future__ import annotations

from django.db import models

from archive.models.append_only import APPEND_ONLY


class Blob(models.Model):
    """Bytes that the write-once store holds. `digest` is `sha256:<hex>`, `locator` where the store keeps them."""

    digest = models.CharField(primary_key=True, max_length=71)
    size = models.BigIntegerField()
    locator = models.CharField(max_length=400)
    stored = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = APPEND_ONLY
