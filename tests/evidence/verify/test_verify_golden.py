"""The golden set: all of it holds; anything left out is named; anything changed is wrong."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from evidence.canonical import canonical
from evidence.verify.findings import ALL_CHECKED, SOMETHING_UNCHECKED, SOMETHING_WRONG

GOLDEN = Path(__file__).parents[2] / "vectors/golden/bundle"
NAMES = sorted(path.name for path in GOLDEN.iterdir())
RESULT = "querier_concentration.result"
EVERY_BYTE_BELOW = 500
SAMPLES = 120


def test_all_of_it_holds_and_every_number_is_counted(bundle, check) -> None:
    findings = check(bundle)
    assert findings.exit_status == ALL_CHECKED, list(findings.of("unchecked"))
    counted = {number.finding: (number.value, number.ranges, number.followed) for number in findings.numbers}
    assert counted == {"lookups": (10, 10, True), "client-1": (6, 6, True), "client-2": (4, 4, True)}


def test_the_order_and_the_names_of_files_do_not_matter(bundle, check, tmp_path) -> None:
    paths = sorted(bundle.iterdir(), reverse=True)
    assert check(*paths).exit_status == ALL_CHECKED
    bare = tmp_path / "bare"
    bare.mkdir()
    for number, path in enumerate(paths):
        suffix = ".sources.ndjson" if path.name.endswith(".sources.ndjson") else ""
        shutil.copy(path, bare / f"{number}{suffix}")
    assert check(bare).exit_status == ALL_CHECKED


@pytest.mark.parametrize("name", NAMES)
def test_one_flipped_bit_in_any_file_is_wrong(name, bundle, check) -> None:
    path = bundle / name
    content = path.read_bytes()
    chance = random.Random(name)
    every = range(len(content))
    for at in every if len(content) < EVERY_BYTE_BELOW else chance.sample(every, SAMPLES):
        changed = bytearray(content)
        changed[at] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        findings = check(bundle)
        assert findings.exit_status == SOMETHING_WRONG, (name, at, changed[at])
        assert all(finding.where and (finding.got or finding.wanted) for finding in findings.of("wrong"))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_short_or_emptied_is_wrong(name, bundle, check) -> None:
    path = bundle / name
    content = path.read_bytes()
    for kept in (0, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:kept])
        assert check(bundle).exit_status == SOMETHING_WRONG


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("source-1.raw", "lines-absent"),
        ("source-1.receipt.json", "receipt-absent"),
        ("parse-1.attestation.json", "parse-absent"),
        ("parse-1.receipt.json", "receipt-absent"),
        (f"{RESULT}.json", "result-absent"),
        (f"{RESULT}.attestation.json", "attestation-absent"),
        (f"{RESULT}.receipt.json", "receipt-absent"),
        ("lookups.sources.ndjson", "sources-absent"),
    ],
)
def test_what_is_left_out_is_named_and_never_called_checked(name, code, bundle, check, codes) -> None:
    (bundle / name).unlink()
    findings = check(bundle)
    if name == f"{RESULT}.json":  # without it nothing says what its sources are for, but the receipt names them
        assert findings.exit_status == SOMETHING_UNCHECKED
    assert findings.exit_status == SOMETHING_UNCHECKED
    assert code in codes(findings, "unchecked")


def test_without_a_policy_the_keys_are_only_self_asserted(bundle, check, codes) -> None:
    findings = check(bundle, policy=False)
    assert findings.exit_status == SOMETHING_UNCHECKED
    assert codes(findings, "unchecked") == {"policy-absent"}


def test_without_an_authority_the_time_is_not_checked(bundle, check, codes) -> None:
    findings = check(bundle, tsa=False)
    assert findings.exit_status == SOMETHING_UNCHECKED
    assert codes(findings, "unchecked") == {"timestamp-authority"}


def test_a_file_nobody_speaks_of_is_wrong_and_the_missing_one_is_named(bundle, check) -> None:
    raw = bundle / "source-1.raw"
    size = raw.stat().st_size
    raw.write_bytes(raw.read_bytes().replace(b"192.0.2.17#", b"192.0.2.18#", 1))
    (wrong,) = check(bundle).of("wrong")
    assert (wrong.code, wrong.where) == ("file-unknown", "source-1.raw")
    assert f"{size} bytes, source, in " in wrong.wanted


def test_a_raw_file_alone_is_not_called_wrong(bundle, check, codes) -> None:
    findings = check(bundle / "source-1.raw")
    assert findings.exit_status == SOMETHING_UNCHECKED
    assert codes(findings, "unchecked") == {"file-untied"}


def test_an_empty_folder_checks_nothing(tmp_path, check, codes) -> None:
    findings = check(tmp_path)
    assert findings.exit_status == SOMETHING_UNCHECKED
    assert codes(findings, "unchecked") == {"nothing-given"}


def test_a_result_made_up_beside_the_attestation_is_wrong(bundle, check) -> None:
    path = bundle / f"{RESULT}.json"
    result = json.loads(path.read_text())
    result["answer"] = "Nobody did."
    path.write_bytes(canonical(result))
    wrong = {finding.code for finding in check(bundle).of("wrong")}
    assert "file-unknown" in wrong


def test_hidden_files_are_left_alone(bundle, check) -> None:
    (bundle / ".DS_Store").write_bytes(b"of the desktop")
    assert check(bundle).exit_status == ALL_CHECKED
