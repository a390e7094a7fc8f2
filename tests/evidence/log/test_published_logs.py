"""Whole logs made by others: their tiles, their checkpoints, their proofs, read by ours."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from evidence.errors import EvidenceError, FormatError, LogError
from evidence.keys import Ed25519Signer, MlDsa44Signer
from evidence.log.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint, verify_signature
from evidence.log.hashing import leaf_hash, tree_root
from evidence.log.note import ML_DSA_44, Vkey, parse_note, parse_vkey
from evidence.log.policy import Policy, parse_policy, policy_text, problems
from evidence.log.proof import consistency_proof, verify_consistency
from evidence.log.tile import Tile, entry_bundle, is_in_tree, parse_bundle, parse_tile_path, partial_width

VECTORS = Path(__file__).parents[2] / "vectors"
OURS = VECTORS / "custos"


def entries_of(log: Path, size: int) -> list[bytes]:
    found: list[bytes] = []
    for index in range((size + 255) // 256):
        width = min(256, size - 256 * index)
        found += parse_bundle((log / Tile(None, index, width).path).read_bytes())
    return found


@pytest.mark.parametrize("size", range(16))
def test_every_checkpoint_of_another_implementation_is_the_root_of_its_tiles(size: int) -> None:
    log = VECTORS / "tessera-log"
    note = parse_note((log / f"checkpoint.{size}").read_bytes())
    checkpoint = parse_checkpoint(note.text)
    leaves = [leaf_hash(entry) for entry in entries_of(log, size)]
    assert (checkpoint.size, checkpoint.root) == (size, tree_root(leaves))
    vkey = parse_vkey((log / "vkey.txt").read_text().strip())
    assert verify_signature(note, note.signatures[0], vkey) is None
    if size:
        assert b"".join(leaves) == (log / Tile(0, 0, size).path).read_bytes()


@pytest.mark.parametrize("size", [1, 2, 70, 255, 256, 257, 300])
def test_a_doubly_signed_and_witnessed_log_is_trusted_under_its_policy(size: int) -> None:
    note = parse_note((OURS / f"log/checkpoint.{size}").read_bytes())
    policy = parse_policy((OURS / "policy.txt").read_text())
    assert problems(policy, note) == []
    assert problems(parse_policy((OURS / "policy-log-only.txt").read_text()), note) == []
    leaves = [leaf_hash(entry) for entry in entries_of(OURS / "log", size)]
    assert parse_checkpoint(note.text).root == tree_root(leaves)


def test_consistency_between_published_sizes_is_proved_the_same_way() -> None:
    leaves = [leaf_hash(entry) for entry in entries_of(OURS / "log", 300)]
    for case in json.loads((OURS / "consistency.json").read_text()):
        hashes = [base64.b64decode(text) for text in case["proof"]]
        roots = base64.b64decode(case["old_root"]), base64.b64decode(case["new_root"])
        verify_consistency(case["old"], case["new"], *roots, hashes)
        assert consistency_proof(case["old"], case["new"], lambda a, b: tree_root(leaves[a:b])) == hashes


def test_signed_notes_are_judged_as_published() -> None:
    for case in json.loads((VECTORS / "signed-note.json").read_text()):
        note, vkey = parse_note(case["note"]), parse_vkey(case["vkey"])
        if case["ok"]:
            assert verify_signature(note, note.signatures[0], vkey) is None
        else:
            with pytest.raises(EvidenceError, match="does not verify"):
                verify_signature(note, note.signatures[0], vkey)


def test_a_checkpoint_of_ours_is_trusted_by_its_policy_and_only_with_both_signatures() -> None:
    ed25519, ml_dsa_44 = Ed25519Signer(bytes(range(32))), MlDsa44Signer(bytes(range(1, 33)))
    note = sign_checkpoint(Checkpoint("example.org/log", 3, bytes(32)), ed25519, ml_dsa_44, 1_793_500_300)
    keys = [Vkey("example.org/log", 1, ed25519.public), Vkey("example.org/log", ML_DSA_44, ml_dsa_44.public)]
    policy = parse_policy(policy_text(keys))
    assert problems(policy, parse_note(str(note))) == []
    for line in note.signatures:
        alone = parse_note(str(note).replace(str(line), ""))
        assert any("no valid signature by log key" in problem for problem in problems(policy, alone))


def trouble(policy: Policy, text: str) -> list[str]:
    try:
        return problems(policy, parse_note(text))
    except FormatError as error:
        return [str(error)]


@pytest.mark.parametrize(
    "change",
    [
        ("\n300\n", "\n0300\n"), ("\n300\n", "\n301\n"), ("archive.", "archivo."), ("\n\n", "\nextension\n\n"),
        ("— ", "- "), ("archive.example.org/vectors/log ", "archive.example.org/vectors/log  "),
    ],
)  # fmt: skip
def test_a_changed_checkpoint_is_not_trusted(change: tuple[str, str]) -> None:
    text = (OURS / "log/checkpoint.300").read_text().replace(*change)
    policy = parse_policy((OURS / "policy.txt").read_text())
    assert trouble(policy, text)


@pytest.mark.parametrize("digits", [19, 20, 5000])
def test_a_size_that_no_log_has_is_refused(digits: int) -> None:
    text = parse_note((OURS / "log/checkpoint.300").read_text()).text
    assert parse_checkpoint(text).size == 300
    with pytest.raises(FormatError):
        parse_checkpoint(text.replace("\n300\n", f"\n{'9' * digits}\n"))


def test_tile_paths_are_spelled_in_one_way() -> None:
    assert Tile(0, 1234067, 256).path == "tile/0/x001/x234/067"
    assert parse_tile_path("0/x001/x234/067") == Tile(0, 1234067, 256)
    assert parse_tile_path("entries/001.p/44") == Tile(None, 1, 44)
    for path in ("0/67", "0/x000/067", "00/067", "64/000", "0/000.p/0", "0/000.p/256", "0/../000", "-1/000", "0/000/",
                 "0/" + "x001/" * 2000 + "067"):  # fmt: skip
        with pytest.raises(LogError):
            parse_tile_path(path)
    assert partial_width(0, 300) == 44
    assert partial_width(1, 300) == 1
    assert is_in_tree(Tile(1, 0, 1), 300)
    assert not is_in_tree(Tile(1, 0, 2), 300)
    assert not is_in_tree(Tile(0, 1, 45), 300)


def test_a_cut_bundle_is_refused() -> None:
    bundle = entry_bundle([b"a", b"", b"bcd"])
    assert parse_bundle(bundle) == [b"a", b"", b"bcd"]
    for cut in (bundle[:-1], bundle[:-4], b"\x00"):
        with pytest.raises(LogError):
            parse_bundle(cut)


@pytest.mark.parametrize("line", ["log x", "quorum none\nquorum none", "group g 3 w1", "witness none k", "logg a b"])
def test_a_policy_that_is_not_understood_is_refused(line: str) -> None:
    good = (OURS / "policy-log-only.txt").read_text()
    with pytest.raises(FormatError):
        parse_policy(good + line + "\n")
