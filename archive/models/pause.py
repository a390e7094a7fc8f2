"""That somebody whom the archive asks failed, and is left alone."""

from __future__ import annotations

from django.db import models


class Pause(models.Model):
    """Until when the party `name`, of a kind, is not asked; `length` is how long that is since it failed last."""

    kind = models.CharField(max_length=40)
    name = models.CharField(max_length=400)
    length = models.DurationField()
    until = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("kind", "name"), name="one_pause"),)
