"""Writing custody events (trust-formats §2): the canonical text, its sealed members. Random bytes are passed in."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evidence.canonical import canonical
from evidence.errors import CustodyError
from evidence.opening import EVENT_FORMAT, EVENT_LIMIT, KEY_EVENTS, Event, disclosure_digest, parse_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TYPES = (
    "ingestion", "message digest calculation", "format identification", "creation", "fixity check",
    "replication", "transfer", "access", "disclosure", "retention change", "deaccession", *KEY_EVENTS,
)  # fmt: skip
_SALT = 16
SEALED = 8
"""Digests in `_sd`, those of members and those that stand for nothing together; of more members the next multiple."""


@dataclass(frozen=True, slots=True)
class SealedMembers:
    """`digests` go into the event's `_sd`; `disclosures` open them and are kept by those who may know."""

    digests: tuple[str, ...]
    disclosures: tuple[str, ...]


def seal_members(values: Mapping[str, Any], random: Callable[[int], bytes]) -> SealedMembers:
    """Hide `values` behind salted digests among decoys, always as many in all, so that not even their number shows."""
    disclosures = tuple(_disclosure(name, value, random(_SALT)) for name, value in sorted(values.items()))
    digests = [disclosure_digest(item) for item in disclosures]
    decoys = -len(digests) % SEALED if digests else SEALED
    digests += [_b64url(random(32)) for _ in range(decoys)]
    return SealedMembers(tuple(sorted(digests)), disclosures)


def event_bytes(event: Event) -> bytes:
    """The event's exact bytes. Raises `CustodyError` if it is not one that a reader would accept."""
    if event.type not in TYPES:
        raise CustodyError(f"unknown event type {event.type!r}; known are {', '.join(TYPES)}")
    text = canonical({
        "format": EVENT_FORMAT, "id": event.id, "case": event.case, "type": event.type, "time": event.time,
        "agent": {"kind": event.agent_kind, "id": event.agent_id},
        "objects": [{"digest": str(o.digest), "size": o.size, "role": o.role} for o in event.objects],
        "outcome": event.outcome, "detail": event.detail, "software": event.software, "_sd": sorted(event.sealed),
    })  # fmt: skip
    if len(text) > EVENT_LIMIT:
        raise CustodyError(f"event of {len(text)} bytes, at most {EVENT_LIMIT} are allowed")
    parse_event(text)
    return text


def _disclosure(name: str, value: Any, salt: bytes) -> str:
    return _b64url(canonical([_b64url(salt), name, value]))


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
