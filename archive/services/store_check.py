"""What the store holds, held against what is known of it: blobs that events name, rows of blobs, and the files there.

Fixity looks at the bytes of the blobs that have a row. Here it is seen that a row is gone with them, and what lies in
the store without one. Both sides come in the order of digests and are read side by side, so that memory does not grow.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import batched, groupby
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef

from archive import wiring
from archive.models import Blob, BlobMove, CustodyObject, Submission
from archive.services.row_check import INGESTION
from archive.services.run_check import CREATION
from archive.services.taken_away import taken_away
from archive.storage.store import StoreError, place_of
from evidence.digest import Digest
from evidence.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_AT_ONCE = 2_000
_MOST = 100  # of a kind, that are named; the others are counted
_TOP = "sha256/"

type Place = tuple[str, str, bool]
"""A digest, a place where its bytes lie, and whether a row says so or else a store."""


def _without_row() -> Iterator[str]:
    """Bytes that an event brought in, handed in or derived, of which no row says where they lie."""
    brought = CustodyObject.objects.filter(event__type__in=(INGESTION, CREATION))
    lost = brought.exclude(Exists(Blob.objects.filter(pk=OuterRef("digest")))).order_by("digest", "event")
    for digest, event in lost.distinct("digest").values_list("digest", "event").iterator(_AT_ONCE):
        yield f"the row of {digest} is gone: the event {event} brought it in"
    rows = Submission.objects.exclude(blob=None).exclude(Exists(Blob.objects.filter(pk=OuterRef("blob_id"))))
    for pk, digest in rows.order_by("pk").values_list("pk", "blob_id").iterator(_AT_ONCE):
        yield f"the row of {digest} is gone: the submission {pk} is of it"


LOOKS: dict[str, Callable[[], Iterator[str]]] = {"blobs that events name": _without_row}


def lost_files(notices: list[str]) -> Iterator[str]:
    """Blobs that lie in no store any more, unless the law had them taken away.

    What lies in a store and no row names is a notice: a put leaves it whose transaction did not end. To be called
    outside of a snapshot: what is put meanwhile is looked up again.
    """
    lost = unnamed = 0
    for batch in batched(_differing(notices), _AT_ONCE):
        rows = Blob.objects.filter(pk__in=[each.digest for each in batch]).values_list("pk", "locator")
        now = _locators(dict(rows))  # one that was being put while the stores were listed has a row by now
        strange = [place for each in batch for place in sorted(each.strange_to(now.get(each.digest, [])))]
        notices += map(_unnamed, strange[: max(0, _MOST - unnamed)])
        unnamed += len(strange)
        missing = [each.digest for each in batch if each.is_missing and each.digest in now]
        by_law = taken_away(missing)
        for digest in missing:
            if digest in by_law:
                continue
            if lost >= _MOST:
                lost += 1
            elif said := _lost(digest, now[digest][-1]):
                lost += 1
                yield said
    if lost > _MOST:
        yield f"{lost - _MOST} more blobs are not in what the stores list"
    if unnamed > _MOST:
        notices.append(f"{unnamed - _MOST} more files lie in the stores that no row names")


@dataclass(frozen=True, slots=True)
class _Sides:
    """Where the stores say that a blob's bytes lie, and where the rows say it."""

    digest: str
    there: set[str]
    named: set[str]

    @property
    def is_missing(self) -> bool:
        return bool(self.named) and not self.there & self.named

    def strange_to(self, locators: list[str]) -> set[str]:
        """Where bytes lie that neither the rows named nor these do."""
        return self.there - self.named - _places(locators)


def _differing(notices: list[str]) -> Iterator[_Sides]:
    try:
        for digest, places in groupby(heapq.merge(_named(), *_listed(notices)), lambda place: place[0]):
            sides = _Sides(digest, *_sides(places))
            if sides.is_missing or sides.there - sides.named:
                yield sides
    except StoreError as error:
        notices.append(f"the stores were not held against the rows to the end: {error}")


def _sides(places: Iterator[Place]) -> tuple[set[str], set[str]]:
    """Where the stores say that bytes lie, and where the rows say it."""
    there, named = set[str](), set[str]()
    for _digest, place, is_said in places:
        (named if is_said else there).add(place)
    return there, named


def _named() -> Iterator[Place]:
    last = ""
    while batch := Blob.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "locator")[:_AT_ONCE]:
        for digest, locators in _locators(dict(batch)).items():
            yield from ((digest, place, True) for place in _places(locators))
            last = digest


def _locators(first: dict[str, str]) -> dict[str, list[str]]:
    """Where rows say that blobs lay and lie: the locator that each had at first, and those since, the newest last."""
    found = {digest: [locator] for digest, locator in first.items()}
    for digest, locator in BlobMove.objects.filter(blob__in=first).order_by("id").values_list("blob", "locator"):
        found[digest].append(locator)
    return found


def _places(locators: Iterable[str]) -> set[str]:
    """The places in whichever stores these name: of several stores a locator names each."""
    return {_inner(place) for locator in locators for place in locator.split(" ")}


def _inner(place: str) -> str:
    return _TOP + place.partition(_TOP)[2]


def _listed(notices: list[str]) -> list[Iterator[Place]]:
    return [_in_order(store.listing(), notices) for store in wiring.stores()]


def _in_order(listing: Iterator[str], notices: list[str]) -> Iterator[Place]:
    """What lies where a blob can lie, which every store lists in the order of digests; of the rest a few are said."""
    strange = 0
    for place in listing:
        try:
            digest = Digest.parse(f"sha256:{place.partition('?')[0].rpartition('/')[2]}")
        except FormatError:
            digest = None
        if digest is not None and place.partition("?")[0] == place_of(digest):
            yield str(digest), place, False
        elif (strange := strange + 1) <= _MOST:
            notices.append(_unnamed(place))


def _unnamed(place: str) -> str:
    return f"{place} lies in the store, and no row names it"


def _lost(digest: str, locator: str) -> str:
    """That a blob's bytes lie nowhere; empty if they do by now."""
    try:
        wiring.store().stat(locator)
    except (StoreError, ValueError) as error:  # a locator that is none is not always a store's to refuse
        return f"{digest} lies in no store: {error}"
    return ""
