"""The one place where anything is signed, and every signature is recorded in the transaction of what it is for.

What was signed and not kept has no record: it goes back with the transaction, and nothing of it leaves the house before
that has ended. A signature of ours without a record is an alarm (`key_check`). Each signature is verified before it is
used, for a signer may be somebody else's program.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import connection, transaction

from archive import wiring
from archive.models import Signing
from archive.models.key import DSSE, KeyVersion
from evidence.attest.signing import sign_envelope
from evidence.digest import Digest
from evidence.keys import keyid, verify
from evidence.log import checkpoint as checkpoints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence.keys import Signer
    from evidence.log.checkpoint import Checkpoint

_LOCK = 0x6B657973  # shared by whoever signs a statement, held alone by whoever replaces keys


@dataclass(frozen=True, slots=True)
class Pen:
    """A signer that remembers what it signed."""

    signer: Signer
    signed: list[str] = field(default_factory=list)
    """SHA-256 of each message, hexadecimal."""

    @property
    def algorithm(self) -> str:
        return self.signer.algorithm

    @property
    def public(self) -> bytes:
        return self.signer.public

    def sign(self, message: bytes) -> bytes:
        signature = self.signer.sign(message)
        verify(self.algorithm, self.public, signature, message)
        self.signed.append(hashlib.sha256(message).hexdigest())
        return signature


def sign_checkpoint(body: Checkpoint) -> str:
    """The signed note. To be called in the transaction that keeps it. Raises `SignatureError`."""
    ed25519, ml_dsa_44 = _pens(wiring.period_of(body.size).keys)
    note = checkpoints.sign_checkpoint(body, ed25519, ml_dsa_44, int(time.time()))
    _record((ed25519, ml_dsa_44), size=body.size)
    return str(note)


def sign_statement(payload: bytes) -> tuple[bytes, list[KeyVersion]]:
    """The envelope, and the keys that signed it. Raises `SignatureError`.

    To be called in the transaction that writes the statement's event: until it ends no key is replaced, so that the
    event comes before the end of the keys that it names.
    """
    _lock("pg_advisory_xact_lock_shared")
    keys = wiring.key_periods(DSSE)[-1].keys
    pens = _pens(keys)
    envelope = sign_envelope(payload, pens)
    _record(pens, digest=str(Digest.of(envelope)))
    return envelope, list(keys)


def try_key(key: KeyVersion) -> None:
    """Have a new key sign, so that none is introduced that cannot. Raises `SignatureError`."""
    pens = _pens([key])
    pens[0].sign(f"custos-key-v1\n{wiring.origin()}\n{key.name}\n".encode())
    _record(pens)


def hold_still() -> None:
    """Until the caller's transaction ends, nobody signs a statement."""
    _lock("pg_advisory_xact_lock")


def _lock(function: str) -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("signatures are recorded in the caller's transaction")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [_LOCK])


def _pens(keys: Sequence[KeyVersion]) -> list[Pen]:
    return [Pen(wiring.signer(key)) for key in keys]


def _record(pens: Sequence[Pen], *, size: int | None = None, digest: str = "") -> None:
    Signing.objects.bulk_create(
        Signing(keyid=keyid(pen.public), message=message, size=size, digest=digest)
        for pen in pens
        for message in pen.signed
    )
