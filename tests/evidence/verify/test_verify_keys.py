"""The lives of keys: what each may have signed follows from where its events stand, and a broken twin is told by code."""

from __future__ import annotations

import base64

import pytest

from evidence.attest.dsse import PublicKey
from evidence.canonical import canonical
from evidence.keys import Ed25519Signer, MlDsa44Signer
from evidence.log.checkpoint import Checkpoint, sign_checkpoint
from evidence.log.note import parse_note
from evidence.verify.audit import audit
from evidence.verify.checkpoints import History, Seen
from evidence.verify.findings import Findings
from evidence.verify.keylives import Life, Lives, check_checkpoint_keys
from evidence.verify.trust import Trust, load_trust
from tests.evidence.verify.keyworld import UNIX, World, listed


@pytest.fixture
def world(golden) -> World:
    return World(golden)


@pytest.fixture
def found(world, tmp_path):
    """Codes by level of these files for who trusts the log's old keys, or the given ones."""

    def of(files: dict[str, bytes], signers=None) -> dict[str, set[str]]:
        folder = tmp_path / "given"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        (tmp_path / "policy.txt").write_text(world.policy(signers or world.old["log"]))
        findings = audit([folder], load_trust(tmp_path / "policy.txt", None))
        return {level: {item.code for item in findings.of(level)} for level in ("ok", "wrong", "unchecked")}

    return of


def test_all_that_was_signed_in_its_keys_time_is_so_said(world, found) -> None:
    said = found(world.receipts(*range(7)))
    assert said["wrong"] == set()
    assert {"key-statement", "key-checkpoint"} <= said["ok"]


def test_after_the_revocation_the_new_keys_sign(world, found) -> None:
    said = found(world.receipts(*range(8), size=8, signers=world.new["log"]), world.new["log"])
    assert said["wrong"] == set()
    assert "key-checkpoint" in said["ok"]


def test_without_events_about_keys_nothing_is_said_of_their_lives(world, found) -> None:
    said = found(world.receipts(2, 5))
    assert not {"key-statement", "key-checkpoint", "key-event"} & set().union(*said.values())


@pytest.mark.parametrize("given", [(3,), (1, 3, 4)])
def test_a_statement_by_a_key_that_was_rotated_before_is_wrong(world, found, given) -> None:
    world.events[5] = world.creation(5, world.old["dsse"])
    assert found(world.receipts(5, *given))["wrong"] == {"key-statement"}


def test_a_statement_by_a_key_that_was_not_yet_introduced_is_wrong(world, found) -> None:
    world.events[2] = world.creation(2, world.new["dsse"])
    assert found(world.receipts(2, 4))["wrong"] == {"key-statement"}


def test_a_statement_by_a_key_of_the_log_is_wrong(world, found) -> None:
    world.events[2] = world.creation(2, world.old["log"])
    assert found(world.receipts(0, 2))["wrong"] == {"key-statement"}


def test_a_checkpoint_by_a_revoked_key_is_wrong_also_for_who_trusts_it(world, found) -> None:
    """The thief's: a longer history under keys that the caller's old policy still names."""
    files = world.receipts(6) | {"8.checkpoint": world.note(8, world.old["log"]).encode()}
    assert found(files)["wrong"] == {"key-checkpoint"}


def test_a_smaller_checkpoint_by_a_revoked_key_has_to_be_of_the_history_that_revoked_it(world, found) -> None:
    """The thief signs any size of the key's time, also of another history; only a proof or a witness tells them apart."""
    honest = world.receipts(6) | {"5.checkpoint": world.note(5, world.old["log"]).encode()}
    said = found(honest)
    assert said["wrong"] == set()
    assert {"key-checkpoint", "checkpoint-consistency"} <= said["unchecked"]
    assert "key-checkpoint" not in found({"5.checkpoint": world.note(7, world.old["log"]).encode()})["unchecked"]


def test_a_checkpoint_that_is_tied_to_the_revocation_is_bound_by_it(world) -> None:
    history, findings, trust = History(), Findings(), Trust(None, ())
    small, large, other = (Checkpoint(world.golden.ORIGIN, size, bytes(32)) for size in (5, 6, 4))
    history.tie(small, large)
    lives = Lives()
    for key in listed(world.old["log"]):
        public = PublicKey(key["algorithm"], base64.b64decode(key["public"]))
        lives.known[world.golden.ORIGIN, key["keyid"]] = Life(public, "log", last=7, bound=6)
    for body, codes in ((small, ["ok", "ok"]), (large, ["ok", "ok"]), (other, ["unchecked", "unchecked"])):
        note = parse_note(str(sign_checkpoint(body, *world.old["log"], UNIX)))
        before = len(findings.said)
        check_checkpoint_keys(lives, [Seen("a", note, body)], history.ties(trust), findings)
        assert [item.level for item in findings.said[before:]] == codes


def test_a_checkpoint_by_a_key_that_came_later_is_wrong(world, found) -> None:
    files = world.receipts(7, size=8, signers=world.new["log"])
    files["5.checkpoint"] = world.note(5, world.new["log"]).encode()
    assert found(files, world.new["log"])["wrong"] == {"key-checkpoint"}


def test_a_line_that_does_not_verify_is_nobodys_signature(world, found) -> None:
    files = world.receipts(6)
    other = Ed25519Signer(world.golden.seed("other")), MlDsa44Signer(world.golden.seed("other"))
    mine, foreign = (world.note(8, signers).split("\n\n")[1].splitlines() for signers in (world.old["log"], other))
    raw, key = (base64.b64decode(lines[0].split(" ")[2]) for lines in (foreign, mine))
    line = f"— {world.golden.ORIGIN} {base64.b64encode(key[:4] + raw[4:]).decode()}\n"
    body = world.note(8, world.old["log"]).split("\n\n")[0]
    files["8.checkpoint"] = f"{body}\n\n{line}".encode()
    assert found(files)["wrong"] == {"checkpoint-signature"}


def test_a_key_event_whose_place_was_not_shown_ends_nothing(world, found) -> None:
    world.events[5] = world.creation(5, world.old["dsse"])
    files = world.receipts(3, 5)
    files["3.receipt.json"] = files["3.receipt.json"].replace(b"index 3\\n", b"index 2\\n")
    assert found(files)["wrong"] == {"receipt-inclusion"}


@pytest.mark.parametrize(
    "change",
    [
        lambda w: {4: w.introduction(4, "dsse", w.new["dsse"], 6)},  # before it was there
        lambda w: {4: w.introduction(4, "web", w.new["dsse"], 4)},
        lambda w: {4: w.introduction(4, "dsse", w.new["dsse"][:1], 4)},
        lambda w: {4: w.golden.event(4, "key introduction", {}, {"purpose": "dsse"})},
        lambda w: {4: w.introduction(4, "dsse", w.new["log"], 4)},  # others than the rotation named
        lambda w: {5: w.introduction(5, "dsse", w.new["dsse"], 5)},  # begun twice
        lambda w: {5: w.end(5, "key revocation", "dsse")},  # ended twice
        lambda w: {5: w.introduction(5, "log", w.new["dsse"], 5)},  # of two purposes
    ],
)
def test_a_key_event_that_is_broken_or_contradicts_another_is_wrong(world, found, change) -> None:
    for index, text in change(world).items():
        world.events[index] = text
    assert found(world.receipts(1, 3, 4, 5))["wrong"] == {"key-event"}


def test_the_same_event_in_two_receipts_contradicts_nothing(world, found) -> None:
    files = world.receipts(3, 4, 5) | {"again.receipt.json": world.receipt(3, 6, world.old["log"])}
    assert found(files)["wrong"] == set()


@pytest.mark.parametrize(
    ("statuses", "given", "wrong"),
    [
        (("retired", "active"), (1, 3, 4), set()),
        (("active", "active"), (1, 3, 4), {"keys-differ"}),  # the ledger ended it
        (("revoked", "active"), (3,), {"keys-differ"}),
        (("retired", "active"), (1,), {"keys-differ"}),  # of its end only the list tells, and by a time
        (("retired", "active"), (), {"keys-differ"}),
    ],
)
def test_a_list_of_keys_is_held_against_the_events(world, found, statuses, given, wrong) -> None:
    """Its times say that the first statement came too late: where the ledger tells, they are not asked."""
    ends = {"active": None, "retired": "2026-10-31T00:00:00Z", "revoked": "2026-10-31T00:00:00Z"}
    keys = [
        key | {"from": None, "to": ends[status], "status": status}
        for signers, status in zip((world.old["dsse"], world.new["dsse"]), statuses, strict=True)
        for key in listed(signers)
    ]
    value = {
        "format": "custos/keys@1", "origin": world.golden.ORIGIN, "policy": world.policy(world.old["log"]),
        "dsse": keys, "timestamp_authorities": [],
    }  # fmt: skip
    files = world.receipts(2, 5, *given) | {"custos-keys.json": canonical(value)}
    assert found(files)["wrong"] == wrong
