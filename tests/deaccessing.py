"""What the law has taken away, as far as the archive's own part in it goes: two persons say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive.services import access, deaccessions

if TYPE_CHECKING:
    from archive.models import Deaccession, Submission


def deaccess(row: Submission) -> Deaccession:
    """Asked for by ann, a member of the case and from now on an administrator, and approved by eve, an auditor."""
    ann = access.principal_of(access.ensure_user(user_name="ann", administrator=True))
    eve = access.principal_of(access.ensure_user(user_name="eve", auditor=True))
    asked = deaccessions.ask_deaccession(principal=ann, case=row.case, blob=row.blob, reason="order 1")
    return deaccessions.approve_deaccession(principal=eve, deaccession=asked)
