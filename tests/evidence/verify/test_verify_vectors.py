"""The published receipts and disclosures: each bad one is refused, each good one holds as far as it was checked."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from evidence.verify.audit import audit
from evidence.verify.findings import ALL_CHECKED, SOMETHING_UNCHECKED, SOMETHING_WRONG, Findings
from evidence.verify.trust import load_trust

OURS = Path(__file__).parents[2] / "vectors/custos"
RECEIPTS = OURS / "receipts"
UNITS = OURS / "units"
MANIFEST = json.loads((RECEIPTS / "MANIFEST.json").read_text())
BAD_UNITS = json.loads((UNITS / "MANIFEST.json").read_text())["bad"]
GOOD_UNITS = sorted({path.name for path in UNITS.glob("*.disclosure.json")} - set(BAD_UNITS))
TRUST = load_trust(OURS / "policy.txt", OURS / "tsa/tsa.pem")


def run(*paths: Path) -> Findings:
    return audit(paths, TRUST)


@pytest.mark.parametrize("name", MANIFEST["bad"])
def test_a_bad_receipt_is_wrong(name) -> None:
    assert run(RECEIPTS / name).exit_status == SOMETHING_WRONG


@pytest.mark.parametrize(("name", "file"), MANIFEST["good"].items())
def test_a_good_receipt_holds_with_its_file(name, file) -> None:
    incomplete = name in MANIFEST["good_but_incomplete"]
    findings = run(RECEIPTS / name, RECEIPTS / file)
    assert findings.exit_status == (SOMETHING_UNCHECKED if incomplete else ALL_CHECKED)
    assert {finding.code for finding in findings.of("unchecked")} == ({"timestamp-absent"} if incomplete else set())


@pytest.mark.parametrize("name", MANIFEST["good"])
def test_a_good_receipt_without_its_file_is_not_all_checked(name) -> None:
    findings = run(RECEIPTS / name)
    assert findings.exit_status == SOMETHING_UNCHECKED
    assert "file-absent" in {finding.code for finding in findings.of("unchecked")}


@pytest.mark.parametrize(("name", "file"), MANIFEST["bad_file"].items())
def test_a_changed_file_is_wrong_under_a_good_receipt(name, file) -> None:
    (wrong,) = run(RECEIPTS / name, RECEIPTS / file).of("wrong")
    assert wrong.code == "file-unknown"
    assert "3245 bytes" in wrong.wanted


@pytest.mark.parametrize("name", MANIFEST["good"])
def test_no_bit_of_a_good_receipt_that_means_anything_can_change(name, tmp_path) -> None:
    """Layout between members may; and the witnesses' threshold in the archive's own hint, which binds nobody."""
    content = (RECEIPTS / name).read_bytes()
    chance = random.Random(name)
    for at in chance.sample(range(len(content)), 150):
        if content[at : at + 1].isspace() or content[at - 14 : at] == b"group two-of-t"[:14]:
            continue
        changed = bytearray(content)
        changed[at] ^= 1 << chance.randrange(8)
        path = tmp_path / name
        path.write_bytes(changed)
        assert run(path).exit_status == SOMETHING_WRONG, (at, content[at - 40 : at + 10])


@pytest.mark.parametrize("name", BAD_UNITS)
def test_a_bad_disclosure_is_wrong(name) -> None:
    assert run(UNITS / name).exit_status == SOMETHING_WRONG


@pytest.mark.parametrize("name", GOOD_UNITS)
def test_a_good_disclosure_holds_but_its_root_is_only_self_asserted(name) -> None:
    findings = run(UNITS / name)
    assert findings.exit_status == SOMETHING_UNCHECKED
    assert {finding.code for finding in findings.of("unchecked")} == {"disclosure-receipt"}


@pytest.mark.parametrize("size", [1, 2, 70, 255, 256, 257, 300])
def test_a_checkpoint_on_its_own_is_checked_by_the_policy(size) -> None:
    assert run(OURS / f"log/checkpoint.{size}").exit_status == ALL_CHECKED


def test_a_checkpoint_of_another_size_than_the_receipts_asks_for_a_proof_or_for_witnesses() -> None:
    paths = (RECEIPTS / "first.receipt.json", RECEIPTS / "queries.log", OURS / "log/checkpoint.70")
    alone = audit(paths, load_trust(OURS / "policy-log-only.txt", OURS / "tsa/tsa.pem"))
    assert {finding.code for finding in alone.of("unchecked")} == {"checkpoint-consistency"}
    assert run(*paths).exit_status == ALL_CHECKED


def test_a_checkpoint_of_the_same_size_agrees() -> None:
    findings = run(RECEIPTS / "first.receipt.json", RECEIPTS / "queries.log", OURS / "log/checkpoint.300")
    assert findings.exit_status == ALL_CHECKED
