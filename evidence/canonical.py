"""RFC 8785 (JCS) bytes of a JSON value, for those who write; verifiers check bytes and never re-make them."""

from __future__ import annotations

from typing import Any

import rfc8785

from evidence.errors import CanonicalError


def canonical(value: Any) -> bytes:
    """The one way to write `value`. Raises `CanonicalError` (RFC 8785 §3.2) for what JSON cannot hold exactly."""
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise CanonicalError(f"cannot be written as canonical JSON: {error}") from error
