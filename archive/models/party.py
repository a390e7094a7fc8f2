"""Who: users, the cases they share, the tokens and one-time links with which they come in."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person. Rights beyond their own cases: an auditor reads every case, an administrator makes users and links."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    is_auditor = models.BooleanField(default=False)


class Case(models.Model):
    """A newsroom's investigation: the boundary of who may see what. Its id is opaque and stands in custody events.

    Its name is unique only among the cases of its founder: a name that others use must tell nobody anything.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=80)
    founder = models.ForeignKey(User, on_delete=models.PROTECT, related_name="founded")
    title = models.CharField(max_length=200, blank=True)
    copies = models.SmallIntegerField(default=1)  # in how many stores a file must lie before it is receipted
    retain_until = models.DateField(null=True, blank=True)  # at least until the end of that day, UTC
    hold = models.BooleanField(default=False)  # legal hold
    kept = models.BooleanField(default=True)  # whether the stores were told what is asked for now
    keep_after = models.DateTimeField(null=True)  # till then the sweeper tells them nothing, as it did not work
    keep_wait = models.DurationField(null=True)  # how long that was at the last time, while there is a `keep_after`
    reconstruction = models.BooleanField(default=False)  # synthetic files: every page that shows them says so
    created = models.DateTimeField(auto_now_add=True)
    members: models.ManyToManyField[User, Membership] = models.ManyToManyField(
        User, through="Membership", related_name="cases"
    )

    class Meta:
        ordering = ("slug", "created")
        constraints = (models.UniqueConstraint(fields=("founder", "slug"), name="one_case_name_per_founder"),)

    def __str__(self) -> str:
        return self.slug


class Membership(models.Model):
    """That a user belongs to a case: sees all of it and may add to it."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT)
    user = models.ForeignKey(User, on_delete=models.PROTECT)
    joined = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("case", "user"), name="one_membership"),)


class CaseName(models.Model):
    """A domain name that a case watches: analyses for it run by themselves. Normalised: lower case, no final dot."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="names")
    name = models.CharField(max_length=1024)
    added = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("case", "name"), name="one_case_name"),)


class AccessToken(models.Model):
    """A bearer token; only its SHA-256 is kept. `scopes` is a subset of upload, read, audit."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tokens")
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created = models.DateTimeField(auto_now_add=True)
    revoked = models.DateTimeField(null=True, blank=True)


class SignInLink(models.Model):
    """A one-time way in for a browser; only its SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT)
    digest = models.CharField(max_length=64, unique=True)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True, blank=True)
