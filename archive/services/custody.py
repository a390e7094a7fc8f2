"""Writing custody events: the text is made, salted and committed in the transaction of what it tells."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from dataclasses import dataclass
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
    """One event, by a person or by the software itself; to be called inside the caller's transaction.

    Without a case it is of the archive itself (docs/adr/0017).
    """
    now = timezone.now()
    identifier = uuid7(now)
    hidden = seal_members(sealed or {}, secrets.token_bytes)
    text = event_bytes(
        Event(
            id=str(identifier), case=case_id(case.pk if case else None), type=type, time=rfc3339(now),
            agent_kind="person" if user else "software", agent_id=str(user.pk) if user else "custos",
            objects=tuple(objects), outcome=outcome, detail=dict(detail), software=wiring.software(),
            sealed=hidden.digests,
        )
    )  # fmt: skip
    salt = secrets.token_bytes(32)
    event = CustodyEvent.objects.create(
        id=identifier, case=case, type=type, time=now, outcome=outcome, text=text.decode(), salt=salt,
        commitment=commitment(salt, text),
    )  # fmt: skip
    CustodyObject.objects.bulk_create(
        CustodyObject(event=event, digest=str(item.digest), role=item.role) for item in objects
    )
    pending = PendingLeaf.objects.create(event=event)
    transaction.on_commit(lambda: _wake_sequencer(pending.pk), robust=True)
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
