"""How long what failed is left alone: it stands in a row, so that it holds for every worker and over a restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils import timezone

from archive.models import Pause

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

_LONGEST_NAME = 400  # as the column holds it


def as_long_again(
    since: dt.datetime | None, now: dt.datetime, *, least: dt.timedelta, longest: dt.timedelta
) -> dt.datetime:
    """Until when what has not worked since then is left alone: for as long again, within bounds."""
    return now + min(max(now - (since or now), least), longest)


@dataclass(frozen=True, slots=True)
class Pauses:
    """Of parties of one `kind`, named as each is called: `first`, then twice as long after each failure.

    Names longer than the column holds share a pause if they begin alike, as they share an alarm.
    """

    kind: str
    first: dt.timedelta
    longest: dt.timedelta

    def under_way(self, names: Iterable[str]) -> set[str]:
        """Which of these are left alone now.

        Until later than any pause ends was written before the clock was set back.
        """
        now = timezone.now()
        waiting = Pause.objects.filter(kind=self.kind, until__gt=now, until__lte=now + self.longest)
        left_alone = set(waiting.values_list("name", flat=True))
        return {name for name in names if name[:_LONGEST_NAME] in left_alone}

    def begin(self, name: str) -> None:
        name = name[:_LONGEST_NAME]
        last = Pause.objects.filter(kind=self.kind, name=name).first()
        length = min(2 * last.length, self.longest) if last else self.first
        values = {"length": length, "until": timezone.now() + length}
        Pause.objects.update_or_create(kind=self.kind, name=name, defaults=values)

    def forget(self, name: str) -> None:
        Pause.objects.filter(kind=self.kind, name=name[:_LONGEST_NAME]).delete()
