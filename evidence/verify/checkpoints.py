"""Checkpoints under the caller's policy, and whether all of those given can be of one log (trust-formats §3).

Every checkpoint seen, in a receipt, beside it or on its own, is remembered by origin and size: two roots at one size
are two histories, and no signature makes that good.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evidence.log.checkpoint import Checkpoint, parse_checkpoint
from evidence.log.note import SignedNote, Vkey, parse_note
from evidence.log.policy import Policy, allows_one_history, problems, quorumless
from evidence.log.tlogproof import parse_tlog_proof
from evidence.verify.trust import REFUSALS, Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from evidence.verify.files import Document
    from evidence.verify.findings import Findings


SHOWN = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint with all its signature lines, and where it stood."""

    where: str
    note: SignedNote
    checkpoint: Checkpoint


@dataclass(slots=True)
class History:
    """What was seen of each log: roots by size, leaves by index, and which sizes a proof ties; one per audit."""

    notes: list[Seen] = field(default_factory=list)
    roots: dict[str, dict[int, tuple[bytes, str]]] = field(default_factory=dict)
    leaves: dict[tuple[str, int], tuple[bytes, str]] = field(default_factory=dict)
    tied: dict[tuple[str, int], set[int]] = field(default_factory=dict)

    def see(self, checkpoint: Checkpoint, where: str, findings: Findings) -> None:
        """A size of a log has one root."""
        sizes = self.roots.setdefault(checkpoint.origin, {})
        seen, first = sizes.setdefault(checkpoint.size, (checkpoint.root, where))
        if seen != checkpoint.root:
            message = f"this log shows another root at size {checkpoint.size} than in {first}: two histories"
            got, wanted = checkpoint.root.hex(), f"{seen.hex()} as in {first}"
            findings.wrong("checkpoint-consistency", where, message, got=got, wanted=wanted)

    def see_leaf(self, origin: str, index: int, entry: bytes, where: str, findings: Findings) -> None:
        """An index of a log has one leaf, whatever checkpoint it is proved under."""
        seen, first = self.leaves.setdefault((origin, index), (entry, where))
        if seen != entry:
            message = f"this log has another leaf at index {index} than in {first}: two histories"
            got, wanted = entry.hex(), f"{seen.hex()} as in {first}"
            findings.wrong("checkpoint-consistency", where, message, got=got, wanted=wanted)

    def tie(self, earlier: Checkpoint, later: Checkpoint) -> None:
        """A consistency proof between these two held."""
        self.tied.setdefault((earlier.origin, earlier.size), set()).add(later.size)
        self.tied.setdefault((later.origin, later.size), set()).add(earlier.size)

    def say_untied(self, trust: Trust, findings: Findings) -> None:
        """Checkpoints of one log that nothing given here ties together.

        Witnesses that the caller trusts cosign one history only; where every quorum shares one, no more is asked.
        """
        if _is_one_history(trust):
            return
        for origin, sizes in self.roots.items():
            apart = sorted(sizes.keys() - self._reached(origin, min(sizes)))
            if apart:
                message = f"no proof was given that all checkpoints of {origin} given here are of one history"
                got = f"size {min(sizes)} and {', '.join(map(str, apart[:SHOWN]))}" + ", …" * (len(apart) > SHOWN)
                wanted = "receipts under one checkpoint, a policy with witnesses, or custos-verify log"
                findings.unchecked("checkpoint-consistency", sizes[apart[0]][1], message, got=got, wanted=wanted)

    def ties(self, trust: Trust) -> Callable[[str, int, int], bool]:
        """Whether two sizes of a log are of one history, as far as was shown or witnesses vouch for it."""
        return lambda origin, one, other: _is_one_history(trust) or other in self._reached(origin, one)

    def _reached(self, origin: str, size: int) -> set[int]:
        reached, waiting = {size}, [size]
        while waiting:
            new = self.tied.get((origin, waiting.pop()), set()) - reached
            reached |= new
            waiting += new
        return reached


def _is_one_history(trust: Trust) -> bool:
    return trust.policy is not None and allows_one_history(trust.policy)


def check_note(
    text: str, where: str, trust: Trust, hints: Iterable[Policy], history: History, findings: Findings
) -> Checkpoint | None:
    """The checkpoint in a signed note, its signatures judged; None if there is none to read."""
    try:
        note = parse_note(text)
        checkpoint = parse_checkpoint(note.text)
        hints = [hint for hint in hints if any(vkey.name == checkpoint.origin for vkey in hint.logs)]
        found = _problems(note, trust, hints)
    except REFUSALS as error:
        findings.wrong("checkpoint-format", where, "not a checkpoint that can be judged", got=str(error))
        return None
    history.notes.append(Seen(where, note, checkpoint))
    for problem in found:
        findings.wrong("checkpoint-signature", where, "the checkpoint's signatures", got=problem, wanted=_rule(trust))
    if not found:
        _say_whom(note, checkpoint, where, trust, judged=bool(trust.policy or hints), findings=findings)
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


def _say_whom(
    note: SignedNote, checkpoint: Checkpoint, where: str, trust: Trust, *, judged: bool, findings: Findings
) -> None:
    at = f"checkpoint of {checkpoint.origin} at size {checkpoint.size}"
    if trust.policy:
        findings.ok("checkpoint-signature", where, f"{at}: signed as your policy asks")
        return
    signed = f"its keys are only self-asserted ({len(note.signatures)} signatures)"
    message = f"{at}: no policy was given, so {signed if judged else 'no signature was checked'}"
    findings.unchecked("policy-absent", where, message, wanted="--policy FILE with keys you trust")


def check_checkpoint_file(
    document: Document, trust: Trust, hints: list[Policy], history: History, findings: Findings
) -> None:
    """A checkpoint on its own: its signatures, and whether it agrees with those in the receipts."""
    checkpoint = check_note(_text(document, findings), document.name, trust, hints, history, findings)
    if checkpoint is None:
        return
    history.see(checkpoint, document.name, findings)


def check_bare_proof(
    document: Document, trust: Trust, hints: list[Policy], history: History, findings: Findings
) -> None:
    """A tlog-proof without the event it is of: only its checkpoint can be judged."""
    try:
        proof = parse_tlog_proof(_text(document, findings))
    except REFUSALS as error:
        findings.wrong("checkpoint-format", document.name, "not a tlog-proof", got=str(error))
        return
    checkpoint = check_note(proof.checkpoint, document.name, trust, hints, history, findings)
    if checkpoint is not None:
        history.see(checkpoint, document.name, findings)
    findings.unchecked("proof-alone", document.name, "a proof without its event: inclusion was not checked")


def _text(document: Document, findings: Findings) -> str:
    try:
        return document.content.decode("utf-8")
    except UnicodeDecodeError as error:
        findings.wrong("checkpoint-format", document.name, "not UTF-8", got=str(error))
        return ""
