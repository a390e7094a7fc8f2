"""Trying the stores: what must not be possible is attempted on the real thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive import wiring
from archive.services.alarms import end_alarm, raise_alarm

if TYPE_CHECKING:
    from archive.storage.store import Challenge

KIND = "store does not hold"


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
    return found
