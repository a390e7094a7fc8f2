"""The one executor: inputs by digest, a named procedure, outputs as blobs, a signed statement, a custody event."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from django.db import transaction
from django.utils import timezone

from archive import wiring
from archive.models import Blob, Run, RunOutput
from archive.services import runs, storing
from archive.services.custody import record_event, rfc3339
from archive.services.deaccessions import deaccession_behind
from archive.services.identification import look_at_members, plan_members
from archive.services.keeping import await_others, note_stored
from archive.services.keys import public_keys
from archive.services.signatures import sign_statement
from archive.services.whole import local_whole_copy
from archive.services.worm_check import ensure_stores_hold
from archive.storage.store import StoreError
from evidence.attest.derivation import Derivation, Invocation, statement_bytes
from evidence.digest import Digest, hash_file
from evidence.errors import EvidenceError, SignatureError
from evidence.opening import EventObject
from evidence.procedures import PROCEDURES, engine_versions
from evidence.sandbox import run_in_child

if TYPE_CHECKING:
    import uuid

    from archive.models import CustodyEvent, KeyVersion
    from evidence.output import Output

_OBJECTS = 200  # that one event names: it has at most 65,536 bytes
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stored:
    """An output's blob, and whether it was put just now, as the run's case asks."""

    blob: Blob
    fresh: bool


def execute_run(run_id: uuid.UUID) -> None:
    """Take the run and see it through; repeated after a kill, it makes the same bytes and finds them there."""
    run = runs.take_run(run_id)
    if run is None:
        return
    if run.attempts > runs.ATTEMPTS:
        runs.fail_run(
            run=run, problem=f"given up after {runs.ATTEMPTS} attempts that each ended their worker; see its log"
        )
        return
    try:
        with runs.kept_lease(run):
            _record(run, _outputs(run))
    except (StoreError, SignatureError, OSError) as error:
        _log.warning("run_postponed", run=str(run.pk), procedure=run.procedure, error=str(error))
        runs.postpone_run(run=run, problem=_words(error))
    except EvidenceError as error:
        _log.warning("run_failed", run=str(run.pk), procedure=run.procedure, error=str(error))
        runs.fail_run(run=run, problem=str(error))


def _words(error: Exception) -> str:
    """What is wrong, where, and what to do; stores and keys say all three themselves."""
    if not isinstance(error, OSError):
        return str(error)
    return f"{error.strerror or error} in {wiring.home()}; make room or see to the disk"


def _outputs(run: Run) -> list[tuple[str, Stored]]:
    """From an earlier run of the same identity if there is one (perhaps in another case), else by running it.

    A statement names inputs by digest, so nothing is derived from bytes that have another one.
    """
    _refuse_taken_away(run)
    earlier = Run.objects.filter(identity=run.identity, state=Run.State.SUCCEEDED).first()
    if earlier is not None:
        outputs = earlier.outputs.select_related("blob").order_by("name")
        return [(output.name, Stored(output.blob, fresh=False)) for output in outputs]
    with ExitStack() as stack:
        inputs = {
            item.role: stack.enter_context(local_whole_copy(item.blob)) for item in run.inputs.select_related("blob")
        }
        folder = Path(stack.enter_context(_folder(run)))
        return [(output.name, store_file(output.path, run)) for output in _made(run, inputs, folder)]


def _made(run: Run, inputs: dict[str, Path], folder: Path) -> list[Output]:
    """What others handed in is read in a process of its own; what we made of it, here."""
    digests = dict(derivation_of(run).inputs)
    if run.answers:
        return PROCEDURES[run.procedure].run(inputs, digests, run.parameters, folder)
    limits = wiring.reader_limits(sum(path.stat().st_size for path in inputs.values()))
    return run_in_child(run.procedure, inputs, digests, run.parameters, folder, limits)


def _refuse_taken_away(run: Run) -> None:
    for item in run.inputs.select_related("blob"):
        gone = deaccession_behind(item.blob, [run.case])
        if gone is not None:
            raise EvidenceError(
                f"the bytes of {gone.blob_id} were taken away by law; nothing more is derived from them"
            )


def _folder(run: Run) -> tempfile.TemporaryDirectory[str]:
    """Where the run makes its files; what an earlier attempt left when it was killed goes first."""
    prefix = f"run-{run.pk}-"
    for left in wiring.staging().glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    return tempfile.TemporaryDirectory(dir=wiring.staging(), prefix=prefix)


def derivation_of(run: Run) -> Derivation:
    inputs = run.inputs.order_by("role").values_list("role", "blob_id")
    return Derivation(run.procedure, run.parameters, tuple((role, Digest.parse(digest)) for role, digest in inputs))


def store_file(path: Path, run: Run) -> Stored:
    """The blob of a file that was just made; synced before it is kept."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    digest, size = hash_file(path)
    ensure_stores_hold()
    locator = storing.keep_bytes(path, digest, run.case)
    return Stored(*storing.record_blob(digest, size, locator))


def _record(run: Run, made: list[tuple[str, Stored]]) -> None:
    outputs = [(name, stored.blob) for name, stored in made]
    members = look_at_members(run, outputs)
    with transaction.atomic():
        if not runs.held(run).update(lease=None):
            return  # the lease passed and somebody else has it
        case = await_others(run.case)
        statement, keys = _statement(run, outputs)
        stored = [stored for _, stored in made] + [statement]
        note_stored(run.case, case, there_before=[one.blob.digest for one in stored if not one.fresh])
        event = _tell(run, statement.blob, outputs, keys)
        _tell_copies(run, [one.blob for one in stored if one.fresh])
        RunOutput.objects.bulk_create(RunOutput(run=run, name=name, blob=blob) for name, blob in outputs)
        run.state, run.statement, run.event = Run.State.SUCCEEDED, statement.blob, event
        run.finished, run.lease, run.problem = timezone.now(), None, ""
        run.save(update_fields=["state", "statement", "event", "finished", "lease", "problem"])
        plan_members(run.case, members)
        runs.plan_follow_ups(case=run.case)


def _tell(run: Run, statement: Blob, outputs: list[tuple[str, Blob]], keys: list[KeyVersion]) -> CustodyEvent:
    """The event with the statement; an event is of bounded size, so an archive with many members has more of them."""
    objects = [EventObject(Digest.parse(statement.digest), statement.size, "statement")]
    objects += [EventObject(Digest.parse(blob.digest), blob.size, name) for name, blob in outputs]
    detail = {
        "run": str(run.pk), "procedure": run.procedure, "identity": run.identity, "keys": public_keys(keys)
    }  # fmt: skip
    events = [
        record_event(case=run.case, type="creation", objects=objects[at : at + _OBJECTS], detail=detail).event
        for at in range(0, len(objects), _OBJECTS)
    ]
    return events[0]


def _tell_copies(run: Run, blobs: list[Blob]) -> None:
    """That what was made now lies in several stores, by their number."""
    lying: dict[int, list[EventObject]] = {}
    for blob in blobs:
        there = EventObject(Digest.parse(blob.digest), blob.size, "copied")
        lying.setdefault(len(blob.locator.split(" ")), []).append(there)
    for copies, objects in lying.items():
        for at in range(0, len(objects) if copies > 1 else 0, _OBJECTS):
            part = objects[at : at + _OBJECTS]
            record_event(case=run.case, type="replication", objects=part, detail={"copies": copies})


def _statement(run: Run, outputs: list[tuple[str, Blob]]) -> tuple[Stored, list[KeyVersion]]:
    """The signed statement in the store, and the keys that signed it."""
    invocation = Invocation(
        id=str(run.pk), builder=wiring.origin(), engine=engine_versions(), code=wiring.code_digest(),
        software=wiring.software(), started=rfc3339(run.started or run.created), finished=rfc3339(timezone.now()),
    )  # fmt: skip
    payload = statement_bytes(
        derivation_of(run), invocation, [(name, Digest.parse(blob.digest)) for name, blob in outputs]
    )
    envelope, keys = sign_statement(payload)
    with _folder(run) as folder:
        path = Path(folder) / "attestation.json"
        path.write_bytes(envelope)
        return store_file(path, run), keys
