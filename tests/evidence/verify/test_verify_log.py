"""What is said of a log's checkpoint and of its tiles, without a network."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest

from evidence.keys import Ed25519Signer, MlDsa44Signer
from evidence.log.checkpoint import Checkpoint, sign_checkpoint
from evidence.log.growth import Growth, tiles_between
from evidence.log.hashing import leaf_hash, tree_root
from evidence.log.note import ED25519, ML_DSA_44, Vkey
from evidence.log.policy import Policy, parse_policy, policy_text
from evidence.log.tile import entry_bundle
from evidence.log.views import Tie
from evidence.verify.findings import Findings
from evidence.verify.report import as_lines
from evidence.verify.tiles import MOST_WRONG, TileCheck
from evidence.verify.trust import Trust
from evidence.verify.views import View, judge_old, judge_view, say_continues, say_times

ORIGIN = "a.example/log"
SIGNERS = Ed25519Signer(b"1" * 32), MlDsa44Signer(b"1" * 32)
KEYS = Vkey(ORIGIN, ED25519, SIGNERS[0].public), Vkey(ORIGIN, ML_DSA_44, SIGNERS[1].public)
POLICY = parse_policy(policy_text(KEYS))
TRUST = Trust(POLICY, ())
NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
ENTRIES = [hashlib.sha256(b"%d" % n).digest() for n in range(600)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def note(size: int = 600, signed: int = int(NOW.timestamp()) - 90) -> bytes:
    return str(sign_checkpoint(Checkpoint(ORIGIN, size, tree_root(LEAVES[:size])), *SIGNERS, signed)).encode()


def view(data: bytes, trust: Trust = TRUST) -> View:
    found = judge_view(data, "checkpoint", trust, Findings(), ask_quorum=True)
    assert found is not None
    return found


def said(findings: Findings) -> list[tuple[str, str]]:
    return [(item.level, item.code) for item in findings.said]


def test_the_time_of_signing_is_said_and_is_no_error_however_old() -> None:
    for age in (0, 90, 10**9):
        findings = Findings()
        say_times(view(note(signed=int(NOW.timestamp()) - age)), TRUST, NOW, findings)
        assert said(findings) == [("ok", "checkpoint-time")]
    assert f"signed {dt.timedelta(seconds=10**9)} ago" in findings.said[0].message


@pytest.mark.parametrize("signed", [int(NOW.timestamp()) + 3600, 2**40, 2**63])
def test_a_time_that_is_not_yet_leaves_something_open(signed: int) -> None:
    findings = Findings()
    say_times(view(note(signed=signed)), TRUST, NOW, findings)
    assert said(findings) == [("unchecked", "checkpoint-time")]


def test_no_time_is_said_that_no_known_key_signed() -> None:
    findings = Findings()
    say_times(view(note(), Trust(None, ())), Trust(None, ()), NOW, findings)
    plain = Trust(Policy(KEYS[:1]), ())
    say_times(view(note(), plain), plain, NOW, findings)
    signed = note()
    flipped = signed[:-40] + bytes(65 + (char == 65) for char in signed[-40:-36]) + signed[-36:]
    say_times(View(flipped.decode(), view(note()).checkpoint, "checkpoint", counts=True), TRUST, NOW, findings)
    assert said(findings) == []


def test_what_was_not_shown_to_continue_is_said_to_be_open() -> None:
    findings, earlier, later = Findings(), view(note(500)), view(note())
    assert not say_continues(earlier, later, None, findings)
    assert not say_continues(earlier, later, Tie(earlier.checkpoint.root, ()), findings)
    assert say_continues(earlier, later, Tie(LEAVES[0], ()), findings)
    assert said(findings) == [
        ("unchecked", "checkpoint-consistency"), ("ok", "checkpoint-consistency"), ("wrong", "log-fork")
    ]  # fmt: skip


@pytest.mark.parametrize("data", [b"{", b'{"format":"custos/receipt@1"}', b"\xff", b""])
def test_an_old_checkpoint_that_cannot_be_read(data: bytes) -> None:
    findings = Findings()
    assert judge_old(data, "old", TRUST, findings) is None
    assert findings.exit_status == 1


def check(start: Growth, marks: frozenset[int] = frozenset()) -> tuple[TileCheck, Findings]:
    findings = Findings()
    return TileCheck(start, 600, marks, findings), findings


def served() -> dict[str, bytes]:
    """All tiles of 600 leaves by path."""
    growth, tiles = Growth(), {}
    for at in range(0, 600, 256):
        stop = min(at + 256, 600)
        tiles |= {tile.path: row for tile, row in growth.add(b"".join(LEAVES[at:stop]))}
        path = f"tile/entries/{at // 256:03}" + (f".p/{stop - at}" if stop - at < 256 else "")
        tiles[path] = entry_bundle(ENTRIES[at:stop])
    return tiles | {tile.path: row for tile, row in growth.partial()}


def test_roots_at_the_sizes_that_are_asked_for() -> None:
    marks = frozenset({0, 1, 256, 257, 599, 600})
    reading, findings = check(Growth(), marks)
    for tile in tiles_between(0, 600):
        reading.take(tile, served()[tile.path])
    assert reading.roots == {size: tree_root(LEAVES[:size]) for size in marks}
    assert reading.leads_to(view(note()).checkpoint, "checkpoint")
    assert not reading.leads_to(Checkpoint(ORIGIN, 600, LEAVES[0]), "checkpoint")
    assert reading.is_clean
    assert said(findings) == [("ok", "log-root"), ("wrong", "log-root")]


def test_a_log_of_wrong_tiles_is_not_read_to_its_end() -> None:
    findings = Findings()
    reading = TileCheck(Growth(), 1 << 40, frozenset(), findings)
    taken = 0
    for tile in tiles_between(0, 1 << 40):
        if reading.stopped:
            break
        taken += 1
        reading.take(tile, entry_bundle(ENTRIES[:256]) if tile.level is None else bytes(8192))
    assert len(findings.said) == MOST_WRONG
    assert taken == 2 * MOST_WRONG
    assert not reading.leads_to(Checkpoint(ORIGIN, 1 << 40, LEAVES[0]), "checkpoint")
    assert said(findings)[-1] == ("unchecked", "log-root")


def test_one_line_a_finding() -> None:
    findings = Findings()
    findings.ok("log-root", "checkpoint", "fine")
    assert as_lines(findings, only_open=True) == ""
    findings.unchecked("policy-absent", "checkpoint", "not\nfine")
    assert as_lines(findings, only_open=True) == "unchecked policy-absent §10  checkpoint: not\\nfine"
    assert len(as_lines(findings).split("\n")) == 3
