"""Derivations: one row a run, whatever its procedure; the row is the work item and, when it succeeded, the record."""

from __future__ import annotations

import uuid

from django.db import models

from archive.models.blob import Blob
from archive.models.custody import CustodyEvent
from archive.models.party import Case

PARSE, EXTRACT = "parse.", "extract."
UNANSWERING = (PARSE, EXTRACT)
"""How the procedures begin that read a source and answer no question."""


class Run(models.Model):
    """A derivation in a case: pending → running → succeeded or failed.

    `identity` is the derivation identity (trust-formats §6); in one case it stands once. A running row whose `lease`
    has passed was abandoned by its worker and is taken again; a pending row with a lease was postponed until then.
    `started` is also by what the one who took the row knows that it is still theirs.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="runs")
    identity = models.CharField(max_length=64)
    procedure = models.CharField(max_length=80)
    parameters = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    attempts = models.IntegerField(default=0)
    lease = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)
    created = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)
    statement = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    event = models.ForeignKey(CustodyEvent, null=True, blank=True, on_delete=models.PROTECT)

    class Meta:
        ordering = ("created", "id")
        constraints = (models.UniqueConstraint(fields=("case", "identity"), name="one_run_per_case"),)
        indexes = (models.Index(fields=("state", "lease")),)

    @property
    def answers(self) -> bool:
        """Whether it answers a question; readings and extractions do not."""
        return not self.procedure.startswith(UNANSWERING)

    @property
    def reads(self) -> bool:
        """Whether it reads a source into a table."""
        return self.procedure.startswith(PARSE)


class RunInput(models.Model):
    """A blob that a run reads, in a role (`source`, `table`, `lookups`, `sightings`)."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="inputs")
    role = models.CharField(max_length=40)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="read_by")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("run", "role"), name="one_input_per_role"),)


class RunOutput(models.Model):
    """A blob that a run made, by the name it has in the statement's subject."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="outputs")
    name = models.CharField(max_length=200)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="made_by")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("run", "name"), name="one_output_per_name"),)
