"""What a procedure leaves behind: files by name; and how times stand in them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Output:
    """A file that a procedure made."""

    name: str
    path: Path


def written(time: dt.datetime | None) -> str:
    """RFC 3339 in UTC with milliseconds; nothing for no time."""
    if time is None:
        return ""
    return time.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
