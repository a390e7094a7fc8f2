"""Whom to trust: C2SP tlog-policy files (`log`, `witness`, `group`, `quorum` lines), read and applied."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evidence.errors import FormatError, SignatureError
from evidence.log.checkpoint import parse_checkpoint, verify_signature
from evidence.log.note import COSIGNATURE_V1, ED25519, ML_DSA_44, Vkey, parse_vkey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evidence.log.note import SignedNote


LOG_KEYS = frozenset({ED25519, ML_DSA_44})
WITNESS_KEYS = frozenset({COSIGNATURE_V1, ML_DSA_44})
NO_WITNESS = "quorum none\n"
_COUNT = re.compile(r"[0-9]{1,9}")


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
    urls: dict[str, str] = field(default_factory=dict)
    """Where witnesses can be reached, for those that say so."""


def quorumless(policy: Policy) -> Policy:
    """The same keys, asking for no witness: what an archive says of itself is no rule for the caller."""
    return Policy(policy.logs, policy.witnesses)


def allows_one_history(policy: Policy) -> bool:
    """Whether any two sets of witnesses that reach the quorum share one, so that a log cannot show each set its own."""
    return policy.quorum is not None and _overlaps(policy.quorum, policy)


def _overlaps(name: str, policy: Policy) -> bool:
    if name in policy.witnesses:
        return True
    group = policy.groups[name]
    return 2 * group.threshold > len(group.members) and all(_overlaps(member, policy) for member in group.members)


def policy_text(logs: Iterable[Vkey], witnesses: str = NO_WITNESS) -> str:
    """A policy that trusts these log keys; `witnesses` are the lines of witnesses, groups and quorum."""
    return "".join(f"log {vkey}\n" for vkey in logs) + witnesses


def parse_policy(text: str) -> Policy:
    """Raises `FormatError` for a line that is not understood: trust is never guessed."""
    logs: list[Vkey] = []
    witnesses: dict[str, Vkey] = {}
    groups: dict[str, Group] = {}
    quorums: list[str] = []
    urls: dict[str, str] = {}
    if not all(char in "\n\t" or char.isprintable() for char in text):
        raise FormatError("policy: a control character; lines of printable text are wanted")
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split("#", 1)[0].split()
        match words:
            case []:
                continue
            case ["log", vkey] | ["log", vkey, _]:
                logs.append(_key(vkey, LOG_KEYS, number))
            case ["witness", name, vkey, *url] if len(url) <= 1:
                _new_name(name, witnesses, groups, number)
                witnesses[name] = _key(vkey, WITNESS_KEYS, number)
                urls.update((name, address) for address in url)
            case ["group", name, threshold, *names]:
                _new_name(name, witnesses, groups, number)
                groups[name] = _group(threshold, names, witnesses, groups, number)
            case ["quorum", name]:
                quorums.append(name)
            case _:
                raise FormatError(f"policy line {number}: not understood: {line[:60]!r}")
    _refuse_doubles(logs, witnesses, groups)
    if not logs or len(quorums) != 1:
        raise FormatError("policy: at least one log line and exactly one quorum line are wanted")
    name = quorums[0]
    if name != "none" and name not in witnesses and name not in groups:
        raise FormatError(f"policy: the quorum {name!r} is neither a witness nor a group")
    return Policy(tuple(logs), witnesses, groups, None if name == "none" else name, urls)


def _refuse_doubles(logs: list[Vkey], witnesses: dict[str, Vkey], groups: dict[str, Group]) -> None:
    publics = [vkey.public for vkey in (*logs, *witnesses.values())]
    if len(set(publics)) != len(publics):
        raise FormatError("policy: a public key stands twice; one signer may not count as two")
    members = [name for group in groups.values() for name in group.members]
    if len(set(members)) != len(members):
        raise FormatError("policy: a name stands in two groups; one witness may not count twice")


def _key(text: str, types: frozenset[int], number: int) -> Vkey:
    vkey = parse_vkey(text)
    if vkey.type not in types:
        raise FormatError(f"policy line {number}: a key of type {vkey.type:#04x} cannot be used so")
    return vkey


def _new_name(name: str, witnesses: dict[str, Vkey], groups: dict[str, Group], number: int) -> None:
    if name == "none" or name in witnesses or name in groups:
        raise FormatError(f"policy line {number}: the name {name!r} is taken")


def _group(
    threshold: str, names: list[str], witnesses: dict[str, Vkey], groups: dict[str, Group], number: int
) -> Group:
    unknown = [name for name in names if name not in witnesses and name not in groups]
    if unknown or not names or len(set(names)) != len(names):
        raise FormatError(f"policy line {number}: members unknown, doubled or none: {unknown}")
    count = {"any": 1, "all": len(names)}.get(threshold) or (int(threshold) if _COUNT.fullmatch(threshold) else 0)
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
