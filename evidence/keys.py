"""Keys as values: sign with one, verify with a public one (Ed25519 of RFC 8032, ML-DSA-44 of FIPS 204)."""

from __future__ import annotations

import hashlib
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from evidence.errors import SignatureError

ED25519 = "ed25519"
ML_DSA_44 = "ml-dsa-44"


class Signer(Protocol):
    """Whoever can sign: a file's key or an external signer. `public` is the raw public key."""

    @property
    def algorithm(self) -> str: ...

    @property
    def public(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes: ...


class Ed25519Signer:
    """An Ed25519 key from its 32-byte seed."""

    algorithm = ED25519

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class MlDsa44Signer:
    """An ML-DSA-44 key from its 32-byte seed."""

    algorithm = ML_DSA_44

    def __init__(self, seed: bytes) -> None:
        self._key = MLDSA44PrivateKey.from_seed_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def verify(algorithm: str, public: bytes, signature: bytes, message: bytes) -> None:
    """Nothing, or `SignatureError`: unknown algorithm, a key that is none, a signature that does not fit."""
    try:
        if algorithm == ED25519:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        elif algorithm == ML_DSA_44:
            MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
        else:
            raise SignatureError(f"unknown signature algorithm {algorithm!r}")
    except InvalidSignature as error:
        raise SignatureError(f"the {algorithm} signature does not verify") from error
    except ValueError as error:
        raise SignatureError(f"not an {algorithm} public key: {error}") from error


def keyid(public: bytes) -> str:
    """Name of a DSSE key: SHA-256 of the raw public key, hexadecimal (trust-formats §6)."""
    return hashlib.sha256(public).hexdigest()
