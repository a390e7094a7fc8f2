"""Writing receipts (trust-formats §5): compact canonical JSON, so that no byte of one is without meaning."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from evidence.canonical import canonical
from evidence.opening import RECEIPT_FORMAT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence.opening import Timestamp


def receipt_bytes(
    *,
    event: str,
    salt: bytes,
    proof: str,
    disclosures: Sequence[str],
    policy: str,
    timestamps: Sequence[Timestamp] = (),
) -> bytes:
    """The receipt of an event at the checkpoint in `proof`."""
    return canonical(
        {
            "format": RECEIPT_FORMAT,
            "event": event,
            "salt": base64.b64encode(salt).decode(),
            "proof": proof,
            "timestamps": [_timestamp(stamp) for stamp in timestamps],
            "disclosures": list(disclosures),
            "policy": policy,
        }
    )


def _timestamp(stamp: Timestamp) -> dict[str, object]:
    value: dict[str, object] = {"authority": stamp.authority, "response": base64.b64encode(stamp.response).decode()}
    if stamp.later_checkpoint is not None:
        hashes = [base64.b64encode(item).decode() for item in stamp.later_hashes]
        value["later"] = {"checkpoint": stamp.later_checkpoint, "hashes": hashes}
    return value
