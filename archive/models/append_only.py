"""The rule of rows that cannot be changed: PostgreSQL itself refuses, whoever asks.

A row trigger refuses UPDATE and DELETE and a statement trigger refuses TRUNCATE, for the owner of the tables and for
superusers as well; `manage.py grant_application_role` besides leaves the application's role only SELECT and INSERT.
"""

from __future__ import annotations

import pgtrigger
from django.db import models

APPEND_ONLY: tuple[pgtrigger.Protect, ...] = (
    pgtrigger.Protect(name="refuse_change", operation=pgtrigger.Update | pgtrigger.Delete),
    pgtrigger.Protect(name="refuse_truncate", operation=pgtrigger.Truncate, level=pgtrigger.Statement),
)


def is_append_only(model: type[models.Model]) -> bool:
    """Whether the rows of a model are kept from change."""
    return getattr(model._meta, "triggers", None) == APPEND_ONLY
