"""What all tests share: properties are held for as long as it takes, and one Ceph serves those that need S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.ceph import Ceph

if TYPE_CHECKING:
    from collections.abc import Iterator

# The machine's speed decides no test.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ceph]:
    """One server for all tests of its group, which run in one process."""
    server = Ceph(tmp_path_factory.mktemp("ceph"))
    try:
        yield server.start()
    finally:
        server.stop()
