"""Keys and folders that each test has for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connections

from archive import signing, wiring
from tests.stores import store_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CACHED = (wiring.store, wiring.origin, wiring._signer, wiring.witnesses)


@pytest.fixture(autouse=True)
def home(request: pytest.FixtureRequest, tmp_path: Path, settings) -> Path:
    """A state folder with keys, thrown away after the test."""
    settings.CUSTOS_HOME = tmp_path / "home"
    settings.CUSTOS_STORE = store_for(tmp_path / "home")
    for cached in _CACHED:
        cached.cache_clear()
    signing.make_keys(wiring.keys_folder(), "custos.test/log")
    return tmp_path / "home"


@pytest.fixture
def file_store(home: Path, settings) -> Path:
    """The folder of a file store, for what only the owner of its files can do; whatever store the run is on."""
    settings.CUSTOS_STORE = f"file:{home / 'store'}"
    wiring.store.cache_clear()
    return home / "store"


@pytest.fixture
def no_database(db, tmp_path: Path) -> Iterator[Path]:
    """For as long as the test lasts nobody listens where the database is looked for; the folder that is looked in."""
    real = connections["default"]
    away = real.copy()
    away.settings_dict = {**real.settings_dict, "HOST": str(tmp_path)}
    connections["default"] = away
    yield tmp_path
    connections["default"] = real
