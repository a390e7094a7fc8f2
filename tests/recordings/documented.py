"""Formats that no server here can write: samples after their documentation, marked so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.recordings.contents import Entry


def samples() -> list[Entry]:
    """One entry a file of `documentation/`; the source of the grammar stands in `software`."""
    return []
