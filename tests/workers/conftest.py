"""The rooms above ask for the fixtures of the archive's own tests."""

from __future__ import annotations

from tests.archive.conftest import home
from tests.archive.services.conftest import ann, hand_in

__all__ = ["ann", "hand_in", "home"]
