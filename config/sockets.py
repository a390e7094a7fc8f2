"""Where the embedded server's socket lies: known to settings, which need not load the server for it."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

_PLAIN = re.compile(r"[\w./+@-]+", re.ASCII)
_LONGEST = 107 - len("/.s.PGSQL.5432") - 1  # sun_path of Linux, less the socket's own name


def socket_folder(data: Path) -> Path:
    """Beside the data when a socket can live there, else a private folder under the temporary one.

    A path may be too long for a socket, or hold spaces, which the broker's driver does not quote.
    """
    beside = data.parent / "run"
    if len(os.fsencode(beside)) <= _LONGEST and _PLAIN.fullmatch(str(beside)):
        return beside
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"custos-{os.geteuid()}-{name}"
