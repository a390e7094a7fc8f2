"""The archive's published keys, `custos-keys.json`: consistent with itself and the ledger, but never trusted (§9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evidence.errors import FormatError
from evidence.keys import keyid
from evidence.log.policy import parse_policy
from evidence.strictjson import b64, parse_object
from evidence.verify.attestations import vouched_keys
from evidence.verify.trust import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evidence.verify.files import Document
    from evidence.verify.findings import Findings
    from evidence.verify.receipts import OpenReceipt
    from evidence.verify.trust import Trust

KEYS_FORMAT = "custos/keys@1"


def check_keys_file(document: Document, receipts: Sequence[OpenReceipt], trust: Trust, findings: Findings) -> None:
    try:
        value = parse_object(document.content, "keys")
        if value.get("format") != KEYS_FORMAT:
            raise FormatError(f"unknown format {value.get('format')!r}")
        listed = dict(_keys(value))
        policy = parse_policy(value["policy"]) if isinstance(value.get("policy"), str) else None
    except REFUSALS as error:
        findings.wrong("keys-format", document.name, "not a list of keys", got=str(error), wanted=KEYS_FORMAT)
        return
    mine = trust.policy.logs if trust.policy else ()
    for vkey in policy.logs if policy else ():
        if any(vkey.name == known.name for known in mine) and vkey not in mine:
            got = f"{vkey.name}+{vkey.keyid.hex()}"
            message = "claims a key of this log that your policy does not know"
            findings.wrong("keys-differ", document.name, message, got=got, wanted="only keys of your policy")
    _compare(listed, receipts, document.name, findings)


def _keys(value: Any) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """Every object with a key id, wherever it stands. Raises `FormatError` where it does not fit."""
    if isinstance(value, list):
        for item in value:
            yield from _keys(item)
    if not isinstance(value, dict):
        return
    if "keyid" in value:
        public = b64(value.get("public"), "public key")
        if value["keyid"] != keyid(public):
            raise FormatError(f"key id {value['keyid']}, wanted {keyid(public)}")
        yield value["keyid"], (str(value.get("algorithm")), public)
    for item in value.values():
        yield from _keys(item)


def _compare(
    listed: dict[str, tuple[str, bytes]], receipts: Sequence[OpenReceipt], where: str, findings: Findings
) -> None:
    events = [receipt for receipt in receipts if receipt.is_of_derivation]
    fits = True
    for receipt in events:
        try:
            vouched = vouched_keys(receipt.event.detail)
        except REFUSALS:
            continue  # said where the attestation is checked
        for name, key in vouched.items():
            if listed.get(name) != (key.algorithm, key.public):
                message = f"lacks a key that the event of {receipt.where} vouches for, or has another in its place"
                findings.wrong("keys-differ", where, message, got=str(sorted(listed)), wanted=name)
                fits = False
    if events and fits:
        findings.ok("keys-differ", where, "the keys fit their ids and hold those that the events vouch for")
    elif not events:
        findings.unchecked("keys-absent", where, "no event was given that vouches for these keys")
