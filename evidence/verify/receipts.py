"""Receipts: from the event's text up to signatures, witnesses and time (trust-formats §5).

The steps and their order are those of §5; each goes on as far as it can after another failed, so that a report names
all that differs. What the event says of files is compared by `ties.py`, once every file was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evidence.errors import FormatError
from evidence.log.hashing import leaf_hash
from evidence.log.policy import Policy, parse_policy
from evidence.log.proof import verify_inclusion
from evidence.log.tlogproof import TlogProof, parse_tlog_proof
from evidence.opening import (
    Event,
    Receipt,
    commitment,
    disclosure_digest,
    open_disclosure,
    parse_event,
    parse_receipt,
)
from evidence.verify.checkpoints import check_note
from evidence.verify.timestamps import check_timestamps
from evidence.verify.trust import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence.log.checkpoint import Checkpoint
    from evidence.verify.checkpoints import History
    from evidence.verify.findings import Findings
    from evidence.verify.trust import Trust

SHOWN = 4
SUCCESS = "success"


@dataclass(frozen=True, slots=True)
class OpenReceipt:
    """A receipt whose event could be read; that it was checked is in the findings, not here."""

    where: str
    event: Event
    hint: Policy | None
    checkpoint: Checkpoint | None
    index: int | None
    """Of its leaf, if the proof of inclusion held."""

    @property
    def is_of_derivation(self) -> bool:
        return self.event.type == "creation"

    @property
    def is_of_deaccession(self) -> bool:
        return self.event.type == "deaccession" and self.event.outcome == SUCCESS

    def names(self, digest: str) -> bool:
        return any(str(item.digest) == digest for item in self.event.objects)


def open_receipt(content: bytes, where: str, trust: Trust, history: History, findings: Findings) -> OpenReceipt | None:
    """Check a receipt by itself; None if there is no event to read in it."""
    try:
        receipt = parse_receipt(content)
        _refuse_no_text(receipt)
    except REFUSALS as error:
        findings.wrong("receipt-format", where, "not a receipt", got=str(error), wanted="custos/receipt@1")
        return None
    try:
        event = parse_event(receipt.event_text)
    except REFUSALS as error:
        findings.wrong("receipt-event", where, "the event cannot be read", got=str(error), wanted="custos/event@1")
        return None
    hint = _hint(receipt, where, trust, findings)
    _check_outcome(event, where, findings)
    checkpoint, index = _check_proof(receipt, event, where, trust, hint, history, findings)
    _check_disclosures(receipt, event, where, findings)
    return OpenReceipt(where, event, hint, checkpoint, index)


def _check_outcome(event: Event, where: str, findings: Findings) -> None:
    if event.outcome != SUCCESS:
        message = f"the event tells of a {event.type} that did not succeed"
        findings.unchecked("receipt-outcome", where, message, got=event.outcome, wanted=SUCCESS)


def _refuse_no_text(receipt: Receipt) -> None:
    """JSON can escape what is no character at all; that could never have been hashed or signed."""
    for text in (receipt.event_text, receipt.proof, receipt.policy, *receipt.disclosures):
        text.encode("utf-8")
    for stamp in receipt.timestamps:
        (stamp.authority + (stamp.later_checkpoint or "")).encode("utf-8")


def _hint(receipt: Receipt, where: str, trust: Trust, findings: Findings) -> Policy | None:
    try:
        hint = _strict_policy(receipt.policy)
    except REFUSALS as error:
        findings.wrong("receipt-policy", where, "the archive's own policy text is broken", got=str(error))
        return None
    if trust.policy is not None:
        mine = {vkey.name for vkey in trust.policy.logs}
        for vkey in hint.logs:
            if vkey.name in mine and vkey not in trust.policy.logs:
                got = f"{vkey.name}+{vkey.keyid.hex()}"
                message = "the receipt claims a key of this log that your policy does not know"
                findings.wrong("receipt-policy", where, message, got=got, wanted="only keys of your policy")
    return hint


def _strict_policy(text: str) -> Policy:
    if not text.endswith("\n") or not all(char == "\n" or char.isprintable() for char in text):
        raise FormatError("policy: lines of printable text are wanted, each with its end")
    return parse_policy(text)


def _check_proof(
    receipt: Receipt, event: Event, where: str, trust: Trust, hint: Policy | None, history: History, findings: Findings
) -> tuple[Checkpoint | None, int | None]:
    """The checkpoint if there is one to read, and the event's index under it if that was shown."""
    try:
        proof = parse_tlog_proof(receipt.proof)
    except REFUSALS as error:
        findings.wrong("receipt-format", where, "no tlog-proof", got=str(error), wanted="c2sp.org/tlog-proof@v1")
        return None, None
    hints = [hint] if hint else []
    checkpoint = check_note(proof.checkpoint, where, trust, hints, history, findings)
    if checkpoint is None:
        return None, None
    history.see(checkpoint, where, findings)
    _check_claim(hint, checkpoint, where, findings)
    included = _check_inclusion(receipt, proof, checkpoint, where, findings)
    if included:
        history.see_leaf(checkpoint.origin, proof.index, commitment_of(receipt), where, findings)
    check_timestamps(receipt.timestamps, checkpoint, event.time, where, trust, hints, history, findings)
    return checkpoint, proof.index if included else None


def _check_claim(hint: Policy | None, checkpoint: Checkpoint, where: str, findings: Findings) -> None:
    if hint is not None and all(vkey.name != checkpoint.origin for vkey in hint.logs):
        message = "the receipt's policy has no key for the log of its own checkpoint"
        got, wanted = str(sorted({vkey.name for vkey in hint.logs})), checkpoint.origin
        findings.wrong("receipt-policy", where, message, got=got, wanted=wanted)


def commitment_of(receipt: Receipt) -> bytes:
    return commitment(receipt.salt, receipt.event_text.encode())


def _check_inclusion(
    receipt: Receipt, proof: TlogProof, checkpoint: Checkpoint, where: str, findings: Findings
) -> bool:
    entry = commitment_of(receipt)
    at = f"index {proof.index} of {checkpoint.size} in {checkpoint.origin}"
    try:
        verify_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    except REFUSALS as error:
        message = f"the commitment to this event is not the leaf at {at}: event, salt, proof or root was changed"
        findings.wrong("receipt-inclusion", where, message, got=str(error), wanted=f"root {checkpoint.root.hex()}")
        return False
    findings.ok("receipt-inclusion", where, f"the event is committed to at {at}")
    return True


def _check_disclosures(receipt: Receipt, event: Event, where: str, findings: Findings) -> None:
    sealed, names = set(event.sealed), set(event.members)
    for disclosure in receipt.disclosures:
        digest = disclosure_digest(disclosure)
        if digest not in sealed:
            message = "a disclosure is not one that the event sealed"
            findings.wrong("receipt-disclosure", where, message, got=digest, wanted=_some(event.sealed))
            continue
        try:
            name, _value = open_disclosure(disclosure)
        except REFUSALS as error:
            findings.wrong("receipt-disclosure", where, "a disclosure cannot be read", got=str(error))
            continue
        if name in names:
            message = "a disclosed member stands in the event already, or was disclosed twice"
            findings.wrong("receipt-disclosure", where, message, got=name, wanted="a name of its own")
            continue
        names.add(name)
        findings.ok("receipt-disclosure", where, f"the sealed member {name!r} is the one disclosed")


def _some(digests: Sequence[str]) -> str:
    more = f" and {len(digests) - SHOWN} more" if len(digests) > SHOWN else ""
    return f"one of {list(digests[:SHOWN])}{more}"
