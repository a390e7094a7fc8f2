"""An installation for one measurement: a database server and a state folder of its own, gone afterwards."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from config.embedded import postgres
from tests.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def installation() -> Iterator[tuple[Scratch, Path]]:
    """An empty database, and a folder to write into; the state folder is `home` in it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's own account goes through it
        server = postgres.start(folder / "pg")
        os.environ["DATABASE_URL"] = server.conninfo("postgres")
        try:
            with Scratch(folder / "home") as scratch:
                yield scratch, folder
        finally:
            server.stop()
