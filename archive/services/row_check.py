"""Rows that can be changed, held against the events of what they tell: submissions, hand-overs, deaccessions.

What people say of evidence stands twice: in a row, where it is looked up, and sealed in an event, where it stays. What
is shown as said is opened from the event; where the row says something else, that is a problem with a name.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from archive.models import CustodyEvent, Deaccession, Handover, Submission
from archive.services.custody import case_id, told
from archive.services.deaccessions import DEACCESSION
from evidence.custody import SEALED
from evidence.errors import EvidenceError
from evidence.opening import Event, disclosure_digest, open_disclosure, parse_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

type Told = dict[str, dict[str, Event]]
"""Of hand-overs by their id, the event of each stage."""

INGESTION, TRANSFER = "ingestion", "transfer"
_AT_ONCE = 2_000
_ALWAYS = ("file_name", "note")
_SEALED = (*_ALWAYS, "stated_custody")
_DECOYS = 2  # of an older event, in which an empty statement was not sealed
_MOMENT = dt.timedelta(minutes=1)
"""Between a row's time and its event's, which are taken in one transaction."""


def _opened(event: Event, disclosures: Any) -> dict[str, Any]:
    """Names and values of the disclosures that the event vouches for; of others, and of what is no list, nothing."""
    sealed, found = set(event.sealed), {}
    for item in disclosures if isinstance(disclosures, list) else ():
        if isinstance(item, str) and disclosure_digest(item) in sealed:
            with suppress(EvidenceError):  # whoever sealed it sealed what is none
                name, value = open_disclosure(item)
                found[name] = value
    return found


def sealed_members(row: Submission) -> dict[str, Any]:
    """What its uploader said of it, as it was sealed; nothing before, or if its event cannot be read."""
    event = told(row.event) if row.event else None
    return _opened(event, row.disclosures) if event else {}


def _submissions() -> Iterator[str]:
    handed_in = Submission.objects.filter(state=Submission.State.SEALED) | Submission.objects.exclude(event=None)
    for row in handed_in.select_related("event").order_by("pk").iterator(_AT_ONCE):
        yield from submission_problems(row)


def _handovers() -> Iterator[str]:
    stages = _told(CustodyEvent.objects.filter(type=TRANSFER).iterator(_AT_ONCE))
    for handover in Handover.objects.order_by("pk").iterator(_AT_ONCE):
        yield from _handover_problems(handover, stages.pop(str(handover.pk), {}))
    yield from (f"hand-over {pk}: its events stand and its row is gone" for pk in sorted(stages))


def _deaccessions() -> Iterator[str]:
    for deaccession in Deaccession.objects.select_related("event").order_by("pk").iterator(_AT_ONCE):
        yield from _deaccession_problems(deaccession)


def submission_problems(row: Submission) -> list[str]:
    """What a sealed submission's row says otherwise than its event."""
    if row.event is None:
        return [f"submission {row.pk}: it is sealed, and its row names no event"]
    try:
        event = parse_event(row.event.text)
    except EvidenceError as error:
        return [f"submission {row.pk}: {error}"]
    said = _opened(event, row.disclosures)
    wrong = [name for name in _SEALED if said.get(name, "") != getattr(row, name)]
    if not _is_all_opened(event, said):
        wrong.append("disclosures")
    wrong += _others({
        "event": ((event.type, event.detail.get("submission")), (INGESTION, str(row.pk))),
        "case": (event.case, case_id(row.case_id)), "user": (event.agent_id, str(row.user_id)),
        "blob": ([str(item.digest) for item in event.objects], [row.blob_id]),
    })  # fmt: skip
    return _said(f"submission {row.pk}", wrong, row.event_id)


def _is_all_opened(event: Event, said: dict[str, Any]) -> bool:
    if len(event.sealed) % SEALED:
        return set(said).issuperset(_ALWAYS) and len(event.sealed) == len(said) + _DECOYS
    return set(said) == set(_SEALED)


def handover_problems(rows: Sequence[Handover]) -> list[str]:
    """What rows of hand-overs say otherwise than the events of their cases."""
    stages = _told(CustodyEvent.objects.filter(type=TRANSFER, case__in={row.case_id for row in rows}))
    return [said for row in rows for said in _handover_problems(row, stages.get(str(row.pk), {}))]


def _told(events: Iterable[CustodyEvent]) -> Told:
    """Events that cannot be read are named elsewhere (`ledger_check`)."""
    found: Told = {}
    for event in map(told, events):
        if event is not None:
            found.setdefault(str(event.detail.get("handover")), {})[str(event.detail.get("stage"))] = event
    return found


def _handover_problems(row: Handover, stages: dict[str, Event]) -> list[str]:
    offered, acknowledged = stages.get("offered"), stages.get("acknowledged")
    if offered is None:
        return [f"hand-over {row.pk}: no event offers it"]
    wrong = _others({
        "case": (offered.case, case_id(row.case_id)), "giver": (offered.detail.get("from"), str(row.giver_id)),
        "receiver": (offered.detail.get("to"), str(row.receiver_id)),
        "blob": ([str(item.digest) for item in offered.objects], [row.blob_id]),
        "offered": (_is_near(row.offered, offered), True),
        "acknowledged": (_is_near(row.acknowledged, acknowledged), True),
    })  # fmt: skip
    if row.disclosures and _opened(offered, row.disclosures) != {"note": row.note}:  # older rows have none
        wrong.append("note")
    return _said(f"hand-over {row.pk}", wrong, offered.id)


def _is_near(time: dt.datetime | None, event: Event | None) -> bool:
    """Whether both are of one moment, or neither is."""
    if time is None or event is None:
        return time is None and event is None
    return abs(dt.datetime.fromisoformat(event.time) - time) < _MOMENT


def _deaccession_problems(row: Deaccession) -> list[str]:
    """What is only asked for is not told yet."""
    if row.event is None:
        return [f"deaccession {row.pk}: it is approved, and its row names no event"] if row.approved_by_id else []
    try:
        event = parse_event(row.event.text)
    except EvidenceError as error:
        return [f"deaccession {row.pk}: {error}"]
    wrong = _others({
        "event": (event.type, DEACCESSION), "case": (event.case, case_id(row.case_id)),
        "blob": ([str(item.digest) for item in event.objects], [row.blob_id]),
        "reason": (event.detail.get("reason"), row.reason),
        "asked_by": (event.detail.get("asked_by"), str(row.asked_by_id)),
        "approved_by": (event.detail.get("approved_by"), str(row.approved_by_id)),
    })  # fmt: skip
    return _said(f"deaccession {row.pk}", wrong, row.event_id)


def _events_without_rows() -> Iterator[str]:
    for event in CustodyEvent.objects.filter(type=INGESTION, submission=None).order_by("id").iterator(_AT_ONCE):
        yield f"event {event.pk}: an ingestion of which no submission knows"
    gone = Deaccession.objects.exclude(event=None).values("blob")
    lost = CustodyEvent.objects.filter(type=DEACCESSION).exclude(objects_named__digest__in=gone)
    for event in lost.order_by("id").iterator(_AT_ONCE):
        yield f"event {event.pk}: a deaccession of which no row knows"


def _others(pairs: dict[str, tuple[Any, Any]]) -> list[str]:
    return [name for name, (wanted, got) in pairs.items() if wanted != got]


def _said(what: str, wrong: Sequence[str], event: Any) -> list[str]:
    return [f"{what}: its row says another {', '.join(wrong)} than the event {event}"] if wrong else []


LOOKS: dict[str, Callable[[], Iterator[str]]] = {
    "submissions": _submissions,
    "hand-overs": _handovers,
    "deaccessions": _deaccessions,
    "events of which rows should know": _events_without_rows,
}
"""Every row that says something else than its event, and every event whose row is gone, by what is looked at."""
