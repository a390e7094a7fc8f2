"""Ceph for the tests that need S3: one server for all of them, which run in one process (their group)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ceph import Ceph

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ceph]:
    server = Ceph(tmp_path_factory.mktemp("ceph"))
    try:
        yield server.start()
    finally:
        server.stop()
