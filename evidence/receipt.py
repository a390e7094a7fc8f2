"""Writing receipts (trust-formats §5): compact canonical JSON, so that no byte of one is without meaning."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from evidence.canonical import canonical
from evidence.opening import RECEIPT_FORMAT

if TYPE_CHECKING:
    from collections.abc import Sequence


def receipt_bytes(*, event: str, salt: bytes, proof: str, disclosures: Sequence[str], policy: str) -> bytes:
    """The receipt of an event at the checkpoint in `proof`, without timestamps."""
    return canonical(
        {
            "format": RECEIPT_FORMAT,
            "event": event,
            "salt": base64.b64encode(salt).decode(),
            "proof": proof,
            "timestamps": [],
            "disclosures": list(disclosures),
            "policy": policy,
        }
    )
