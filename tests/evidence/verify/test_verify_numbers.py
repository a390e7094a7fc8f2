"""Each number is judged by its own ranges, wherever its files lie and whatever they are called."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from evidence.canonical import canonical
from evidence.verify.findings import Findings, Number
from evidence.verify.report import as_text

if TYPE_CHECKING:
    from pathlib import Path

RESULT = "querier_concentration.result.json"


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_false_result_does_not_hide_behind_a_true_one_of_the_same_name(golden, tmp_path: Path, check, order) -> None:
    def lie(result) -> None:
        result["findings"][0]["each_line_contains"].append("192.0.2.17")

    true, false = (tmp_path / folder for folder in order)
    for folder, files in ((true, golden.bundle(golden.query_log())), (false, golden.bundle(golden.query_log(), lie))):
        folder.mkdir()
        for name, content in files.items():
            if folder is true or name == RESULT:
                (folder / name).write_bytes(content)
    found = check(tmp_path)
    assert json.loads((true / RESULT).read_bytes()) != json.loads((false / RESULT).read_bytes())
    assert "lines" in {finding.code for finding in found.of("wrong")}
    assert "lines" not in {finding.code for finding in check(true).of("wrong")}


def test_two_true_results_of_one_name_are_both_followed(golden, tmp_path: Path, check) -> None:
    def rename(result) -> None:
        result["findings"][0]["title"] = "the same under another title"

    for folder, change in (("a", lambda _: None), ("b", rename)):
        (tmp_path / folder).mkdir()
        for name, content in golden.bundle(golden.query_log(), change).items():
            if folder == "a" or name == RESULT:
                (tmp_path / folder / name).write_bytes(content)
    numbers = check(tmp_path).numbers
    assert len(numbers) == 2 * len(check(tmp_path / "a").numbers)
    assert all(number.followed for number in numbers)


def test_a_number_that_was_not_followed_is_never_all_checked() -> None:
    findings = Findings()
    findings.ok("lines", "a", "looked at")
    assert findings.exit_status == 0
    findings.numbers.append(Number("a", "lookups", "", 2, 1, "", "", followed=False))
    assert findings.exit_status == 3


def test_a_finding_of_nothing_is_followed_to_an_empty_file(golden, tmp_path, check, monkeypatch) -> None:
    honest = golden.ranges
    monkeypatch.setattr(golden, "ranges", lambda raw, client: b"" if client == "198.51.100.5" else honest(raw, client))

    def change(result) -> None:
        result["findings"][2] |= {"first": "", "last": ""}

    monkeypatch.setattr(golden, "table", lambda _found: {})
    for name, content in golden.bundle(golden.query_log(), change).items():
        (tmp_path / name).write_bytes(content)
    findings = check(tmp_path)
    (nothing,) = (number for number in findings.numbers if number.finding == "client-2")
    assert (nothing.value, nothing.ranges, nothing.blob, nothing.followed) == (0, 0, "", True)
    assert "client-2 (Lookups by 198.51.100.5): 0, with no line to count" in as_text(findings)


@pytest.mark.parametrize(("ranges", "words"), [(1, "1 line counted in"), (2, "2 lines counted in")])
def test_one_line_is_called_one(ranges: int, words: str) -> None:
    findings = Findings()
    findings.numbers.append(Number("r", "client-1", "title", ranges, ranges, "sha256:00", "a.log", followed=True))
    assert words in as_text(findings)


def test_many_wrong_ranges_are_summed_up(golden, wrong, tmp_path, check, monkeypatch) -> None:
    honest = golden.ranges

    def ranges(raw: bytes, client: str | None) -> bytes:
        values = [json.loads(line) for line in honest(raw, client).splitlines()]
        return b"".join(canonical(value | {"line": value["line"] + 1}) + b"\n" for value in values)

    monkeypatch.setattr(golden, "ranges", ranges)
    assert wrong(golden.bundle(golden.query_log())) == {"lines"}
    assert "10 of 10 wrong" in {finding.got for finding in check(tmp_path).of("wrong")}
