"""A sign of life of a part that cannot be asked directly."""

from __future__ import annotations

from django.db import models


class Pulse(models.Model):
    """When the part `name` last showed that it works."""

    name = models.CharField(primary_key=True, max_length=40)
    at = models.DateTimeField()
