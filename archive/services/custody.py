"""Writing custody events: the text is made, salted and committed in the transaction of what it tells."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from archive import outbox, wiring
from archive.models import Case, CustodyEvent, CustodyObject, PendingLeaf, User
from evidence.custody import event_bytes, seal_members
from evidence.errors import EvidenceError
from evidence.opening import Event, EventObject, commitment, parse_event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWN_CASE = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Happened:
    """What an event is to tell: by a person or by the software itself.

    Without a case it is of the archive itself (docs/adr/0017).
    """

    case: Case | None
    type: str
    objects: Sequence[EventObject]
    detail: Mapping[str, Any]
    user: User | None = None
    outcome: str = "success"
    sealed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The event's row, and the disclosures that open its sealed members."""

    event: CustodyEvent
    disclosures: list[str]


def record_event(
    *,
    case: Case | None,
    type: str,  # noqa: A002 -- the event's own word
    objects: Sequence[EventObject],
    detail: Mapping[str, Any],
    user: User | None = None,
    outcome: str = "success",
    sealed: Mapping[str, Any] | None = None,
) -> Recorded:
    """One event; to be called inside the caller's transaction."""
    return record_events([Happened(case, type, objects, detail, user, outcome, sealed or {})])[0]


def record_events(told: Sequence[Happened]) -> list[Recorded]:
    """Some events, in their order; to be called inside the caller's transaction."""
    if not told:
        return []
    made = [_made(each) for each in told]
    events = CustodyEvent.objects.bulk_create(one.event for one in made)
    CustodyObject.objects.bulk_create(
        CustodyObject(event=event, digest=str(item.digest), role=item.role)
        for event, each in zip(events, told, strict=True)
        for item in each.objects
    )
    first, *_ = PendingLeaf.objects.bulk_create(PendingLeaf(event=event) for event in events)
    transaction.on_commit(lambda: _wake_sequencer(first.pk), robust=True)
    return made


def _made(told: Happened) -> Recorded:
    """Not saved yet."""
    now = timezone.now()
    identifier = uuid7(now)
    hidden = seal_members(told.sealed, secrets.token_bytes)
    text = event_bytes(
        Event(
            id=str(identifier), case=case_id(told.case.pk if told.case else None), type=told.type, time=rfc3339(now),
            agent_kind="person" if told.user else "software", agent_id=str(told.user.pk) if told.user else "custos",
            objects=tuple(told.objects), outcome=told.outcome, detail=dict(told.detail), software=wiring.software(),
            sealed=hidden.digests,
        )
    )  # fmt: skip
    salt = secrets.token_bytes(32)
    event = CustodyEvent(
        id=identifier, case=told.case, type=told.type, time=now, outcome=told.outcome, text=text.decode(), salt=salt,
        commitment=commitment(salt, text),
    )  # fmt: skip
    return Recorded(event, list(hidden.disclosures))


def told(event: CustodyEvent) -> Event | None:
    """What an event tells; None where its text is none, which whoever shows it has to say (`chain`, `ledger_check`)."""
    try:
        return parse_event(event.text)
    except EvidenceError:
        return None


def _wake_sequencer(own: int) -> None:
    """Whoever came first sends the message; the sequencer looks again before it ends (`sequencing`)."""
    if not PendingLeaf.objects.filter(pk__lt=own).exists():
        outbox.nudge("workers.sequence.sequence")


def case_id(pk: uuid.UUID | None) -> str:
    """The case as an event says it; what is of the archive itself is of the case zero."""
    return str(pk or OWN_CASE)


def rfc3339(time: dt.datetime) -> str:
    """UTC with milliseconds and Z."""
    return time.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def uuid7(time: dt.datetime) -> uuid.UUID:
    """RFC 9562 §5.7; the standard library has it from Python 3.14 on."""
    milliseconds = int(time.timestamp() * 1000) & (1 << 48) - 1
    random = int.from_bytes(secrets.token_bytes(10))
    value = milliseconds << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return uuid.UUID(int=value)
