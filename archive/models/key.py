"""The service's keys by version, how each ended, and every signature that was made with one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from django.db import models

from archive.models.append_only import APPEND_ONLY
from archive.models.custody import CustodyEvent

LOG, DSSE = "log", "dsse"


class KeyVersion(models.Model):
    """One of the two keys that a purpose has at a time. The private part is a file's or the signer command's.

    It signs checkpoints larger than `after`, and statements whose event comes after its own.
    """

    class Holder(models.TextChoices):
        FILE = "file"
        COMMAND = "command"

    purpose = models.CharField(max_length=4)
    number = models.PositiveSmallIntegerField()
    algorithm = models.CharField(max_length=20)
    public = models.BinaryField()
    keyid = models.CharField(max_length=64, unique=True)
    holder = models.CharField(max_length=8, choices=Holder)
    after = models.BigIntegerField()
    event = models.ForeignKey(CustodyEvent, on_delete=models.PROTECT, related_name="+")
    begun = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = APPEND_ONLY
        constraints = (models.UniqueConstraint(fields=("purpose", "number", "algorithm"), name="one_key_version"),)

    @property
    def name(self) -> str:
        """What the file is called, and what a signer command is asked for."""
        return key_name(self.purpose, self.algorithm, self.number)


class KeyEnd(models.Model):
    """That a key signs no more: `last` is the size of the last checkpoint in its time."""

    class Status(models.TextChoices):
        RETIRED = "retired"
        REVOKED = "revoked"

    key = models.OneToOneField(KeyVersion, on_delete=models.PROTECT, related_name="end")
    status = models.CharField(max_length=8, choices=Status)
    reason = models.TextField()
    last = models.BigIntegerField()
    event = models.ForeignKey(CustodyEvent, on_delete=models.PROTECT, related_name="+")
    ended = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = APPEND_ONLY


class Signing(models.Model):
    """One signature: by which key, over which message (SHA-256), for a checkpoint's `size` or a statement's `digest`.

    With neither, a new key showed that it can sign.
    """

    keyid = models.CharField(max_length=64)
    message = models.CharField(max_length=64)
    size = models.BigIntegerField(null=True, db_index=True)
    digest = models.CharField(max_length=71, blank=True, db_index=True)
    signed = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = APPEND_ONLY


@dataclass(frozen=True, slots=True)
class Period:
    """The keys that a purpose had at one time: for checkpoints above `after`, up to `last` (None: to this day)."""

    number: int
    after: int
    last: int | None
    keys: tuple[KeyVersion, ...]

    def holds(self, size: int) -> bool:
        return self.after < size and (self.last is None or size <= self.last)


def key_name(purpose: str, algorithm: str, number: int) -> str:
    return f"{purpose}-{algorithm}" + (f"-{number}" if number > 1 else "")


def periods(purpose: str) -> list[Period]:
    """All of a purpose, oldest first; the keys of each by algorithm."""
    rows = KeyVersion.objects.filter(purpose=purpose).select_related("end").order_by("number", "algorithm")
    return [_period(number, tuple(keys)) for number, keys in groupby(rows, key=lambda row: row.number)]


def _period(number: int, keys: tuple[KeyVersion, ...]) -> Period:
    ends = [key.end.last for key in keys if hasattr(key, "end")]
    return Period(number, keys[0].after, min(ends, default=None), keys)
