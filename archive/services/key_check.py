"""Keys and signatures held against the ledger: what was signed past the archive, and rows that no event vouches for."""

from __future__ import annotations

import hashlib
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from django.db.models import Count

from archive.models import Checkpoint, CustodyEvent, CustodyObject, KeyEnd, KeyVersion, Signing
from archive.models.key import DSSE, periods
from archive.services.custody import told
from archive.services.keys import PURPOSES, introduction_detail, public_keys
from evidence.keys import ED25519
from evidence.log.checkpoint import parse_checkpoint, subtree_message
from evidence.log.note import ED25519 as NOTE_ED25519
from evidence.log.note import ML_DSA_44 as NOTE_ML_DSA_44
from evidence.log.note import Vkey
from evidence.opening import KEY_EVENTS, KEY_INTRODUCTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from archive.models.key import Period
    from evidence.log.note import SignedNote

type Signatures = set[tuple[str, str]]
"""Pairs of key id and SHA-256 of the message, both hexadecimal."""

_AT_ONCE = 2_000
_STATEMENT = "statement"


def recorded_since(purpose: str) -> int | None:
    """Index of the introduction of a purpose's first keys: what an older release signed before has no record."""
    first = KeyVersion.objects.filter(purpose=purpose, number=1, event__leaf__isnull=False).first()
    return first.event.leaf.index if first else None


def recorded() -> Iterator[tuple[int, Signatures]]:
    """What was signed for each size, ascending."""
    rows = Signing.objects.filter(size__isnull=False).order_by("size").values_list("size", "keyid", "message")
    for size, items in groupby(rows.iterator(_AT_ONCE), key=lambda row: row[0]):
        yield size, {(keyid, message) for _size, keyid, message in items}


def recorded_at(size: int) -> Signatures:
    return set(Signing.objects.filter(size=size).values_list("keyid", "message"))


def signatures_of(note: SignedNote, keys: Iterable[KeyVersion]) -> Signatures:
    """The signatures by these keys that the note carries. Raises `FormatError`."""
    body = parse_checkpoint(note.text)
    found: Signatures = set()
    for key in keys:
        plain = key.algorithm == ED25519
        vkey = Vkey(body.origin, NOTE_ED25519 if plain else NOTE_ML_DSA_44, bytes(key.public))
        for line in note.signatures:
            if (line.name, line.keyid) == (vkey.name, vkey.keyid):
                stamp = int.from_bytes(line.signature[:8])
                message = note.text.encode() if plain else subtree_message(body.origin, stamp, body)
                found.add((key.keyid, hashlib.sha256(message).hexdigest()))
    return found


def differences(note: SignedNote, period: Period, known: Signatures) -> Iterator[str]:
    """What the records say otherwise than a checkpoint's signatures do. Raises `FormatError`."""
    found = signatures_of(note, period.keys)
    for keyid, _message in sorted(found - known):
        yield f"a signature by key {keyid[:16]}… is not recorded: it was not made by this archive"
    for keyid, _message in sorted(known - found):
        yield f"key {keyid[:16]}… signed another checkpoint of this size, says the record of signatures"


def _lives() -> Iterator[str]:
    for purpose in PURPOSES:
        found = periods(purpose)
        for period in found:
            yield from _introduction(period)
            yield from _end(period)
        for before, after in pairwise(found):
            if before.last != after.after:
                what = f"they begin after {after.after}, those before end at {before.last}"
                yield f"{purpose} keys {after.number}: {what}"


def _introduction(period: Period) -> Iterator[str]:
    for key in period.keys:
        event, said = key.event, told(key.event)
        if event.type != KEY_INTRODUCTION or said is None or said.detail != introduction_detail(period.keys):
            yield f"key {key.name} ({key.keyid[:16]}…): the event {event.pk} does not introduce it"


def _end(period: Period) -> Iterator[str]:
    for key in period.keys:
        end = KeyEnd.objects.filter(key=key).select_related("event", "event__leaf").first()
        if end is None:
            if period.last is not None:
                yield f"key {key.name} ({key.keyid[:16]}…): it goes on while the other of its pair has ended"
            continue
        leaf, event = getattr(end.event, "leaf", None), told(end.event)
        keys = event.detail.get("keys") if event else None
        said = (end.event.type in KEY_EVENTS[1:], keys, leaf.index + 1 if leaf else None)
        if said != (True, public_keys(period.keys), end.last):
            yield f"key {key.name} ({key.keyid[:16]}…): the event {end.event_id} does not end it at {end.last}"


def _events_without_rows() -> Iterator[str]:
    known = {key.event_id for purpose in PURPOSES for period in periods(purpose) for key in period.keys}
    known |= set(KeyEnd.objects.values_list("event_id", flat=True))
    for event in CustodyEvent.objects.filter(type__in=KEY_EVENTS).exclude(pk__in=known):
        yield f"event {event.pk}: a {event.type} of which the table of keys knows nothing"


def _lost_checkpoints() -> Iterator[str]:
    sizes = Signing.objects.filter(size__isnull=False).exclude(size__in=Checkpoint.objects.values("size"))
    for size in sizes.values_list("size", flat=True).distinct().order_by("size"):
        yield f"checkpoint {size}: it was signed, and is not there"


def _statements() -> Iterator[str]:
    named = CustodyObject.objects.filter(role=_STATEMENT).exclude(event__leaf__index__lt=recorded_since(DSSE) or 0)
    signed = Signing.objects.exclude(digest="").values("digest").annotate(keys=Count("keyid", distinct=True))
    whole = signed.filter(keys__gte=2).values("digest")
    for row in named.exclude(digest__in=whole).order_by("event_id").iterator(_AT_ONCE):
        yield f"statement {row.digest} (event {row.event_id}): no record says that both keys of this archive signed it"


LOOKS: dict[str, Callable[[], Iterator[str]]] = {
    "the keys": _lives,
    "the events of keys": _events_without_rows,
    "the record of checkpoints": _lost_checkpoints,
    "the record of statements": _statements,
}
"""Everything about keys and statements that may not fit, by what is looked at."""
