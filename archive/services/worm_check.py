"""Trying the stores: what must not be possible is attempted on the real thing, and nothing is put into one that fails.

They are tried at the start of an installation, every night, and by whoever would put something into a store that nobody
tried for longer: a web process that was started by itself serves no worse than one under `manage.py up`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING

from django.utils import timezone

from archive import wiring
from archive.models import Alarm, Pulse
from archive.services.alarms import end_alarm, raise_alarm
from archive.storage.store import UnsafeStoreError

if TYPE_CHECKING:
    from archive.storage.store import Challenge

KIND = "store does not hold"
TRIED_WITHIN = dt.timedelta(hours=36)


def try_stores() -> list[Challenge]:
    """Every attempt and how it ended; an alarm for each store that let one happen. Raises `StoreError`."""
    wiring.prepare_stores()
    found = wiring.store().challenge()
    for name in {item.store for item in found}:
        broken = [item.attempt for item in found if item.store == name and item.binding and not item.held]
        if broken:
            raise_alarm(kind=KIND, subject=name, text=f"the store lets one {', '.join(broken)}")
        else:
            end_alarm(kind=KIND, subject=name)
    Pulse.objects.update_or_create(name=_tried(), defaults={"at": timezone.now()})
    return found


def ensure_stores_hold() -> None:
    """To be called before anything is put into them. Raises `StoreError`, `UnsafeStoreError` while an alarm is open."""
    if not Pulse.objects.filter(name=_tried(), at__gte=timezone.now() - TRIED_WITHIN).exists():
        try_stores()
    broken = open_alarm()
    if broken is not None:
        raise UnsafeStoreError(
            f"nothing is taken in, because {broken.subject} does not keep what it is given ({broken.text}); "
            "see to the store, then run manage.py check_worm"
        )


def open_alarm() -> Alarm | None:
    """That one of the stores in use does not hold."""
    names = [store.name[:400] for store in wiring.stores()]
    return Alarm.objects.filter(kind=KIND, subject__in=names, ended=None).first()


def _tried() -> str:
    """Where it stands when these very stores were tried."""
    return f"stores tried {hashlib.sha256(wiring.store().name.encode()).hexdigest()[:16]}"
