"""Signing DSSE envelopes: one signature a key, canonical JSON around them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from evidence.attest.dsse import PAYLOAD_TYPE, pae
from evidence.canonical import canonical
from evidence.keys import keyid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence.keys import Signer


def sign_envelope(payload: bytes, signers: Sequence[Signer]) -> bytes:
    """The envelope's exact bytes: its digest is what the ledger commits to."""
    message = pae(PAYLOAD_TYPE, payload)
    return canonical(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [
                {"keyid": keyid(signer.public), "sig": base64.b64encode(signer.sign(message)).decode()}
                for signer in signers
            ],
        }
    )
