"""Trying the stores: what must not be possible is attempted on the real thing, and nothing is put into one that fails.

They are tried at the start of an installation, every night, and by whoever would put something into a store that nobody
tried for longer: a web process that was started by itself serves no worse than one under `manage.py up`.

A store that is away stops nothing as long as another answers: how many copies must be made is said by each case, and
seen to by `put`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
from typing import TYPE_CHECKING

from django.db.models import Exists
from django.utils import timezone

from archive import wiring
from archive.models import Alarm, Case, Fixity, Pulse, Submission
from archive.services.alarms import end_alarm, end_alarms_of_others, raise_alarm
from archive.storage.store import StoreError, UnsafeStoreError

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.models import QuerySet

    from archive.storage.store import BlobStore, Challenge

KIND = "store does not hold"
TRIED_WITHIN = dt.timedelta(hours=36)
AWAY = "store away"
AWAY_FOR = dt.timedelta(minutes=10)
"""After so long a store that was away is tried again by whoever would put something into the others."""


def try_stores() -> list[Challenge]:
    """Every attempt and how it ended; an alarm for each store that let one happen, and for each that is away.

    Raises `StoreError` if all are.
    """
    _end_alarms_of_others()
    found: list[Challenge] = []
    problems: list[str] = []
    for store in wiring.stores():
        try:
            found += _try_store(store)
        except StoreError as error:
            problems.append(str(error))
            _say_away(store, error)
    if not found:
        raise StoreError("; ".join(problems))
    Pulse.objects.update_or_create(name=_tried(), defaults={"at": timezone.now()})
    return found


def _try_store(store: BlobStore) -> list[Challenge]:
    """Raises `StoreError` if it is away; that it let something happen before is then still so."""
    wiring.prepare(store)
    found = store.challenge()
    is_back = end_alarm(kind=AWAY, subject=store.name)
    broken = [item.attempt for item in found if item.binding and not item.held]
    if broken:
        raise_alarm(kind=KIND, subject=store.name, text=f"the store lets one {', '.join(broken)}")
    elif end_alarm(kind=KIND, subject=store.name) or is_back:
        _let_all_be_tried()
    return found


def _let_all_be_tried() -> None:
    """At once, though it did not work before."""
    Submission.objects.exclude(try_after=None).update(try_after=None)
    Case.objects.exclude(keep_after=None).update(keep_after=None)
    Fixity.objects.exclude(again=None).update(again=timezone.now())


def _say_away(store: BlobStore, error: StoreError) -> None:
    raise_alarm(kind=AWAY, subject=store.name, text=f"{error!s:.3000}; what it misses it is given by fixity")


def _end_alarms_of_others() -> None:
    """That a store did not hold stays said, also where it is no longer named: what it has may have been changed."""
    end_alarms_of_others(kinds=[AWAY], subjects=[store.name for store in wiring.stores()])


def does_one_answer() -> bool:
    try:
        wiring.store().probe()
    except StoreError:
        return False
    return True


def look_who_is_away() -> bool:
    """Whether all stores answer. While some do, each other one has its alarm, until it is back and was tried."""
    silent: dict[str, StoreError] = {}
    stores = wiring.stores()
    for store in stores:
        try:
            store.probe()
        except StoreError as error:
            silent[store.name] = error
    if len(silent) < len(stores):
        for store in stores:
            if store.name in silent:
                _say_away(store, silent[store.name])
        try_those_back({store.name for store in stores} - set(silent))
    return not silent


def look_for_those_away() -> None:
    """Whether those are back that had been away."""
    _end_alarms_of_others()
    if stores_away().exists():
        look_who_is_away()


def try_those_back(answering: Collection[str]) -> None:
    """Of the stores with these names, those that were away: the alarm ends only once they were tried too."""
    away = set(stores_away().values_list("subject", flat=True))
    for store in wiring.stores():
        if store.name in answering and store.name[:400] in away:
            with contextlib.suppress(StoreError):
                _try_store(store)


def ensure_stores_hold() -> None:
    """To be called before anything is put into them.

    Raises `StoreError` if none answers, `UnsafeStoreError` while one is known to let evidence be changed.
    """
    if _tried_within(TRIED_WITHIN).filter(~Exists(_open(KIND, AWAY))).exists():
        return
    within = AWAY_FOR if stores_away().exists() else TRIED_WITHIN
    if not _tried_within(within).exists():
        try_stores()
    if broken := _open(KIND).first():
        raise UnsafeStoreError(
            f"nothing is taken in, because {broken.subject} does not keep what it is given ({broken.text}); "
            "see to the store, then run manage.py check_worm"
        )


def _tried_within(time: dt.timedelta) -> QuerySet[Pulse]:
    return Pulse.objects.filter(name=_tried(), at__gte=timezone.now() - time)


def stores_away() -> QuerySet[Alarm]:
    """Alarms of the stores in use that did not answer."""
    return _open(AWAY)


def _open(*kinds: str) -> QuerySet[Alarm]:
    names = [store.name[:400] for store in wiring.stores()]
    return Alarm.objects.filter(kind__in=kinds, subject__in=names, ended=None)


def _tried() -> str:
    """Where it stands when these very stores were tried."""
    return f"stores tried {hashlib.sha256(wiring.store().name.encode()).hexdigest()[:16]}"
