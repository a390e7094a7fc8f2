"""One real PostgreSQL for a whole test run, and keys and folders that are thrown away after it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

_RUN = "CUSTOS_TEST_RUN"
_server = None


def pytest_configure(config: pytest.Config) -> None:
    """Before Django's settings are read. Workers of xdist inherit the environment and use the same server."""
    global _server  # noqa: PLW0603 -- pytest calls two functions and gives them nothing in common to hold it
    if _RUN in os.environ:
        return
    from config.embedded import postgres  # noqa: PLC0415 -- the controller alone starts it

    folder = Path(tempfile.mkdtemp(prefix="custos-test-"))
    folder.chmod(0o755)
    _server = postgres.start(folder / "pg", settings=("fsync=off", "max_connections=200"))
    os.environ[_RUN] = str(folder)
    os.environ["CUSTOS_HOME"] = str(folder / "home")
    os.environ["DATABASE_URL"] = _server.conninfo("postgres")


def pytest_unconfigure(config: pytest.Config) -> None:
    if _server is not None:
        _server.stop()
        shutil.rmtree(os.environ.pop(_RUN), ignore_errors=True)


@pytest.fixture(autouse=True)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """Each test that touches the database has a state folder and keys of its own."""
    if not {"db", "transactional_db", "django_db_setup"} & set(request.fixturenames) and not request.node.get_closest_marker("django_db"):
        return None
    settings = request.getfixturevalue("settings")
    from archive import signing, wiring  # noqa: PLC0415 -- needs Django, which pure tests do not start

    settings.CUSTOS_HOME = tmp_path / "home"
    settings.CUSTOS_STORE = f"file:{tmp_path / 'home' / 'store'}"
    for cached in (wiring.store, wiring.origin, wiring.log_signers, wiring.dsse_signers, wiring.policy):
        cached.cache_clear()
    signing.make_keys(wiring.keys_folder(), "custos.test/log")
    return tmp_path / "home"
