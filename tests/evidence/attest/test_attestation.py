"""Envelopes, statements and identities against published values and another implementation."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.signer import SSlibKey

from evidence.attest.derivation import Derivation, Invocation, statement_bytes
from evidence.attest.dsse import PublicKey, pae, parse_envelope, verify_envelope
from evidence.attest.signing import sign_envelope
from evidence.attest.statement import parse_statement
from evidence.digest import Digest
from evidence.errors import FormatError, SignatureError
from evidence.keys import Ed25519Signer, MlDsa44Signer

VECTORS = Path(__file__).parents[2] / "vectors"
ATTESTATION = json.loads((VECTORS / "custos/attestation.json").read_text())
SIGNERS = (Ed25519Signer(bytes(range(32))), MlDsa44Signer(bytes(range(1, 33))))


def public(signer) -> PublicKey:
    return PublicKey(signer.algorithm, signer.public)


def trusted(*signers) -> dict[str, PublicKey]:
    return {public(signer).keyid: public(signer) for signer in signers}


def test_the_published_envelope_holds_under_both_keys() -> None:
    envelope = parse_envelope(json.dumps(ATTESTATION["envelope"]).encode())
    keys = [PublicKey(key["algorithm"], base64.b64decode(key["public"])) for key in ATTESTATION["keys"]]
    assert [key.keyid for key in keys] == [key["keyid"] for key in ATTESTATION["keys"]]
    verify_envelope(envelope, {key.keyid: key for key in keys})
    message = pae(envelope.payload_type, envelope.payload)
    assert hashlib.sha256(message).hexdigest() == ATTESTATION["pae_sha256"]
    statement = parse_statement(envelope.payload)
    assert statement.procedure == "querier_concentration@1"


def test_the_published_identity_is_ours() -> None:
    case = ATTESTATION["identity"]
    inputs = tuple((role, Digest.parse(digest)) for role, digest in case["inputs"])
    assert Derivation(case["procedure"], case["parameters"], inputs).identity == case["digest"]


def test_the_published_dsse_example_verifies() -> None:
    case = json.loads((VECTORS / "dsse.json").read_text())
    message = pae(case["payloadType"], case["payload"].encode())
    assert message.decode() == case["pae"]
    point = case["ecdsa_p256"]
    key = ec.EllipticCurvePublicNumbers(int(point["x"]), int(point["y"]), ec.SECP256R1()).public_key()
    raw = base64.b64decode(case["envelope"]["signatures"][0]["sig"])
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.verify(signature, message, ec.ECDSA(hashes.SHA256()))


def an_envelope() -> bytes:
    derivation = Derivation("parse.bind@2", {}, (("source", Digest.of(b"a")),))
    invocation = Invocation(
        "i", "example.org/log", {"engine": "duckdb"}, Digest.of(b"code"), "custos/0.1.0",
        "2026-11-01T00:00:00Z", "2026-11-01T00:00:01Z",
    )  # fmt: skip
    return sign_envelope(statement_bytes(derivation, invocation, [("table.parquet", Digest.of(b"t"))]), SIGNERS)


def test_a_statement_is_read_as_it_was_written() -> None:
    statement = parse_statement(parse_envelope(an_envelope()).payload)
    assert statement.subjects == {"table.parquet": Digest.of(b"t")}
    assert statement.inputs == (("source", Digest.of(b"a")),)
    assert (statement.procedure, statement.builder) == ("parse.bind@2", "example.org/log")


def test_another_implementation_accepts_our_first_signature() -> None:
    other = OtherEnvelope.from_dict(json.loads(an_envelope()))
    key = public(SIGNERS[0])
    foreign = SSlibKey(key.keyid, "ed25519", "ed25519", {"public": key.public.hex()})
    assert list(other.verify([foreign], 1)) == [key.keyid]


def test_every_trusted_key_has_to_have_signed() -> None:
    envelope = parse_envelope(an_envelope())
    verify_envelope(envelope, trusted(*SIGNERS))
    verify_envelope(envelope, trusted(SIGNERS[1]))
    for keys in ({}, trusted(*SIGNERS, Ed25519Signer(bytes(32)))):
        with pytest.raises(SignatureError):
            verify_envelope(envelope, keys)


def test_a_changed_payload_is_refused() -> None:
    value = json.loads(an_envelope())
    payload = bytearray(base64.b64decode(value["payload"]))
    payload[10] ^= 1
    value["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(SignatureError):
        verify_envelope(parse_envelope(json.dumps(value).encode()), trusted(*SIGNERS))


@pytest.mark.parametrize("payload", [b"{}", b'{"_type":"https://in-toto.io/Statement/v1"}', b"[]"])
def test_what_is_no_statement_is_refused(payload: bytes) -> None:
    with pytest.raises(FormatError):
        parse_statement(payload)
