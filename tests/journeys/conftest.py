"""One running service for the journeys of a worker; they are all of one group, so it is started once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.journeys.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("service") / "a state folder").start()
    yield running
    running.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
