"""The archive's published keys, `custos-keys.json`: consistent with itself and the ledger, but never trusted (§9)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evidence.errors import FormatError
from evidence.keys import keyid
from evidence.log.policy import Policy, parse_policy
from evidence.opening import KEY_INTRODUCTION, KEY_REVOCATION, KEY_ROTATION
from evidence.strictjson import b64, members, parse_object
from evidence.verify.attestations import vouched_keys
from evidence.verify.trust import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence.verify.files import Document
    from evidence.verify.findings import Findings
    from evidence.verify.keylives import Life, Lives
    from evidence.verify.receipts import OpenReceipt
    from evidence.verify.trust import Trust

KEYS_FORMAT = "custos/keys@1"
MEMBERS: dict[str, type | tuple[type, ...]] = {
    "format": str, "origin": str, "policy": str, "dsse": list, "timestamp_authorities": list,
}  # fmt: skip
KEY_MEMBERS: dict[str, type | tuple[type, ...]] = {
    "keyid": str, "algorithm": str, "public": str, "from": (str, type(None)), "to": (str, type(None)), "status": str,
}  # fmt: skip
REVOKED = "revoked"
ACTIVE, RETIRED = "active", "retired"
STATUSES = (ACTIVE, RETIRED, REVOKED)
ENDS = {KEY_ROTATION: RETIRED, KEY_REVOCATION: REVOKED}


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as the archive lists it: valid from and to (None: no end), and whether it was revoked."""

    algorithm: str
    public: bytes
    begin: dt.datetime | None
    end: dt.datetime | None
    status: str

    def is_good_at(self, time: dt.datetime) -> bool:
        if self.status == REVOKED and self.end is None:
            return False
        return (self.begin is None or self.begin <= time) and (self.end is None or time <= self.end)


def check_keys_file(
    document: Document, receipts: Sequence[OpenReceipt], lives: Lives, trust: Trust, findings: Findings
) -> None:
    """What the list says of itself, of the log, and of each key.

    Where events tell a key's life, positions in the ledger decide and not the list's times.
    """
    try:
        value = parse_object(document.content, "keys")
        members(value, MEMBERS, "keys")
        if value["format"] != KEYS_FORMAT:
            raise FormatError(f"unknown format {value['format']!r}")
        listed = _keys(value["dsse"])
        policy = parse_policy(value["policy"])
    except REFUSALS as error:
        findings.wrong("keys-format", document.name, "not a list of keys", got=str(error), wanted=KEYS_FORMAT)
        return
    _check_policy(policy, value["origin"], trust, document.name, findings)
    _check_origin(value["origin"], receipts, document.name, findings)
    _check_lives(listed, lives, value["origin"], document.name, findings)
    introduced = [life for life in lives.of_statements(value["origin"]) if KEY_INTRODUCTION in life.told]
    _compare(listed, receipts, lives, introduced, document.name, findings)


def listed_keyids(content: bytes) -> frozenset[str]:
    """Of the statements' keys in a list; none of one that is not of its form, which `check_keys_file` says."""
    try:
        return frozenset(_keys(parse_object(content, "keys")["dsse"]))
    except (*REFUSALS, KeyError, TypeError):
        return frozenset()


def _keys(items: list[Any]) -> dict[str, ListedKey]:
    found: dict[str, ListedKey] = {}
    for item in items:
        if not isinstance(item, dict):
            raise FormatError("a key is an object")
        members(item, KEY_MEMBERS, "key")
        public = b64(item["public"], "public key")
        if item["keyid"] != keyid(public) or item["keyid"] in found or item["status"] not in STATUSES:
            raise FormatError(f"key {item['keyid']}: its id fits no public key, stands twice, or has no known status")
        found[item["keyid"]] = ListedKey(
            item["algorithm"], public, _moment(item["from"]), _moment(item["to"]), item["status"]
        )
    return found


def _moment(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    time = dt.datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise FormatError(f"a time without a zone: {text}")
    return time


def _check_policy(policy: Policy, origin: str, trust: Trust, where: str, findings: Findings) -> None:
    if any(vkey.name != origin for vkey in policy.logs):
        message = "its policy names another log than its origin"
        got, wanted = str(sorted({vkey.name for vkey in policy.logs})), origin
        findings.wrong("keys-differ", where, message, got=got, wanted=wanted)
    mine = trust.policy.logs if trust.policy else ()
    for vkey in policy.logs:
        if any(vkey.name == known.name for known in mine) and vkey not in mine:
            got = f"{vkey.name}+{vkey.keyid.hex()}"
            message = "claims a key of this log that your policy does not know"
            findings.wrong("keys-differ", where, message, got=got, wanted="only keys of your policy")


def _check_origin(origin: str, receipts: Sequence[OpenReceipt], where: str, findings: Findings) -> None:
    others = sorted({receipt.checkpoint.origin for receipt in receipts if receipt.checkpoint} - {origin})
    if others:
        message = "receipts given beside these keys are of another log"
        findings.wrong("keys-differ", where, message, got=origin, wanted=", ".join(others))


def _check_lives(listed: dict[str, ListedKey], lives: Lives, origin: str, where: str, findings: Findings) -> None:
    """The ledger decides whether a key has ended; the list may not say otherwise."""
    for name, key in listed.items():
        life = lives.of(origin, name)
        ends = [ENDS[turn] for turn in life.told if turn in ENDS] if life else []
        if ends and key.status not in ends:
            message = f"lists the key {name} otherwise than the event of its end"
            findings.wrong("keys-differ", where, message, got=key.status, wanted=", ".join(ends))


def _compare(
    listed: dict[str, ListedKey],
    receipts: Sequence[OpenReceipt],
    lives: Lives,
    introduced: Sequence[Life],
    where: str,
    findings: Findings,
) -> None:
    """The list against the events of derivations, which vouch for keys, and against the introductions of keys."""
    events = [receipt for receipt in receipts if receipt.is_of_derivation]
    fits = [_fits(listed, receipt, lives, where, findings) for receipt in events]
    fits += [_is_listed(listed, life, where, findings) for life in introduced]
    if fits and all(fits):
        findings.ok("keys-differ", where, "the keys fit their ids and hold those that the events vouch for")
    elif not fits:
        findings.unchecked("keys-absent", where, "no event was given that vouches for these keys")
    if introduced:
        for name in sorted(listed.keys() - {life.key.keyid for life in introduced}):
            findings.unchecked("keys-absent", where, "no event was given that introduces a key it lists", got=name)


def _is_listed(listed: dict[str, ListedKey], life: Life, where: str, findings: Findings) -> bool:
    found = listed.get(life.key.keyid)
    if found is not None and (found.algorithm, found.public) == (life.key.algorithm, life.key.public):
        return True
    message = f"lacks a key that {life.told[KEY_INTRODUCTION]} introduces, or has another in its place"
    findings.wrong("keys-differ", where, message, got=str(sorted(listed)), wanted=life.key.keyid)
    return False


def _fits(listed: dict[str, ListedKey], receipt: OpenReceipt, lives: Lives, where: str, findings: Findings) -> bool:
    try:
        vouched = vouched_keys(receipt.event.detail)
    except REFUSALS:
        return True  # said where the attestation is checked
    fits, time = True, dt.datetime.fromisoformat(receipt.event.time)
    for name, key in vouched.items():
        found = listed.get(name)
        if found is None or (found.algorithm, found.public) != (key.algorithm, key.public):
            message = f"lacks a key that the event of {receipt.where} vouches for, or has another in its place"
            findings.wrong("keys-differ", where, message, got=str(sorted(listed)), wanted=name)
            fits = False
        elif not _is_told(lives, receipt, name, found) and not found.is_good_at(time):
            message = f"the event of {receipt.where} names a key that was not in force at its time"
            got = f"{found.status}, from {found.begin} to {found.end}"
            findings.wrong("keys-differ", where, message, got=got, wanted=f"in force at {receipt.event.time}")
            fits = False
    return fits


def _is_told(lives: Lives, receipt: OpenReceipt, name: str, key: ListedKey) -> bool:
    """Whether the events that were given tell all of the key's life that the list tells."""
    life = lives.of(receipt.checkpoint.origin, name) if receipt.checkpoint else None
    return life is not None and (life.last is not None or key.status == ACTIVE)
