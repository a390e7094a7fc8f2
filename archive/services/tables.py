"""What a reading left: its report, its rows and its rejects, page by page, each with the sealed bytes behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archive import wiring
from archive.models.run import PARSE
from archive.services import following
from archive.services.reading import note_access, refuse_taken_away
from archive.services.refusals import NotReady, NotVisible
from evidence.parsing import REJECTED, REPORT, TABLE
from evidence.table.parquet import rows_between

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archive.models import Blob, Run
    from archive.services.access import Principal
    from archive.services.following import Line


@dataclass(frozen=True, slots=True)
class Reject:
    """A line or record that became no row: `kind` is reject, skip or context; its bytes as they are sealed."""

    line: Line
    kind: str
    reason: str


def ensure_read(run: Run) -> None:
    """Raises `NotVisible` for a run that reads no source, `NotReady` for one that has not succeeded."""
    if not run.procedure.startswith(PARSE):
        raise NotVisible("this run is no reading: only readings have rows and rejects")
    if run.state != run.State.SUCCEEDED:
        raise NotReady(f"this reading is {run.state}. {run.problem}")


def report_of(run: Run) -> dict[str, Any]:
    """The reading's report. Raises `NotVisible`, `NotReady`."""
    ensure_read(run)
    value: dict[str, Any] = json.loads(b"".join(following.read_blob(following.output(run, REPORT))))
    return value


def source_of(run: Run) -> Blob:
    return run.inputs.select_related("blob").get(role="source").blob


def rows_of(*, principal: Principal, run: Run, offset: int, limit: int) -> list[dict[str, Any]]:
    """Some rows of the table. They show what the source says, so that it was read is in its custody.

    Raises `NotVisible`, `NotReady`, `TakenAway`.
    """
    ensure_read(run)
    source = source_of(run)
    refuse_taken_away(principal, source)
    found = _some(run, TABLE, offset, limit)
    if found:
        note_access(principal=principal, blob=source)
    return found


def read_row(*, principal: Principal, run: Run, number: int) -> tuple[dict[str, Any], Line]:
    """A row by its number from 1, and its bytes; that they were read is in the file's custody."""
    found = rows_of(principal=principal, run=run, offset=number - 1, limit=1) if number else []
    if not found:
        raise NotVisible(f"the reading has no row {number}")
    source = source_of(run)
    return found[0], following.line_at(source, found[0])


def read_rejects(
    *, principal: Principal, run: Run, offset: int, limit: int, kind: str = "", reason: str = ""
) -> list[Reject]:
    """Some of what became no row, in the order of the source; that its bytes were read is in the file's custody."""
    ensure_read(run)
    source = source_of(run)
    refuse_taken_away(principal, source)
    wanted = {name: value for name, value in (("kind", kind), ("reason", reason)) if value}
    found = _some(run, REJECTED, offset, limit, wanted)
    if found:
        note_access(principal=principal, blob=source)
    return [Reject(following.line_at(source, item), item["kind"], item["reason"]) for item in found]


def _some(
    run: Run, name: str, offset: int, limit: int, where: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:  # fmt: skip
    with wiring.store().local_path(following.output(run, name).place) as path:
        return rows_between(path, offset, limit, where)
