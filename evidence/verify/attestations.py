"""Attestations of derivations: DSSE envelopes whose keys the ledger vouches for (trust-formats §6).

The keys of an envelope stand in the `creation` event whose receipt names the envelope's digest. So a policy that
trusts the log is enough, and a key stolen later cannot back-date a statement. A key file is never believed for that.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evidence.attest.dsse import Envelope, PublicKey, parse_envelope, verify_envelope
from evidence.attest.statement import Statement, parse_statement
from evidence.errors import FormatError
from evidence.keys import ED25519, ML_DSA_44
from evidence.strictjson import b64, canonical_form, members
from evidence.verify.trust import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence.verify.files import Document
    from evidence.verify.findings import Findings
    from evidence.verify.receipts import OpenReceipt

STATEMENT_ROLE = "statement"
PARSE = "parse."
SUCCESS = "success"
ALGORITHMS = frozenset({ED25519, ML_DSA_44})


@dataclass(frozen=True, slots=True)
class OpenAttestation:
    """A statement that could be read; that it was checked is in the findings, not here."""

    where: str
    digest: str
    statement: Statement
    vouched_by: list[str] = field(default_factory=list)
    """Receipts of creations under which every key signed it."""

    @property
    def is_vouched(self) -> bool:
        return bool(self.vouched_by)

    @property
    def is_parse(self) -> bool:
        return self.statement.procedure.startswith(PARSE)

    @property
    def outputs(self) -> set[str]:
        return {str(digest) for digest in self.statement.subjects.values()}

    @property
    def inputs(self) -> set[str]:
        return {str(digest) for _role, digest in self.statement.inputs}


def open_attestation(document: Document, receipts: Sequence[OpenReceipt], findings: Findings) -> OpenAttestation | None:
    """Check an envelope against the receipts that name it; None if there is no statement to read in it."""
    try:
        envelope = parse_envelope(document.content)
        statement = parse_statement(envelope.payload)
        _refuse_odd_types(statement)
    except REFUSALS as error:
        findings.wrong("attestation-format", document.name, "not an attestation", got=str(error))
        return None
    opened = OpenAttestation(document.name, str(document.digest), statement)
    naming = [receipt for receipt in receipts if receipt.names(opened.digest)]
    for receipt in naming:
        _check_under(receipt, envelope, opened, findings)
    return opened


def _refuse_odd_types(statement: Statement) -> None:
    names = (statement.procedure, statement.builder, *statement.subjects, *(role for role, _ in statement.inputs))
    if not all(isinstance(name, str) for name in names) or not isinstance(statement.parameters, dict):
        raise FormatError("statement: names are texts and parameters an object")


def _check_under(receipt: OpenReceipt, envelope: Envelope, opened: OpenAttestation, findings: Findings) -> None:
    at = f"{opened.where} under {receipt.where}"
    if not receipt.is_of_derivation:
        message = "the event that names this attestation is not of a derivation and vouches for no key"
        findings.unchecked("attestation-keys", at, message, got=receipt.event.type, wanted="creation")
        return
    if receipt.event.outcome != SUCCESS:
        message = "the event that names this attestation tells of a derivation that did not succeed"
        findings.wrong("attestation-keys", at, message, got=receipt.event.outcome, wanted=SUCCESS)
    try:
        keys = vouched_keys(receipt.event.detail)
    except REFUSALS as error:
        findings.wrong("attestation-keys", at, "the keys in the event cannot be used", got=str(error))
        return
    signed = 0
    for keyid, key in keys.items():
        try:
            verify_envelope(envelope, {keyid: key})
            signed += 1
        except REFUSALS as error:
            findings.wrong("attestation-signature", at, f"{key.algorithm} key {keyid}", got=str(error), wanted="valid")
    if signed == len(keys) and receipt.event.outcome == SUCCESS:
        opened.vouched_by.append(receipt.where)
        findings.ok("attestation-signature", at, f"{opened.statement.procedure}: signed by {signed} keys of the event")
    _check_event(receipt, opened, at, findings)


def vouched_keys(detail: dict[str, Any]) -> dict[str, PublicKey]:
    """The DSSE keys in force that a `creation` event lists, by key id. Raises `FormatError`."""
    listed = detail.get("keys")
    if not isinstance(listed, list) or not listed:
        raise FormatError("the event lists no keys")
    keys: dict[str, PublicKey] = {}
    for item in listed:
        if not isinstance(item, dict):
            raise FormatError("a key is an object")
        members(item, {"keyid": str, "algorithm": str, "public": str}, "key")
        key = PublicKey(item["algorithm"], b64(item["public"], "public key"))
        if key.keyid != item["keyid"]:
            raise FormatError(f"key id {item['keyid']}, wanted {key.keyid}")
        if key.keyid in keys:
            raise FormatError(f"the key {key.keyid} stands twice")
        keys[key.keyid] = key
    algorithms = {key.algorithm for key in keys.values()}
    if algorithms != ALGORITHMS:
        raise FormatError(f"keys of {sorted(algorithms)}; at least one of each of {sorted(ALGORITHMS)} is wanted")
    return keys


def _check_event(receipt: OpenReceipt, opened: OpenAttestation, at: str, findings: Findings) -> None:
    """What the event says of the derivation, against what the statement says."""
    identity = _identity(opened.statement)
    if receipt.event.detail.get("identity") != identity:
        message = "the event names another derivation than procedure, parameters and inputs of the statement make"
        got = str(receipt.event.detail.get("identity"))
        findings.wrong("attestation-output", at, message, got=got, wanted=identity)
    procedure = receipt.event.detail.get("procedure")
    if procedure != opened.statement.procedure:
        message = "event and statement name different procedures"
        findings.wrong("attestation-output", at, message, got=opened.statement.procedure, wanted=str(procedure))
    if receipt.checkpoint and opened.statement.builder != receipt.checkpoint.origin:
        message = "the statement's builder is not the log's origin"
        got, wanted = opened.statement.builder, receipt.checkpoint.origin
        findings.wrong("attestation-output", at, message, got=got, wanted=wanted)
    named = {(item.role, str(item.digest)) for item in receipt.event.objects} - {(STATEMENT_ROLE, opened.digest)}
    said = {(name, str(digest)) for name, digest in opened.statement.subjects.items()}
    for name, digest in sorted(said ^ named):
        message = f"the output {name} is said by only one of event and statement"
        wanted = "the same outputs in both, by name and digest"
        findings.wrong("attestation-output", at, message, got=digest, wanted=wanted)


def _identity(statement: Statement) -> str:
    """The derivation's identity (trust-formats §6)."""
    inputs = sorted([role, str(digest)] for role, digest in statement.inputs)
    value = {"procedure": statement.procedure, "parameters": statement.parameters, "inputs": inputs}
    try:
        return hashlib.sha256(b"custos-derivation-v1\n" + canonical_form(value)).hexdigest()
    except FormatError as error:
        return f"none: {error}"
