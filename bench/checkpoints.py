"""When checkpoints of a running installation can be read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator


def watch(connection: Any, writers: list[subprocess.Popen[bytes]], waiting: str) -> Iterator[tuple[float, int]]:
    """When each was first seen, until the writers have ended and nothing is left that waits to be under one.

    `waiting` finds what does; the size of the newest is its parameter `size`.
    """
    size = 0
    while True:
        ended = all(writer.poll() is not None for writer in writers)
        (newest,) = connection.execute("SELECT coalesce(max(size), 0) FROM archive_checkpoint").fetchone()
        if newest > size:
            size = newest
            yield time.monotonic(), size
        if ended and not connection.execute(waiting, {"size": size}).fetchall():
            return
        time.sleep(0.01)
