"""Writing receipts (trust-formats §5): compact canonical JSON, so that no byte of one is without meaning."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from evidence.canonical import canonical
from evidence.opening import RECEIPT_FORMAT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence.log.checkpoint import Checkpoint
    from evidence.opening import EventObject, Timestamp

CODE_FORMAT = "custos/receipt-code@1"


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


def code_text(*, item: EventObject, leaf: int, checkpoint: Checkpoint) -> str:
    """What the code on a printed receipt says (docs/receipts.md): labelled lines for people, one of each."""
    root = base64.b64encode(checkpoint.root).decode()
    lines = (
        CODE_FORMAT, f"digest {item.digest}", f"bytes {item.size}", f"leaf {leaf}", f"origin {checkpoint.origin}",
        f"size {checkpoint.size}", f"root {root}",
    )  # fmt: skip
    return "".join(f"{line}\n" for line in lines)
