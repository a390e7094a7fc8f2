"""A pytest plugin: one real PostgreSQL for a whole test run, started before Django's settings are read."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from config.embedded import postgres

_RUN = "CUSTOS_TEST_RUN"
_SERVERS: list[postgres.EmbeddedPostgres] = []


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """The workers of xdist inherit the environment and use the controller's server."""
    if _RUN in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="custos-test-"))
    folder.chmod(0o755)
    _SERVERS.append(postgres.start(folder / "pg", settings=("fsync=off", "max_connections=200")))
    os.environ[_RUN] = str(folder)
    os.environ["CUSTOS_HOME"] = str(folder / "home")
    os.environ["DATABASE_URL"] = _SERVERS[0].conninfo("postgres")


def pytest_unconfigure(config: pytest.Config) -> None:
    for server in _SERVERS:
        server.stop()
        shutil.rmtree(os.environ.pop(_RUN), ignore_errors=True)
