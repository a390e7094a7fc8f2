"""Keys and folders that each test has for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archive import signing, wiring

if TYPE_CHECKING:
    from pathlib import Path

_CACHED = (wiring.store, wiring.origin, wiring._signer, wiring.witnesses)


@pytest.fixture(autouse=True)
def home(request: pytest.FixtureRequest, tmp_path: Path, settings) -> Path:
    """A state folder with keys, thrown away after the test."""
    settings.CUSTOS_HOME = tmp_path / "home"
    settings.CUSTOS_STORE = f"file:{tmp_path / 'home' / 'store'}"
    for cached in _CACHED:
        cached.cache_clear()
    signing.make_keys(wiring.keys_folder(), "custos.test/log")
    return tmp_path / "home"
