"""The founding case from the front page's button: filed through the same door as any upload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive.services import access, intake
from evidence import reconstruction

if TYPE_CHECKING:
    from archive.models import Case
    from archive.services.access import Principal

CASE = "founding-case-reconstruction"
TITLE = "The founding case, reconstructed"


def file_reconstruction(*, principal: Principal) -> Case:
    """Submit both synthetic files; the workers do the rest."""
    case = access.ensure_case(principal=principal, reference=CASE, title=TITLE, reconstruction=True)
    log = b"".join(reconstruction.query_log())
    files = {"reconstruction-queries.log": log, "reconstruction-sightings.csv": reconstruction.sightings_csv()}
    for name, data in files.items():
        submission = intake.begin_submission(
            principal=principal, case_reference=str(case.pk), length=len(data), file_name=name,
            note="reconstruction of the founding case; synthetic", names=[reconstruction.NAME],
        )  # fmt: skip
        intake.append_bytes(principal=principal, submission_id=submission.pk, offset=0, chunks=[data])
    return case
