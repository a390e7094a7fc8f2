"""Claims: what one finding says of one raw file, and what was found when the file was read.

A claim is made from a result before the raw files are read (`counting.py`), filled while they are (`scan.py`), and
judged together with the others of its result afterwards (`counting.py`, `recompute.py`).
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from evidence.errors import AnalysisError

if TYPE_CHECKING:
    from evidence.verify.fields import Format, Row
    from evidence.verify.sources import Ranges

type Gather = Literal["nothing", "clients", "times", "sightings"]
SHOWN = 3
"""Problems that are kept in words; of the others only how many there are."""


def word(text: str) -> re.Pattern[bytes]:
    """Finds a name or address as a whole, in any case: 192.0.2.1 does not stand in a line of 192.0.2.17."""
    escaped = re.escape(text.encode("ascii"))
    return re.compile(rb"(?<![a-z0-9._:-])" + escaped + rb"(?![a-z0-9_:-]|\.[a-z0-9_-])", re.IGNORECASE)


class TooManyError(AnalysisError):
    """More than a check goes through; nothing was found to be wrong."""


@dataclass(slots=True)
class Client:
    """The lookups of one client: how many, the first and the last (microseconds since 1970), None without times."""

    lookups: int
    first: int | None
    last: int | None


@dataclass(slots=True)
class Gathered:
    """What was read of a claim's rows, in their order in the file."""

    clients: dict[str, Client] = field(default_factory=dict)
    times: array[int] = field(default_factory=lambda: array("q"))
    sightings: list[Row] = field(default_factory=list)

    def add(self, row: Row, gather: Gather) -> None:
        if gather == "clients":
            self._add_client(row)
        elif gather != "nothing" and row.time is not None:
            self.times.append(row.time)
            if gather == "sightings":
                self.sightings.append(row)

    def _add_client(self, row: Row) -> None:
        known = self.clients.setdefault(row.client, Client(0, row.time, row.time))
        known.lookups += 1
        if row.time is not None:
            known.first = row.time if known.first is None else min(known.first, row.time)
            known.last = row.time if known.last is None else max(known.last, row.time)


@dataclass(slots=True)
class Claim:
    """These ranges are lines; each holds these words; each is a row of this name and client, where one is said."""

    key: tuple[str, str]
    ranges: Ranges
    words: tuple[re.Pattern[bytes], ...] = ()
    format: Format | None = None
    name: str = ""
    client: str = ""
    gather: Gather = "nothing"
    good: int = 0
    wrong: int = 0
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    unjudged: int = 0
    first_unjudged: str = ""
    rows: Gathered = field(default_factory=Gathered)

    def blank(self) -> Claim:
        """The same claim with nothing found yet."""
        return Claim(self.key, self.ranges, self.words, self.format, self.name, self.client, self.gather)

    @property
    def is_read(self) -> bool:
        """Whether rows are read, and not only searched for words."""
        return self.format is not None and self.format.is_known

    @property
    def has_records(self) -> bool:
        """Whether the ranges are records of a binary format."""
        return self.format is not None and self.format.has_records

    def refuse(self, message: str, got: str, wanted: str) -> None:
        self.wrong += 1
        if len(self.problems) < SHOWN:
            self.problems.append((message, got, wanted))

    def leave(self, what: str) -> None:
        self.unjudged += 1
        self.first_unjudged = self.first_unjudged or what
