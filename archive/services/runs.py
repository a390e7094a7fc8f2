"""Runs as work items: planned once an identity and case, taken by whoever's UPDATE counts, found by the sweeper."""

from __future__ import annotations

import datetime as dt
import json
import threading
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from archive import outbox, wiring
from archive.models import Blob, Case, Run, RunInput, RunOutput
from archive.services import access
from archive.services.deaccessions import DEACCESSION, deaccession_behind
from archive.services.keeping import await_others
from archive.services.refusals import BadInput
from evidence import procedures
from evidence.attest.derivation import Derivation
from evidence.digest import Digest
from evidence.parsing import REPORT, TABLE

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator, Sequence

    from django.db.models import QuerySet

    from archive.services.access import Principal

LEASE = dt.timedelta(seconds=30)
RENEW_EVERY = 10.0
ATTEMPTS = 3
_LONGEST = 4000
_log = structlog.get_logger(__name__)


def plan_run(*, case: Case, procedure: str, parameters: dict[str, Any], inputs: Sequence[tuple[str, Digest]]) -> Run:
    """The run of this derivation in this case: the one there is, or a new one."""
    identity = Derivation(procedure, parameters, tuple(inputs)).identity
    with transaction.atomic():
        run, made = Run.objects.get_or_create(
            case=case, identity=identity, defaults={"procedure": procedure, "parameters": parameters}
        )
        if made:
            RunInput.objects.bulk_create(
                RunInput(run=run, role=role, blob=Blob.objects.get(digest=str(digest))) for role, digest in inputs
            )
            outbox.nudge("workers.derive.derive", str(run.pk))
    return run


@transaction.atomic(savepoint=False)
def plan_follow_ups(*, case: Case) -> list[Run]:
    """Plan all that can now be asked of the case's tables for the names it watches."""
    await_others(case)
    tables = _tables(case)
    names = list(case.names.order_by("name").values_list("name", flat=True)) if tables else []
    return [
        plan_run(case=case, procedure=plan.procedure, parameters=plan.parameters, inputs=plan.inputs)
        for plan in procedures.follow_ups(tables, names)
    ]


def _tables(case: Case) -> list[procedures.Table]:
    """The tables of a case in the order in which their readings were planned, but for those the law took away."""
    made = RunOutput.objects.filter(run__case=case, run__state=Run.State.SUCCEEDED, name__in=(TABLE, REPORT))
    outputs: dict[uuid.UUID, dict[str, Blob]] = {}
    for output in made.select_related("blob").order_by("run__created", "run"):
        outputs.setdefault(output.run_id, {})[output.name] = output.blob
    some_gone = bool(outputs) and case.events.filter(type=DEACCESSION).exists()
    return [
        procedures.Table(Digest.parse(each[TABLE].digest), *_about(each[REPORT].place, each[REPORT].size))
        for each in outputs.values()
        if not (some_gone and deaccession_behind(each[TABLE], [case]))
    ]


@lru_cache(10_000)
def _about(place: str, size: int) -> tuple[str, Digest]:
    """What the table beside a report holds, and what it was read from; a sealed report never changes."""
    report = json.loads(b"".join(wiring.store().open_range(place, 0, size)))
    return report["schema"].partition("@")[0], Digest.parse(report["source"]["digest"])


def take_run(run_id: uuid.UUID) -> Run | None:
    """The run if it is now ours: pending and not postponed, or abandoned by a worker whose lease has passed."""
    now = timezone.now()
    mine = Run.objects.filter(free(now), pk=run_id).update(
        state=Run.State.RUNNING, lease=now + LEASE, attempts=F("attempts") + 1, started=now
    )
    return Run.objects.select_related("case").get(pk=run_id) if mine == 1 else None


def free(now: dt.datetime) -> Q:
    """Waiting, or let go; a lease that ends later than any is given was written before the clock was set back."""
    passed = Q(lease__lt=now) | Q(lease__gt=now + 2 * LEASE)
    return Q(state=Run.State.PENDING, lease=None) | Q(state__in=(Run.State.PENDING, Run.State.RUNNING)) & passed


@contextmanager
def kept_lease(run: Run) -> Iterator[None]:
    """Renew the lease for as long as the work lasts; when the process is killed, the run is free again soon."""
    ended = threading.Event()
    keeper = threading.Thread(target=_renew, args=(run, ended), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()


def _renew(run: Run, ended: threading.Event) -> None:
    while not ended.wait(RENEW_EVERY):
        try:
            held(run).update(lease=timezone.now() + LEASE)
        except DatabaseError as error:  # perhaps it restarts; the next beat asks again on a new connection
            _log.warning("lease_not_renewed", run=str(run.pk), error=str(error))
            connection.close()
    connection.close()


def fail_run(*, run: Run, problem: str) -> None:
    """For good: the same bytes and parameters would fail again."""
    held(run).update(state=Run.State.FAILED, problem=problem[:_LONGEST], finished=timezone.now(), lease=None)


def retry_run(*, principal: Principal, run: Run) -> Run:
    """Try a run that failed once more: its worker may have been killed too often. Raises `NotAllowed`, `BadInput`."""
    access.ensure_case(principal=principal, reference=str(run.case_id))
    with transaction.atomic():
        failed = Run.objects.filter(pk=run.pk, state=Run.State.FAILED)
        if failed.update(state=Run.State.PENDING, attempts=0, problem="", finished=None, lease=None) != 1:
            raise BadInput(f"the run is {run.state}; only one that failed can be tried again")
        outbox.nudge("workers.derive.derive", str(run.pk))
    run.refresh_from_db()
    return run


def postpone_run(*, run: Run, problem: str) -> None:
    """Something outside the run does not work now; it is tried again, however long that lasts, and says why."""
    said = f"not done yet, and tried again by itself: {problem}"
    held(run).update(state=Run.State.PENDING, attempts=0, problem=said[:_LONGEST], lease=timezone.now() + LEASE)


def held(run: Run) -> QuerySet[Run]:
    """The run's row for as long as the one who took it then is the one who holds it."""
    return Run.objects.filter(pk=run.pk, started=run.started, state=Run.State.RUNNING)
