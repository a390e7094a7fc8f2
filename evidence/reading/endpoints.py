"""Addresses with their ports as logs write them: `192.0.2.1:53`, `[2001:db8::1]:53`."""

from __future__ import annotations

import re
from functools import lru_cache

ADDRESS = rb"[0-9A-Fa-f:.]+(?:%[0-9A-Za-z_.-]+)?"
"""An address as a log writes it, with the zone of RFC 4007 §11."""
ENDPOINT = rb"(?:\[[0-9A-Fa-f:.]+(?:%[0-9A-Za-z_.-]+)?\]|[0-9.]+):[0-9]{1,5}"
_ADDRESS = re.compile(r"(?=.*[.:])" + ADDRESS.decode(), re.ASCII)


@lru_cache(maxsize=1 << 14)
def address(written: str) -> str | None:
    """The address in lower case; None if it cannot be one."""
    return written.lower() if _ADDRESS.fullmatch(written) else None


def endpoint(written: bytes) -> tuple[str, int] | None:
    """Address and port of an `ENDPOINT`; None if there is no such port."""
    host, _, port = written.decode("ascii").rpartition(":")
    return (host.strip("[]").lower(), int(port)) if int(port) <= 65535 else None
