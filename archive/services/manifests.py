"""A plain-text manifest in the store for each submission: what lies where, for people who do not have this program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive import wiring
from archive.services.custody import rfc3339
from archive.storage.store import place_of
from evidence.digest import Digest

if TYPE_CHECKING:
    from archive.models import Submission


def manifest_name(submission: Submission) -> str:
    return f"submissions/{submission.pk}.txt"


def manifest_text(submission: Submission) -> bytes:
    """Lines of `sha256sum`, with what else can be said in comments; nothing that could name the source."""
    blob, event = submission.blob, submission.event
    if blob is None or event is None:
        raise ValueError("a manifest is of a sealed submission")
    digest = Digest.parse(blob.digest)
    return (
        f"# custos/manifest@1: one submission. From this store's top folder: sha256sum -c {manifest_name(submission)}\n"
        f"# submission {submission.pk}\n# case {submission.case_id}\n# sealed {rfc3339(event.time)}\n"
        f"# bytes {blob.size}\n# ledger entry {bytes(event.commitment).hex()}\n"
        f"{digest.hex}  {place_of(digest)}\n"
    ).encode()


def write_manifest(submission: Submission) -> None:
    """Raises `StoreError`; may be repeated."""
    wiring.store().describe(manifest_name(submission), manifest_text(submission))
