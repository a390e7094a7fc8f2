"""Whom to trust: C2SP tlog-policy files (`log`, `witness`, `group`, `quorum` lines), read and applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evidence.errors import FormatError, SignatureError
from evidence.log.checkpoint import parse_checkpoint, verify_signature
from evidence.log.note import Vkey, parse_vkey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evidence.log.note import SignedNote


@dataclass(frozen=True, slots=True)
class Group:
    """Satisfied when `threshold` of its members, witnesses or groups, are."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Trusted log keys, witnesses by name, groups by name, and the name of the quorum (None: no witness asked)."""

    logs: tuple[Vkey, ...]
    witnesses: dict[str, Vkey] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str | None = None


def policy_text(logs: Iterable[Vkey]) -> str:
    """A policy that trusts these log keys and asks for no witness."""
    return "".join(f"log {vkey}\n" for vkey in logs) + "quorum none\n"


def parse_policy(text: str) -> Policy:
    """Raises `FormatError` for a line that is not understood: trust is never guessed."""
    logs: list[Vkey] = []
    witnesses: dict[str, Vkey] = {}
    groups: dict[str, Group] = {}
    quorums: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        match words:
            case []:
                continue
            case ["log", vkey] | ["log", vkey, _]:
                logs.append(parse_vkey(vkey))
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                _new_name(name, witnesses, groups, number)
                witnesses[name] = parse_vkey(vkey)
            case ["group", name, threshold, *names]:
                _new_name(name, witnesses, groups, number)
                groups[name] = _group(threshold, names, witnesses, groups, number)
            case ["quorum", name]:
                quorums.append(name)
            case _:
                raise FormatError(f"policy line {number}: not understood: {line[:60]!r}")
    return _whole(logs, witnesses, groups, quorums)


def _whole(logs: list[Vkey], witnesses: dict[str, Vkey], groups: dict[str, Group], quorums: list[str]) -> Policy:
    if not logs or len(quorums) != 1:
        raise FormatError("policy: at least one log line and exactly one quorum line are wanted")
    name = quorums[0]
    if name != "none" and name not in witnesses and name not in groups:
        raise FormatError(f"policy: the quorum {name!r} is neither a witness nor a group")
    return Policy(tuple(logs), witnesses, groups, None if name == "none" else name)


def _new_name(name: str, witnesses: dict[str, Vkey], groups: dict[str, Group], number: int) -> None:
    if name == "none" or name in witnesses or name in groups:
        raise FormatError(f"policy line {number}: the name {name!r} is taken")


def _group(
    threshold: str, names: list[str], witnesses: dict[str, Vkey], groups: dict[str, Group], number: int
) -> Group:
    unknown = [name for name in names if name not in witnesses and name not in groups]
    if unknown or not names or len(set(names)) != len(names):
        raise FormatError(f"policy line {number}: members unknown, doubled or none: {unknown}")
    count = {"any": 1, "all": len(names)}.get(threshold) or (int(threshold) if threshold.isdecimal() else 0)
    if not 1 <= count <= len(names):
        raise FormatError(f"policy line {number}: threshold {threshold!r} of {len(names)} members")
    return Group(count, tuple(names))


def problems(policy: Policy, note: SignedNote) -> list[str]:
    """All that keeps `note` from being trusted under `policy`; empty if nothing does.

    Every key of the log that the policy knows must have signed (trust-formats §3). A signature by a known key that
    does not verify is a problem even where the quorum would be reached without it.
    """
    origin = parse_checkpoint(note.text).origin
    logs = [vkey for vkey in policy.logs if vkey.name == origin]
    if not logs:
        return [f"unknown origin {origin!r}; the policy knows {sorted({v.name for v in policy.logs})}"]
    found: list[str] = []
    valid = {vkey for vkey in (*logs, *policy.witnesses.values()) if _signed_by(vkey, note, found)}
    found += [f"no valid signature by log key {v.name}+{v.keyid.hex()} (type {v.type})" for v in logs if v not in valid]
    if policy.quorum and not _is_met(policy.quorum, policy, valid):
        names = sorted(name for name, vkey in policy.witnesses.items() if vkey in valid)
        found.append(f"quorum {policy.quorum!r} is not reached; valid cosignatures: {names}")
    return found


def _signed_by(vkey: Vkey, note: SignedNote, found: list[str]) -> bool:
    lines = [line for line in note.signatures if (line.name, line.keyid) == (vkey.name, vkey.keyid)]
    for line in lines:
        try:
            verify_signature(note, line, vkey)
        except SignatureError as error:
            found.append(f"signature by {vkey.name}+{vkey.keyid.hex()}: {error}")
            return False
    return bool(lines)


def _is_met(name: str, policy: Policy, valid: set[Vkey]) -> bool:
    if name in policy.witnesses:
        return policy.witnesses[name] in valid
    group = policy.groups[name]
    return sum(_is_met(member, policy, valid) for member in group.members) >= group.threshold
