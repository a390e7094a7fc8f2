"""How a file of this folder is described, and which version of a program wrote it."""

from __future__ import annotations

import functools
import subprocess
from dataclasses import dataclass, field

from tests.recordings.derived import ROOTS


@dataclass(frozen=True, slots=True)
class Entry:
    """`counts` maps what is counted to a shell command that prints one whole number, run in this folder."""

    path: str
    format: str
    software: str
    settings: str
    counts: dict[str, str]
    zone: str = "UTC, stated in the file"
    origin: str = "recorded"
    notes: list[str] = field(default_factory=list)


NO_ZONE = "none in the file; the server ran in UTC"
NEW_YORK = "none in the file; the server ran in America/New_York"
UNIX = "Unix time"


@functools.cache
def debian(package: str, suite: str = "") -> str:
    """`package version`, as installed on this machine or in the system of another suite."""
    command = ["dpkg-query", "-W", "-f", "${Version}", package]
    inside = ["chroot", str(ROOTS / suite), *command] if suite else command
    version = subprocess.run(inside, check=True, capture_output=True, text=True).stdout
    return f"{package} {version} (Debian {suite or 'bookworm'})"
