"""The rule of rows that cannot be changed: PostgreSQL itself refuses, whoever asks.

A row trigger refuses UPDATE and DELETE and a statement trigger refuses TRUNCATE, for the owner of the tables and for
superusers as well; `manage.py grant_application_role` besides leaves the application's role only SELECT and INSERT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pgtrigger

if TYPE_CHECKING:
    from django.db import models

_REFUSE = "RAISE EXCEPTION 'rows of % are never changed: % is refused', TG_TABLE_NAME, TG_OP;"
APPEND_ONLY: tuple[pgtrigger.Trigger, ...] = (
    pgtrigger.Trigger(
        name="refuse_change", when=pgtrigger.Before, operation=pgtrigger.Update | pgtrigger.Delete, func=_REFUSE
    ),
    pgtrigger.Trigger(
        name="refuse_truncate",
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        level=pgtrigger.Statement,
        func=_REFUSE,
    ),
)


def is_append_only(model: type[models.Model]) -> bool:
    """Whether the rows of a model are kept from change."""
    return list(getattr(model._meta, "triggers", ())) == list(APPEND_ONLY)  # noqa: SLF001 -- Django's public-by-custom API
