"""What must not stay unseen: damage, a store that does not hold, a ledger that does not fit."""

from __future__ import annotations

from django.db import models


class Alarm(models.Model):
    """One alarm for a subject of a kind; it stays until it was seen to be over, and is counted again if it returns."""

    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=400)
    text = models.TextField()
    raised = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-raised",)
        constraints = (
            models.UniqueConstraint(fields=("kind", "subject"), condition=models.Q(ended=None), name="one_open_alarm"),
        )
