"""The whole chain of a blob's custody, each link held against the ledger as it stands now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archive.models import Handover
from archive.services import access, finding, row_check
from archive.services.custody import told
from archive.services.sequencing import Tiles, latest_checkpoint
from archive.services.witnessing import quorum_of
from evidence.errors import EvidenceError
from evidence.log.hashing import leaf_hash
from evidence.log.proof import inclusion_proof, verify_inclusion
from evidence.opening import commitment

if TYPE_CHECKING:
    from archive.models import Checkpoint, CustodyEvent, Submission
    from archive.services.access import Principal
    from evidence.opening import Event

PROVED, PENDING, UNKNOWN = "proved", "pending", "unknown to the ledger"
_ORIGINS = ("ingestion", "creation")


@dataclass(frozen=True, slots=True)
class Link:
    """An event and how it stands: proved, pending, or unknown to the ledger with what does not fit."""

    event: CustodyEvent
    told: Event | None
    """What its text says; None where that is no event."""
    state: str
    said: str
    hashes: tuple[bytes, ...] = ()
    """The inclusion proof of what is proved, from the leaf's neighbour upwards (RFC 6962 §2.1.1)."""


@dataclass(frozen=True, slots=True)
class Chain:
    links: list[Link]
    gaps: list[str]
    size: int
    root: bytes
    """Of the checkpoint to which the proofs lead; 0 and nothing without one."""
    quorum: str
    """Whether its witnesses have reached theirs; see `witnessing.quorum_of`."""
    names: dict[str, str]
    """Of the persons in it whom one may know, by id."""


def chain_of(principal: Principal, digest: str) -> Chain:
    """The links that one's cases show, oldest first, and what is missing among them."""
    checkpoint = latest_checkpoint()
    tiles = Tiles(checkpoint.size if checkpoint else 0)
    links = [_link(event, checkpoint, tiles) for event in finding.events_of(principal, digest)]
    head = (checkpoint.size, bytes(checkpoint.root)) if checkpoint else (0, b"")
    persons = {link.told.agent_id for link in links if link.told and link.told.agent_kind == "person"}
    names = access.names_known_to(principal, persons)
    return Chain(links, _gaps(principal, digest, links), *head, quorum_of(checkpoint), names)


def _link(event: CustodyEvent, checkpoint: Checkpoint | None, tiles: Tiles) -> Link:
    said = told(event)
    if commitment(bytes(event.salt), event.text.encode()) != bytes(event.commitment):
        return Link(event, said, UNKNOWN, "its text is not the one that was committed")
    if said is None:
        return Link(event, said, UNKNOWN, "its text is no event")
    return Link(event, said, *_state(event, checkpoint, tiles))


def _state(event: CustodyEvent, checkpoint: Checkpoint | None, tiles: Tiles) -> tuple[str, str, tuple[bytes, ...]]:
    leaf = getattr(event, "leaf", None)
    if leaf is None and not hasattr(event, "pending"):
        return UNKNOWN, "a gap: it has no leaf in the ledger and waits for none", ()
    if leaf is None or checkpoint is None or leaf.index >= checkpoint.size:
        return PENDING, "no checkpoint covers it yet", ()
    try:
        hashes = inclusion_proof(leaf.index, checkpoint.size, tiles.subtree_root)
        root = bytes(checkpoint.root)
        verify_inclusion(leaf_hash(bytes(event.commitment)), leaf.index, checkpoint.size, hashes, root)
    except EvidenceError as error:
        return UNKNOWN, f"its leaf does not lead to the checkpoint: {error}", ()
    return PROVED, f"leaf {leaf.index} under the checkpoint of size {checkpoint.size}", tuple(hashes)


def _gaps(principal: Principal, digest: str, links: list[Link]) -> list[str]:
    """Acts that must have left an event and did not, and rows that say otherwise than theirs."""
    gaps: list[str] = []
    events = [link.event for link in links]
    for case in {event.case_id: event.case for event in events}.values():
        types = {event.type for event in events if case is not None and event.case_id == case.pk}
        if not types & set(_ORIGINS) and not any(_is_statement(link.told, digest) for link in links):
            gaps.append(f"in {case}: no event says where the bytes came from")
        if "ingestion" in types and "message digest calculation" not in types:
            gaps.append(f"in {case}: no event says when they were hashed")
    known = {event.pk for event in events}
    handed_in: list[Submission] = list(finding.submissions(principal).filter(blob_id=digest))
    gaps += [f"the ingestion of submission {row.pk} is missing" for row in handed_in if row.event_id not in known]
    gaps += [said for row in handed_in for said in row_check.submission_problems(row)]
    handed_over = Handover.objects.filter(blob=digest, case__in=access.cases_visible_to(principal)).order_by("offered")
    return gaps + row_check.handover_problems(list(handed_over))


def _is_statement(said: Event | None, digest: str) -> bool:
    return any((str(item.digest), item.role) == (digest, "statement") for item in (said.objects if said else ()))
