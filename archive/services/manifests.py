"""A plain-text manifest in the store for each submission: what lies where, for people who do not have this program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive import wiring
from archive.services.alarms import end_alarm, raise_alarm
from archive.services.custody import rfc3339
from archive.storage.store import StoreError, place_of
from evidence.digest import Digest
from evidence.errors import EvidenceError
from evidence.opening import parse_event

if TYPE_CHECKING:
    from archive.models import Blob, Submission

CHANGED = "manifest"


def manifest_name(submission: Submission) -> str:
    return f"submissions/{submission.pk}.txt"


def manifest_text(submission: Submission) -> bytes:
    """Lines of `sha256sum`, with what else can be said in comments; nothing that could name the source."""
    blob, event = submission.blob, submission.event
    if blob is None or event is None:
        raise ValueError("a manifest is of a sealed submission")
    digest = Digest.parse(blob.digest)
    sizes = {str(item.digest): item.size for item in parse_event(event.text).objects}
    return (
        f"# custos/manifest@1: one submission. From this store's top folder: sha256sum -c {manifest_name(submission)}\n"
        f"# submission {submission.pk}\n# case {submission.case_id}\n# sealed {rfc3339(event.time)}\n"
        f"# bytes {sizes[blob.digest]}\n# ledger entry {bytes(event.commitment).hex()}\n"
        f"{digest.hex}  {place_of(digest)}\n"
    ).encode()


def write_manifest(submission: Submission) -> None:
    """Raises `StoreError`; may be repeated."""
    wiring.store().describe(manifest_name(submission), manifest_text(submission))


def check_manifests(blob: Blob) -> list[str]:
    """What is wrong with the manifests of the blob's submissions, each named, and an alarm until it is right.

    One that is missing is written again; one that was changed stays for people to see.
    """
    sealed = blob.submissions.exclude(read_as="").select_related("blob", "event")
    return [said for submission in sealed.order_by("pk") if (said := _check(submission))]


def _check(submission: Submission) -> str:
    name = manifest_name(submission)
    try:
        wanted = manifest_text(submission)
    except (EvidenceError, LookupError, ValueError):
        said = f"the manifest {name} cannot be compared: its event is not what was sealed; see manage.py check_ledger"
        raise_alarm(kind=CHANGED, subject=name, text=said)
        return said
    try:
        said = _difference(name, wiring.store().described(name), wanted)
        write_manifest(submission)
        is_right = not _difference(name, wiring.store().described(name), wanted)
    except StoreError as error:
        return f"the manifest {name} could not be looked at: {error}"
    if said:
        raise_alarm(kind=CHANGED, subject=name, text=said)
    if is_right:
        end_alarm(kind=CHANGED, subject=name)
    return said


def _difference(name: str, shown: list[bytes | None], wanted: bytes) -> str:
    if any(text is not None and text != wanted for text in shown):
        return f"the manifest {name} was changed in the store; put it aside, and fixity writes it as the ledger has it"
    return f"the manifest {name} was missing in the store; it is written again" if None in shown else ""
