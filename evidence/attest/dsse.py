"""DSSE envelopes, read and verified (secure-systems-lab/dsse protocol v1; trust-formats §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evidence import keys
from evidence.errors import FormatError, SignatureError
from evidence.strictjson import b64, members, parse_object

if TYPE_CHECKING:
    from collections.abc import Mapping

PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A DSSE key; its name is `keyid(public)`."""

    algorithm: str
    public: bytes

    @property
    def keyid(self) -> str:
        return keys.keyid(self.public)


@dataclass(frozen=True, slots=True)
class Envelope:
    """`signatures` are pairs of key id and signature; the payload stays the exact bytes that were signed."""

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def parse_envelope(data: bytes) -> Envelope:
    """An envelope of an in-toto statement, strictly. Raises `FormatError`."""
    value = parse_object(data, "envelope")
    members(value, {"payload": str, "payloadType": str, "signatures": list}, "envelope")
    if value["payloadType"] != PAYLOAD_TYPE or not value["signatures"]:
        raise FormatError(f"envelope: payload type {value['payloadType']!r} or no signature; wanted {PAYLOAD_TYPE!r}")
    signatures = []
    for item in value["signatures"]:
        if not isinstance(item, dict):
            raise FormatError("envelope signature: an object is wanted")
        members(item, {"keyid": str, "sig": str}, "envelope signature")
        signatures.append((item["keyid"], b64(item["sig"], "envelope signature")))
    return Envelope(value["payloadType"], b64(value["payload"], "envelope payload"), tuple(signatures))


def verify_envelope(envelope: Envelope, trusted: Mapping[str, PublicKey]) -> None:
    """Every trusted key must have signed, and no signature of one may fail. Raises `SignatureError`."""
    message = pae(envelope.payload_type, envelope.payload)
    if not trusted:
        raise SignatureError("no key to check the envelope with")
    for name, key in trusted.items():
        found = [signature for keyid, signature in envelope.signatures if keyid == name]
        if not found:
            raise SignatureError(f"no signature by the {key.algorithm} key {name}")
        for signature in found:
            keys.verify(key.algorithm, key.public, signature, message)
