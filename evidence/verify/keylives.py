"""The lives of the archive's keys, as events in its own ledger tell them (trust-formats §9).

A key signs checkpoints larger than `after`, and statements whose event has an index of at least that. With the event
that ends it, at an index i, its last size is i + 1. No clock and no list of the archive's decides, but positions under
checkpoints that the caller trusts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evidence.errors import EvidenceError, FormatError
from evidence.keys import ED25519
from evidence.log.checkpoint import verify_signature
from evidence.log.note import ED25519 as NOTE_ED25519
from evidence.log.note import ML_DSA_44, Vkey
from evidence.opening import KEY_EVENTS, KEY_INTRODUCTION, KEY_REVOCATION
from evidence.strictjson import members
from evidence.verify.attestations import vouched_keys
from evidence.verify.trust import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evidence.attest.dsse import PublicKey
    from evidence.log.checkpoint import Checkpoint
    from evidence.verify.checkpoints import Seen
    from evidence.verify.findings import Findings
    from evidence.verify.receipts import OpenReceipt

LOG, DSSE = "log", "dsse"


@dataclass(slots=True)
class Life:
    """What the events that were given tell of one key; the ends that none tells of are open."""

    key: PublicKey
    purpose: str
    after: int = 0
    last: int | None = None
    bound: int | None = None
    """Size of a checkpoint under which its revocation was shown: what is of that history was there before."""
    told: dict[str, str] = field(default_factory=dict)
    """Receipts by the turn that they tell of: the beginning, or how it ended."""

    def allows_size(self, size: int) -> bool:
        return self.after < size and (self.last is None or size <= self.last)

    def allows_index(self, index: int) -> bool:
        return self.after <= index and (self.last is None or index < self.last)

    @property
    def said(self) -> str:
        end = "" if self.last is None else f" up to size {self.last}"
        return f"after size {self.after}{end} ({', '.join(f'{turn} in {where}' for turn, where in self.told.items())})"


@dataclass(frozen=True, slots=True)
class Turn:
    """A key event that was opened: at which index of which log, and of which keys."""

    where: str
    origin: str
    index: int
    size: int
    type: str
    purpose: str
    after: int
    keys: dict[str, PublicKey]
    next: dict[str, PublicKey]


@dataclass(slots=True)
class Lives:
    """By origin and key id, and the turns that tell of them as they stand in their logs; filled by one audit."""

    known: dict[tuple[str, str], Life] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)

    def of(self, origin: str, keyid: str) -> Life | None:
        return self.known.get((origin, keyid))

    def of_log(self, origin: str) -> Iterator[Life]:
        return (life for (log, _), life in self.known.items() if log == origin and life.purpose == LOG)

    def of_statements(self, origin: str) -> Iterator[Life]:
        return (life for (log, _), life in self.known.items() if log == origin and life.purpose == DSSE)


def read_lives(receipts: Iterable[OpenReceipt], findings: Findings) -> Lives:
    """From every key event whose place in the ledger was shown; what contradicts itself is said."""
    turns = sorted(_turns(receipts, findings), key=lambda turn: (turn.origin, turn.index))
    lives = Lives(turns=turns)
    for turn in turns:
        for keyid, key in turn.keys.items():
            life = lives.known.setdefault((turn.origin, keyid), Life(key, turn.purpose))
            _live(life, turn, findings)
    _compare_next(turns, findings)
    return lives


def _turns(receipts: Iterable[OpenReceipt], findings: Findings) -> Iterator[Turn]:
    for receipt in receipts:
        if receipt.event.type not in KEY_EVENTS or receipt.index is None or receipt.checkpoint is None:
            continue
        try:
            yield _turn(receipt, receipt.checkpoint, receipt.index)
        except REFUSALS as error:
            findings.wrong("key-event", receipt.where, f"a {receipt.event.type} that cannot be used", got=str(error))


def _turn(receipt: OpenReceipt, checkpoint: Checkpoint, index: int) -> Turn:
    """Raises `FormatError`."""
    detail: dict[str, Any] = receipt.event.detail
    begins = receipt.event.type == KEY_INTRODUCTION
    if begins:
        members(detail, {"purpose": str, "after": int, "keys": list}, "key introduction")
    else:
        members(detail, {"purpose": str, "reason": str, "keys": list, "next": list}, receipt.event.type)
    after = detail["after"] if begins else 0
    if detail["purpose"] not in (LOG, DSSE) or not 0 <= after <= index:
        raise FormatError(f"keys for {detail['purpose']!r} after size {after}, introduced at index {index}")
    following = {} if begins else vouched_keys({"keys": detail["next"]})
    keys = vouched_keys(detail)
    at = (receipt.where, checkpoint.origin, index, checkpoint.size)
    return Turn(*at, receipt.event.type, detail["purpose"], after, keys, following)


def _live(life: Life, turn: Turn, findings: Findings) -> None:
    begins = turn.type == KEY_INTRODUCTION
    told = [name for name in life.told if (name == KEY_INTRODUCTION) == begins]
    if life.purpose != turn.purpose or (told and (life.after, life.last) != _moved(life, turn)):
        message = f"tells of the key {life.key.keyid} otherwise than {', '.join(life.told.values())}"
        findings.wrong("key-event", turn.where, message, got=f"{turn.type} at index {turn.index}", wanted=life.said)
        return
    life.after, life.last = _moved(life, turn)
    life.told.setdefault(turn.type, turn.where)
    if turn.type == KEY_REVOCATION:
        life.bound = turn.size


def _moved(life: Life, turn: Turn) -> tuple[int, int | None]:
    """From which size and up to which, with this turn."""
    return (turn.after, life.last) if turn.type == KEY_INTRODUCTION else (life.after, turn.index + 1)


def _compare_next(turns: Sequence[Turn], findings: Findings) -> None:
    """Whoever ends keys names those that follow, and no others may."""
    for end in turns:
        for begin in turns:
            follows = (begin.origin, begin.purpose, begin.after) == (end.origin, end.purpose, end.index + 1)
            if end.next and follows and begin.type == KEY_INTRODUCTION and begin.keys != end.next:
                message = f"introduces other keys than {end.where}, which ended those before, named as the next"
                got, wanted = ", ".join(sorted(begin.keys)), ", ".join(sorted(end.next))
                findings.wrong("key-event", begin.where, message, got=got, wanted=wanted)


def check_statement_keys(lives: Lives, receipts: Iterable[OpenReceipt], findings: Findings) -> None:
    """The keys that the event of a derivation names were in force where the event stands."""
    for receipt in receipts:
        if not receipt.is_of_derivation or receipt.index is None or receipt.checkpoint is None:
            continue
        for keyid in _named(receipt):
            life = lives.of(receipt.checkpoint.origin, keyid)
            at = f"index {receipt.index}"
            if life is None:
                continue
            if life.purpose == DSSE and life.allows_index(receipt.index):
                findings.ok("key-statement", receipt.where, f"the key {keyid} was in force at {at}")
            else:
                message = f"the event names the {life.purpose} key {keyid}, which may sign no statement there"
                findings.wrong("key-statement", receipt.where, message, got=at, wanted=life.said)


def _named(receipt: OpenReceipt) -> list[str]:
    try:
        return list(vouched_keys(receipt.event.detail))
    except REFUSALS:
        return []  # said where the attestation is checked


def check_checkpoint_keys(
    lives: Lives, notes: Iterable[Seen], is_tied: Callable[[str, int, int], bool], findings: Findings
) -> None:
    """Every signature by a log key on a checkpoint is of the key's time.

    Whoever stole a key can sign any size of its time afterwards, so a checkpoint by a key that was revoked has to be
    of the history that revoked it: `is_tied` says that of two sizes of a log.
    """
    for seen in notes:
        for life in lives.of_log(seen.checkpoint.origin):
            if not _has_signed(life, seen):
                continue
            origin, size = seen.checkpoint.origin, f"size {seen.checkpoint.size}"
            if not life.allows_size(seen.checkpoint.size):
                message = f"signed with the key {life.key.keyid}, which was not in force at this size"
                findings.wrong("key-checkpoint", seen.where, message, got=size, wanted=life.said)
            elif life.bound is not None and not is_tied(origin, seen.checkpoint.size, life.bound):
                message = f"signed with the key {life.key.keyid}, which was revoked: whoever has it can sign this size"
                wanted = f"a proof that it is of the history of size {life.bound} that revoked it, or custos-verify log"
                findings.unchecked("key-checkpoint", seen.where, message, got=size, wanted=wanted)
            else:
                findings.ok("key-checkpoint", seen.where, f"the key {life.key.keyid} was in force at {size}")


def _has_signed(life: Life, seen: Seen) -> bool:
    kind = NOTE_ED25519 if life.key.algorithm == ED25519 else ML_DSA_44
    vkey = Vkey(seen.checkpoint.origin, kind, life.key.public)
    for line in seen.note.signatures:
        if (line.name, line.keyid) == (vkey.name, vkey.keyid):
            try:
                verify_signature(seen.note, line, vkey)
            except EvidenceError:
                continue  # said where the checkpoint was judged, if the caller trusts that key
            return True
    return False
