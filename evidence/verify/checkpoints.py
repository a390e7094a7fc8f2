"""Checkpoints under the caller's policy, and whether all of those given can be of one log (trust-formats §3).

Every checkpoint seen, in a receipt, beside it or on its own, is remembered by origin and size: two roots at one size
are two histories, and no signature makes that good.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evidence.log.checkpoint import Checkpoint, parse_checkpoint
from evidence.log.note import SignedNote, Vkey, parse_note
from evidence.log.policy import Policy, problems
from evidence.log.tlogproof import parse_tlog_proof
from evidence.verify.trust import REFUSALS, Trust, quorumless

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evidence.verify.files import Document
    from evidence.verify.findings import Findings


@dataclass(slots=True)
class History:
    """Roots seen by origin and size, and the checkpoints tied to another by a consistency proof; one per audit."""

    roots: dict[tuple[str, int], tuple[bytes, str]] = field(default_factory=dict)
    in_receipts: set[tuple[str, int]] = field(default_factory=set)

    def see(self, checkpoint: Checkpoint, where: str, findings: Findings) -> None:
        seen, first = self.roots.setdefault((checkpoint.origin, checkpoint.size), (checkpoint.root, where))
        if seen != checkpoint.root:
            message = f"this log shows another root at size {checkpoint.size} than in {first}: two histories"
            findings.wrong(
                "checkpoint-consistency",
                where,
                message,
                got=checkpoint.root.hex(),
                wanted=f"{seen.hex()} as in {first}",
            )


def check_note(text: str, where: str, trust: Trust, hints: Iterable[Policy], findings: Findings) -> Checkpoint | None:
    """The checkpoint in a signed note, its signatures judged; None if there is none to read."""
    try:
        note = parse_note(text)
        checkpoint = parse_checkpoint(note.text)
        hints = [hint for hint in hints if any(vkey.name == checkpoint.origin for vkey in hint.logs)]
        found = _problems(note, trust, hints)
    except REFUSALS as error:
        findings.wrong("checkpoint-format", where, "not a checkpoint that can be judged", got=str(error))
        return None
    for problem in found:
        findings.wrong("checkpoint-signature", where, "the checkpoint's signatures", got=problem, wanted=_rule(trust))
    if not found:
        _say_whom(note, checkpoint, where, trust, findings)
    return checkpoint


def _problems(note: SignedNote, trust: Trust, hints: list[Policy]) -> list[str]:
    known = _keys(trust.policy) if trust.policy else set()
    found = problems(trust.policy, note) if trust.policy else []
    for hint in hints:
        if not _keys(hint) <= known:
            found += problems(quorumless(hint), note)
        known |= _keys(hint)
    return found + (_strangers(note, known) if hints else [])


def _strangers(note: SignedNote, known: set[Vkey]) -> list[str]:
    """Lines by nobody known, while somebody known has not signed.

    An unknown cosignature alone is to be ignored (C2SP signed-note). But an archive's own policy text names all whom
    it asks; where one of those is missing and a stranger stands there, a byte of a name or key id was changed.
    """
    names = {(vkey.name, vkey.keyid) for vkey in known}
    signed = {(line.name, line.keyid) for line in note.signatures}
    if names <= signed:
        return []
    return [
        f"a signature line by {name}+{keyid.hex()}, which no policy knows, while a known key has not signed"
        for name, keyid in sorted(signed - names)
    ]


def _keys(policy: Policy) -> set[Vkey]:
    return {*policy.logs, *policy.witnesses.values()}


def _rule(trust: Trust) -> str:
    return "valid under your policy" if trust.policy else "valid under the keys that the archive claims"


def _say_whom(note: SignedNote, checkpoint: Checkpoint, where: str, trust: Trust, findings: Findings) -> None:
    at = f"checkpoint of {checkpoint.origin} at size {checkpoint.size}"
    if trust.policy:
        findings.ok("checkpoint-signature", where, f"{at}: signed as your policy asks")
    else:
        message = f"{at}: no policy was given, so its keys are only self-asserted ({len(note.signatures)} signatures)"
        findings.unchecked("policy-absent", where, message, wanted="--policy FILE with keys you trust")


def check_checkpoint_file(
    document: Document, trust: Trust, hints: list[Policy], history: History, findings: Findings
) -> None:
    """A checkpoint on its own: its signatures, and whether it agrees with those in the receipts."""
    checkpoint = check_note(_text(document, findings), document.name, trust, hints, findings)
    if checkpoint is None:
        return
    history.see(checkpoint, document.name, findings)
    sizes = sorted(size for origin, size in history.in_receipts if origin == checkpoint.origin)
    if sizes and checkpoint.size not in sizes:
        message = "no proof was given that this checkpoint and those of the receipts are of one history"
        wanted = f"size {', '.join(map(str, sizes))}"
        findings.unchecked(
            "checkpoint-consistency", document.name, message, got=f"size {checkpoint.size}", wanted=wanted
        )


def check_bare_proof(document: Document, trust: Trust, hints: list[Policy], findings: Findings) -> None:
    """A tlog-proof without the event it is of: only its checkpoint can be judged."""
    try:
        proof = parse_tlog_proof(_text(document, findings))
    except REFUSALS as error:
        findings.wrong("checkpoint-format", document.name, "not a tlog-proof", got=str(error))
        return
    check_note(proof.checkpoint, document.name, trust, hints, findings)
    findings.unchecked("proof-alone", document.name, "a proof without its event: inclusion was not checked")


def _text(document: Document, findings: Findings) -> str:
    try:
        return document.content.decode("utf-8")
    except UnicodeDecodeError as error:
        findings.wrong("checkpoint-format", document.name, "not UTF-8", got=str(error))
        return ""
