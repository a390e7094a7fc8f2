"""The founding case from the front page's button: filed through the same door as any upload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive.models import Case
from archive.services import access, intake
from evidence import reconstruction

if TYPE_CHECKING:
    from archive.services.access import Principal

CASE = "founding-case-reconstruction"


def file_reconstruction(*, principal: Principal) -> Case:
    """Submit both synthetic files; the workers do the rest."""
    slug = _free_slug(principal)
    log = b"".join(reconstruction.query_log())
    files = {"reconstruction-queries.log": log, "reconstruction-sightings.csv": reconstruction.sightings_csv()}
    for name, data in files.items():
        submission = intake.begin_submission(
            principal=principal, case_slug=slug, length=len(data), file_name=name,
            note="reconstruction of the founding case; synthetic", names=[reconstruction.NAME],
        )  # fmt: skip
        intake.append_bytes(principal=principal, submission_id=submission.pk, offset=0, chunks=[data])
    return submission.case


def _free_slug(principal: Principal) -> str:
    """The first of the case's names that is one's own or nobody's."""
    taken = set(
        Case.objects.filter(slug__startswith=CASE).exclude(members=principal.user).values_list("slug", flat=True)
    )
    names = (CASE if number == 1 else f"{CASE}-{number}" for number in range(1, len(taken) + 2))
    return access.ensure_case(principal=principal, slug=next(name for name in names if name not in taken)).slug
