"""Watching what was started: a process that ends is started again, and given up only when it does not stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.embedded.postgres import PostgresError
from config.embedded.processes import tail

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.embedded.processes import Child

STAYED = 10.0
"""Seconds after whose passing a process counts as having come up; its earlier ends are forgiven."""
RESTARTS = 5
"""How often in a row it may end sooner than that."""


class GivenUpError(Exception):
    """A process ends again and again; the text holds the end of its log."""


@dataclass(slots=True)
class Watched:
    """A process as it runs now, and how to start it `again`; the other fields are `tend`'s own."""

    child: Child
    again: Callable[[], Child]
    begun: float
    ends: int = 0
    due: float | None = None

    def tend(self, now: float) -> None:
        """Start it again if it ended, each time a second later than the last. Raises `GivenUpError`."""
        if not self.child.ended:
            return
        if self.due is None:
            self._count(now)
            self.due = now + self.ends - 1
            print(f"the {self.child.name} process ended and is started again; see {self.child.log}", flush=True)
        if now >= self.due:
            self.begun, self.due = now, None
            self._start()

    def _count(self, now: float) -> None:
        self.ends = 1 if now - self.begun > STAYED else self.ends + 1
        if self.ends > RESTARTS:
            raise GivenUpError(
                f"the {self.child.name} process ended {self.ends} times in a row; the end of {self.child.log}:\n"
                f"{tail(self.child.log)}"
            )

    def _start(self) -> None:
        try:
            self.child = self.again()
        except PostgresError as error:  # what a killed server left behind may hold its memory for a moment
            print(f"the database is not up yet: {str(error).splitlines()[0]}", flush=True)
