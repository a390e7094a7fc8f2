"""Where the embedded server's socket lies: known to settings, which need not load the server for it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

_LONGEST = 107 - len("/.s.PGSQL.5432") - 1  # sun_path of Linux, less the socket's own name


def socket_folder(data: Path) -> Path:
    """Beside the data when the path is short enough for a socket, else a private folder under the temporary one."""
    beside = data.parent / "run"
    if len(os.fsencode(beside)) <= _LONGEST:
        return beside
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"custos-{os.geteuid()}-{name}"
