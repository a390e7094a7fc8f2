"""The rooms above ask for the fixtures of the archive's own tests."""

from __future__ import annotations

from tests.archive.conftest import file_store, home
from tests.archive.services.conftest import ann, hand_in

__all__ = ["ann", "file_store", "hand_in", "home"]
