"""What a verifier says: findings with a code, a clause of docs/trust-formats.md, what was got and wanted.

Every code that may be said is listed here with its clause, so that a reader of a report can look up the rule and a
writer of a check cannot invent a code in passing. The exit status follows from the findings alone (§10).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

type Level = Literal["ok", "unchecked", "wrong"]

ALL_CHECKED = 0
SOMETHING_WRONG = 1
USAGE = 2
SOMETHING_UNCHECKED = 3

CLAUSES = {
    "file-digest": "§1",
    "file-size": "§2",
    "file-unknown": "§1",
    "file-untied": "§1",
    "file-absent": "§5",
    "file-deaccessioned": "§2",
    "file-unreadable": "§10",
    "file-too-large": "§10",
    "file-link": "§10",
    "nothing-given": "§10",
    "receipt-format": "§5",
    "receipt-event": "§2",
    "receipt-outcome": "§2",
    "receipt-commitment": "§2",
    "receipt-inclusion": "§3",
    "receipt-disclosure": "§2",
    "receipt-policy": "§5",
    "receipt-absent": "§6",
    "checkpoint-format": "§3",
    "checkpoint-signature": "§3",
    "checkpoint-policy": "§3",
    "checkpoint-consistency": "§3",
    "checkpoint-origin": "§3",
    "checkpoint-quorum": "§3",
    "checkpoint-time": "§3",
    "log-root": "§3",
    "log-shrunk": "§3",
    "log-fork": "§3",
    "log-evidence": "§3",
    "tile-format": "§3",
    "tile-short": "§3",
    "tile-entries": "§3",
    "tile-hashes": "§3",
    "tile-changed": "§3",
    "tile-missing": "§3",
    "answer-too-large": "§10",
    "answer-slow": "§10",
    "answer-status": "§10",
    "answer-garbled": "§10",
    "answer-none": "§10",
    "proof-alone": "§3",
    "policy-absent": "§10",
    "timestamp": "§4",
    "timestamp-absent": "§4",
    "timestamp-authority": "§4",
    "attestation-format": "§6",
    "attestation-keys": "§6",
    "attestation-signature": "§6",
    "attestation-output": "§6",
    "attestation-absent": "§6",
    "result-format": "§6",
    "result-attestation": "§6",
    "result-inputs": "§6",
    "result-absent": "§6",
    "result-figures": "§6",
    "parse-absent": "§6",
    "sources-format": "§1",
    "sources-count": "§1",
    "sources-absent": "§1",
    "lines": "§1",
    "lines-absent": "§1",
    "lines-unread": "§1",
    "disclosure-format": "§7",
    "disclosure-root": "§7",
    "disclosure-receipt": "§7",
    "disclosure-lines": "§7",
    "keys-format": "§9",
    "keys-differ": "§9",
    "keys-absent": "§9",
    "key-event": "§9",
    "key-statement": "§9",
    "key-checkpoint": "§9",
    "key-introduction": "§9",
    "key-end": "§9",
    "key-event-lost": "§9",
}


@dataclass(frozen=True, slots=True)
class Finding:
    code: str
    clause: str
    message: str
    where: str
    got: str
    wanted: str
    level: Level


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a result, and how many of its byte ranges were found and counted in one raw file."""

    result: str
    finding: str
    title: str
    value: int
    ranges: int
    blob: str
    file: str
    followed: bool


@dataclass(slots=True)
class Findings:
    """Collects findings in the order of the checks; owned by one audit."""

    said: list[Finding] = field(default_factory=list)
    numbers: list[Number] = field(default_factory=list)
    _once: set[Finding] = field(default_factory=set)

    def ok(self, code: str, where: str, message: str, *, got: str = "", wanted: str = "") -> None:
        self._say("ok", code, where, message, got, wanted)

    def unchecked(self, code: str, where: str, message: str, *, got: str = "", wanted: str = "") -> None:
        self._say("unchecked", code, where, message, got, wanted)

    def wrong(self, code: str, where: str, message: str, *, got: str = "", wanted: str = "") -> None:
        self._say("wrong", code, where, message, got, wanted)

    def _say(self, level: Level, code: str, where: str, message: str, got: str, wanted: str) -> None:
        finding = Finding(code, CLAUSES[code], message, where, got, wanted, level)
        if finding not in self._once:
            self._once.add(finding)
            self.said.append(finding)

    def of(self, level: Level) -> Iterator[Finding]:
        return (finding for finding in self.said if finding.level == level)

    @property
    def wrongs(self) -> int:
        """How many were wrong so far."""
        return sum(1 for _ in self.of("wrong"))

    @property
    def exit_status(self) -> int:
        if any(self.of("wrong")):
            return SOMETHING_WRONG
        if any(self.of("unchecked")) or not self.said or not all(number.followed for number in self.numbers):
            return SOMETHING_UNCHECKED
        return ALL_CHECKED
