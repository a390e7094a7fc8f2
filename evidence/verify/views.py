"""A log's newest checkpoint, judged by itself and against those that were seen before (trust-formats §3)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evidence.errors import SignatureError
from evidence.log.checkpoint import Checkpoint, parse_checkpoint, verify_signature
from evidence.log.note import SignedNote, parse_note
from evidence.log.policy import Policy, problems, quorumless
from evidence.log.tlogproof import parse_tlog_proof
from evidence.log.views import Relation, Tie, relation
from evidence.opening import parse_receipt
from evidence.verify.checkpoints import History
from evidence.verify.receipts import open_receipt
from evidence.verify.timestamps import CLOCKS_APART
from evidence.verify.trust import REFUSALS, Trust

if TYPE_CHECKING:
    from evidence.verify.findings import Findings

LAST_MOMENT = int(dt.datetime(9999, 1, 1, tzinfo=dt.UTC).timestamp())


@dataclass(frozen=True, slots=True)
class View:
    """A signed checkpoint as it was met: the exact note, what it says, and where it was found."""

    text: str
    checkpoint: Checkpoint
    where: str
    counts: bool
    """The log signed it, as far as can be told: with each of its keys that the policy knows, or no policy was given."""

    @property
    def note(self) -> SignedNote:
        return parse_note(self.text)


def judge_view(data: bytes, where: str, trust: Trust, findings: Findings, *, ask_quorum: bool) -> View | None:
    """The checkpoint in `data` with its signatures judged; None if there is none to read."""
    try:
        text = data.decode("utf-8")
        note = parse_note(text)
        checkpoint = parse_checkpoint(note.text)
    except REFUSALS as error:
        findings.wrong("checkpoint-format", where, "not a checkpoint", got=str(error))
        return None
    at = f"checkpoint of {checkpoint.origin} at size {checkpoint.size}"
    if trust.policy is None:
        message = f"{at}: no policy was given, so no signature was checked"
        findings.unchecked("policy-absent", where, message, wanted="--policy FILE with keys you trust")
        return View(text, checkpoint, where, counts=True)
    if _is_stranger(checkpoint, trust.policy, where, findings):
        return View(text, checkpoint, where, counts=False)
    _judge_signatures(note, trust.policy, at, where, findings, ask_quorum=ask_quorum)
    return View(text, checkpoint, where, counts=not problems(Policy(trust.policy.logs), note))


def judge_old(data: bytes, where: str, trust: Trust, findings: Findings) -> View | None:
    """A checkpoint that the caller kept, or the one in a receipt, which is then judged as a whole, tokens included."""
    if data[:1] == b"{":
        opened = open_receipt(data, where, trust, History(), findings)
        if opened is None or opened.checkpoint is None:
            return None
        data = parse_tlog_proof(parse_receipt(data).proof).checkpoint.encode()
    elif trust.authorities:
        message = "a checkpoint alone carries no timestamp"
        findings.unchecked("timestamp-absent", where, message, wanted="--since RECEIPT, which may carry some")
    return judge_view(data, where, trust, findings, ask_quorum=False)


def _is_stranger(checkpoint: Checkpoint, policy: Policy, where: str, findings: Findings) -> bool:
    origins = sorted({vkey.name for vkey in policy.logs})
    if checkpoint.origin in origins:
        return False
    message = "the checkpoint is of a log that your policy does not know"
    findings.wrong("checkpoint-origin", where, message, got=checkpoint.origin, wanted=" or ".join(origins))
    return True


def _judge_signatures(
    note: SignedNote, policy: Policy, at: str, where: str, findings: Findings, *, ask_quorum: bool
) -> None:
    found = problems(quorumless(policy), note)
    for problem in found:
        wanted = "valid under your policy"
        findings.wrong("checkpoint-signature", where, "the checkpoint's signatures", got=problem, wanted=wanted)
    lacking = [problem for problem in problems(policy, note) if problem not in found] if ask_quorum else []
    for problem in lacking:
        message = "too few of your witnesses cosigned the checkpoint"
        findings.wrong("checkpoint-quorum", where, message, got=problem, wanted="the quorum of your policy")
    if not found and not lacking:
        asked = "signed as your policy asks" if ask_quorum else "signed by the log"
        findings.ok("checkpoint-signature", where, f"{at}: {asked}")


def say_times(view: View, trust: Trust, now: dt.datetime, findings: Findings) -> None:
    """When the log and its witnesses signed, each by its own clock. A log that stands still is no error."""
    if trust.policy is None:
        return
    times = _times(view, trust.policy)
    if not times:
        return
    said = ", ".join(f"{name} {_moment(seconds)}" for name, seconds in times.items())
    newest = max(times.values())
    if newest > (now + CLOCKS_APART).timestamp():
        message = f"signed later than it is here: {said}"
        findings.unchecked("checkpoint-time", view.where, message, wanted=f"at most {now.isoformat()}")
    else:
        age = dt.timedelta(seconds=int(now.timestamp()) - newest)
        message = f"signed {age} ago, by the clocks of those who signed: {said}"
        findings.ok("checkpoint-time", view.where, message)


def _times(view: View, policy: Policy) -> dict[str, int]:
    """Seconds since 1970 by the name of each whose signature holds and carries a time."""
    keys = [("the log", vkey) for vkey in policy.logs if vkey.name == view.checkpoint.origin]
    times: dict[str, int] = {}
    for name, vkey in (*keys, *policy.witnesses.items()):
        for line in view.note.signatures:
            if (line.name, line.keyid) == (vkey.name, vkey.keyid):
                try:
                    seconds = verify_signature(view.note, line, vkey)
                except SignatureError:
                    continue
                if seconds is not None:
                    times[name] = seconds
    return times


def _moment(seconds: int) -> str:
    if seconds >= LAST_MOMENT:
        return f"{seconds} s after 1970"
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


def compare(earlier: View, later: View, findings: Findings) -> Relation:
    """What the two say of each other without any leaf; `OPEN` is left to the leaves and says nothing."""
    found, old, new = relation(earlier.checkpoint, later.checkpoint), earlier.checkpoint, later.checkpoint
    if found is Relation.OTHER_ORIGIN:
        message = f"the checkpoint is of another log than the one in {earlier.where}"
        findings.wrong("checkpoint-origin", later.where, message, got=new.origin, wanted=old.origin)
    elif found is Relation.SHRUNK:
        message = f"the log is smaller than in {earlier.where}: it was rolled back, or an old view is shown"
        findings.wrong("log-shrunk", later.where, message, got=f"size {new.size}", wanted=f"at least {old.size}")
    elif found is Relation.FORKED:
        say_fork(earlier, later, new.root, findings)
    elif found is not Relation.OPEN:
        findings.ok("checkpoint-consistency", later.where, f"continues {earlier.where} (size {old.size})")
    return found


def say_fork(earlier: View, later: View, root: bytes, findings: Findings) -> None:
    """`root` is what the later log has at the earlier size."""
    size, wanted = earlier.checkpoint.size, earlier.checkpoint.root.hex()
    message = f"the log has another root at size {size} than in {earlier.where}: two histories"
    findings.wrong("log-fork", later.where, message, got=root.hex(), wanted=wanted)


def say_continues(earlier: View, later: View, tie: Tie | None, findings: Findings) -> bool:
    """By a proof that leads to the later root, or None where none did; whether it is a fork."""
    if tie is None:
        message = f"the tiles do not lead to the checkpoint, so whether it continues {earlier.where} was not shown"
        findings.unchecked("checkpoint-consistency", later.where, message, wanted="tiles under its root")
        return False
    if tie.root != earlier.checkpoint.root:
        say_fork(earlier, later, tie.root, findings)
        return True
    findings.ok("checkpoint-consistency", later.where, f"continues {earlier.where} (size {earlier.checkpoint.size})")
    return False
