"""Evidence that a log showed two views that do not fit, in files that speak for themselves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evidence.log.policy import Policy, problems
from evidence.log.views import Relation
from evidence.log.witness import Request
from monitor import keeping

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from evidence.log.views import Tie
    from evidence.verify.trust import Trust
    from evidence.verify.views import View

SHRUNK = """The second checkpoint is smaller than the first, which had been seen before it. A log only grows.

Each of the two may have been honest when it was signed: then somebody shows an old view. The ML-DSA-44 signatures say
when each was signed; a smaller checkpoint that was signed later than the larger one is the log's own misdeed.
"""
ONE_SIZE = """Both checkpoints are of one size and have different roots. The log signed two histories; the two
signatures alone prove it.
"""
TWO_SIZES = """The second checkpoint is larger than the first and does not continue it. In its tree the first {size}
leaves have the root

    {root}

and not that of the first checkpoint. `proof` shows it to anybody, without the log: in the form of a request to a
witness (C2SP tlog-witness, add-checkpoint) it holds the hashes of a consistency proof (RFC 6962 section 2.1.2) that
lead from the root above, at size {size}, to the root that the second checkpoint signs. {lack}
"""
UNPROVED = "Here the hashes could not be had; the leaves that the log served made the root above."


@dataclass(frozen=True, slots=True)
class Accusation:
    """`second` was shown after `first` and does not fit it; `tie` is what the second tree has at the first's size."""

    kind: Relation
    first: View
    second: View
    tie: Tie | None = None

    @property
    def name(self) -> str:
        """The same for the same two checkpoints, whoever signed them besides the log."""
        first, second = self.first.checkpoint, self.second.checkpoint
        digest = hashlib.sha256(f"{first.text}{second.text}".encode()).hexdigest()
        return f"{self.kind.value}-{first.size}-{second.size}-{digest[:16]}"


def accuse(folder: Path | None, accusation: Accusation, trust: Trust, now: dt.datetime) -> None:
    """Keep it, if there is a folder to keep it in. Raises `OSError`."""
    if folder is None:
        return
    first, second, tie = accusation.first, accusation.second, accusation.tie
    files = {"first.checkpoint": first.text.encode(), "second.checkpoint": second.text.encode()}
    if tie is not None:
        files["proof"] = str(Request(first.checkpoint.size, tie.hashes, second.text)).encode()
    files["README"] = _explained(accusation, trust, now).encode()
    keeping.keep_evidence(folder, accusation.name, files)


def _explained(accusation: Accusation, trust: Trust, now: dt.datetime) -> str:
    first, second, tie = accusation.first, accusation.second, accusation.tie
    lines = [
        f"Two views of the log {second.checkpoint.origin} that do not fit, kept at {now.isoformat(timespec='seconds')}",
        "",
        f"first.checkpoint   size {first.checkpoint.size}, from {first.where}: {_signed(first, trust)}",
        f"second.checkpoint  size {second.checkpoint.size}, from the log itself: {_signed(second, trust)}",
        "",
    ]
    if accusation.kind is Relation.SHRUNK:
        return "\n".join((*lines, SHRUNK))
    if tie is None:
        return "\n".join((*lines, ONE_SIZE))
    lack = "" if tie.hashes else UNPROVED
    return "\n".join((*lines, TWO_SIZES.format(size=first.checkpoint.size, root=tie.root.hex(), lack=lack)))


def _signed(view: View, trust: Trust) -> str:
    if trust.policy is None:
        return "no policy was given, so no signature was checked"
    found = problems(Policy(trust.policy.logs), view.note)
    if found and view.counts:
        return f"held by the policy of its time, or when it was kept; not by the one of today ({'; '.join(found)})"
    return "; ".join(found) or "signed with every key of the log in the policy"
