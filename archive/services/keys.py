"""The lives of keys, each turn of which is a custody event of the archive itself (trust-formats §9).

Keys are replaced in one transaction that holds the log: first the event that ends the old ones, as the last leaf that
these sign for; then the one that introduces the new ones, as the first leaf that those sign for. So the position of
the first event says of every checkpoint and statement which keys it has to have.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from django.db import transaction

from archive import signing, wiring
from archive.models import CustodyEvent, KeyEnd, KeyVersion
from archive.models.key import DSSE, LOG, key_name, periods
from archive.services import signatures
from archive.services.custody import record_event, rfc3339
from archive.services.refusals import BadInput
from archive.services.sequencing import place_alone, publish_last
from evidence.opening import KEY_EVENTS, KEY_INTRODUCTION, KEY_REVOCATION, KEY_ROTATION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet

    from archive.models.key import Period

PURPOSES = (LOG, DSSE)
_ENDS = {KEY_ROTATION: KeyEnd.Status.RETIRED, KEY_REVOCATION: KeyEnd.Status.REVOKED}


def introduce_keys() -> list[KeyVersion]:
    """Tell the ledger of the first keys, once; what was introduced. Raises `SignatureError`."""
    introduced: list[KeyVersion] = []
    with transaction.atomic():
        signatures.hold_still()
        for purpose in PURPOSES:
            if not periods(purpose):
                introduced += _introduce([wiring.new_key(purpose, name, 1, 0) for name in signing.ALGORITHMS])[1]
    return introduced


def open_keys() -> None:
    """Have every key that is in force answer. Raises `SignatureError` for the first that is not the ledger's."""
    for purpose in PURPOSES:
        for key in wiring.key_periods(purpose)[-1].keys:
            wiring.signer(key)


def prepare_keys(*, purpose: str) -> list[KeyVersion]:
    """The keys that the next replacement will begin with: made as files, or asked of the external signer."""
    number = _current(purpose).number + 1
    if not wiring.signer_command():
        names = [key_name(purpose, algorithm, number) for algorithm in signing.ALGORITHMS]
        signing.make_keys(wiring.keys_folder(), wiring.origin(), names)
    return [wiring.new_key(purpose, algorithm, number, 0) for algorithm in signing.ALGORITHMS]


def replace_keys(*, purpose: str, event_type: str, reason: str) -> list[KeyVersion]:
    """End both keys of a purpose by rotation or revocation, and go on with the next two, which are given back.

    All of it or nothing. Raises `BadInput`, `SignatureError`, `LogError`.
    """
    if not reason.strip():
        raise BadInput("say why the keys end: the reason stands in the ledger, for everybody to read")
    prepare_keys(purpose=purpose)
    publish_last()
    with transaction.atomic():
        signatures.hold_still()
        new = prepare_keys(purpose=purpose)  # again, in case somebody else was first
        old = _current(purpose)
        end = record_event(case=None, type=event_type, objects=[], detail=_end_detail(old, new, reason.strip()))
        last = place_alone(end.event) + 1
        KeyEnd.objects.bulk_create(
            KeyEnd(key=key, status=_ENDS[event_type], reason=reason.strip(), last=last, event=end.event)
            for key in old.keys
        )
        for key in new:
            key.after = last
        begin, rows = _introduce(new)
        place_alone(begin)
    return rows


def all_keys() -> list[KeyVersion]:
    """Every key that was ever introduced, by purpose, oldest first."""
    return [key for purpose in PURPOSES for period in periods(purpose) for key in period.keys]


def events_of_keys() -> QuerySet[CustodyEvent]:
    """Introductions, rotations and revocations, oldest first; anybody may see them."""
    return CustodyEvent.objects.filter(case=None, type__in=KEY_EVENTS).select_related("leaf").order_by("time", "id")


def lives_of(purpose: str) -> list[dict[str, Any]]:
    """As `custos/keys@1` says them; the first keys have no beginning, for no statement is older than they."""
    return [
        {**public, **_life(key)}
        for period in wiring.key_periods(purpose)
        for key, public in zip(period.keys, public_keys(period.keys), strict=True)
    ]


def _life(key: KeyVersion) -> dict[str, str | None]:
    end = key.end if hasattr(key, "end") else None
    return {
        "from": rfc3339(key.event.time) if key.number > 1 else None,
        "to": rfc3339(end.event.time) if end else None,
        "status": end.status if end else "active",
    }


def public_keys(keys: Iterable[KeyVersion]) -> list[dict[str, Any]]:
    """As events say them: the ledger is what vouches for them."""
    return [
        {"keyid": key.keyid, "algorithm": key.algorithm, "public": base64.b64encode(bytes(key.public)).decode()}
        for key in keys
    ]


def introduction_detail(keys: Iterable[KeyVersion]) -> dict[str, Any]:
    keys = list(keys)
    return {"purpose": keys[0].purpose, "after": keys[0].after, "keys": public_keys(keys)}


def _end_detail(old: Period, new: list[KeyVersion], reason: str) -> dict[str, Any]:
    return {
        "purpose": old.keys[0].purpose, "reason": reason, "keys": public_keys(old.keys), "next": public_keys(new)
    }  # fmt: skip


def _introduce(keys: list[KeyVersion]) -> tuple[CustodyEvent, list[KeyVersion]]:
    """The event, and the rows of keys that have shown that they can sign."""
    event = record_event(case=None, type=KEY_INTRODUCTION, objects=[], detail=introduction_detail(keys)).event
    for key in keys:
        key.event = event
        signatures.try_key(key)
    return event, KeyVersion.objects.bulk_create(keys)


def _current(purpose: str) -> Period:
    """The keys in force. Raises `BadInput` before the first were introduced."""
    found = periods(purpose)
    if not found:
        raise BadInput(f"no {purpose} key is in the ledger yet; run manage.py make_keys first")
    return found[-1]
