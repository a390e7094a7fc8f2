"""Disclosures of lines: tied to the event that holds their root, and to the file where it is given."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from evidence.canonical import canonical
from evidence.digest import Digest
from evidence.log.units import disclose, lines_of

GOLDEN = Path(__file__).parents[2] / "vectors/golden"
RESULT = "querier_concentration.result"


def unit_tree_files(golden, **changed) -> dict[str, bytes]:
    """A disclosure of two lines, and the receipt of the event that holds its root."""
    raw, key = golden.query_log(), bytes(range(32))
    shown = disclose(key, lines_of(raw), {0, 7}, Digest.of(raw))
    tree = {"format": "custos/unit-tree@1", "kind": "line", "count": shown["count"], "root": shown["root"]}
    detail = {"unit_tree": tree | changed}
    event = golden.event(1, "message digest calculation", {"source": raw}, detail)
    receipt = golden.receipts({"tree": event})["tree.receipt.json"]
    return {"a.disclosure.json": canonical(shown), "tree.receipt.json": receipt, "q.log": raw}


def test_a_disclosure_is_tied_to_the_event_that_holds_its_root(golden, tmp_path, check) -> None:
    for name, content in unit_tree_files(golden).items():
        (tmp_path / name).write_bytes(content)
    assert {finding.code for finding in check(tmp_path).of("unchecked")} == {"timestamp-absent"}
    assert not list(check(tmp_path).of("wrong"))


def test_a_disclosure_may_bring_its_receipt_along(golden, tmp_path, check) -> None:
    files = unit_tree_files(golden)
    receipt = files.pop("tree.receipt.json")
    for brought in (json.loads(receipt), receipt.decode()):
        shown = json.loads(files["a.disclosure.json"]) | {"receipt": brought}
        (tmp_path / "a.disclosure.json").write_bytes(canonical(shown))
        findings = check(tmp_path)
        assert {finding.code for finding in findings.of("unchecked")} == {"timestamp-absent"}
        assert "disclosure-receipt" in {finding.code for finding in findings.of("ok")}
    shown["receipt"] = "no receipt"
    (tmp_path / "a.disclosure.json").write_bytes(canonical(shown))
    assert {finding.code for finding in check(tmp_path).of("wrong")} == {"receipt-format"}


@pytest.mark.parametrize("changed", [{"root": base64.b64encode(bytes(32)).decode()}, {"count": 59}, {"kind": "gap"}])
def test_a_disclosure_of_another_tree_than_the_events_is_caught(changed, golden, wrong) -> None:
    assert wrong(unit_tree_files(golden, **changed)) == {"disclosure-receipt"}


def test_an_absurd_count_in_a_disclosure_is_refused(golden, wrong) -> None:
    files = unit_tree_files(golden)
    shown = json.loads(files["a.disclosure.json"]) | {"count": 10**4000}
    assert wrong(files | {"a.disclosure.json": json.dumps(shown).encode()}) == {"disclosure-format"}


@pytest.mark.parametrize("shown", [b"two\nlines\n", b"no line end", b"", b"line\nend missing"])
def test_a_unit_that_is_no_line_is_refused(shown, golden, wrong) -> None:
    key, raw = bytes(range(32)), golden.query_log()
    value = disclose(key, [shown, *lines_of(raw)], {0}, Digest.of(raw))
    assert wrong({"a.disclosure.json": canonical(value)}) == {"disclosure-format"}


@pytest.mark.parametrize("change", [lambda lines: [b"another\n", *lines[1:]], lambda lines: [*lines, b"one more\n"]])
def test_a_tree_of_other_lines_than_the_files_is_caught_where_the_file_is_given(change, golden, wrong) -> None:
    raw, key = golden.query_log(), bytes(range(32))
    shown = disclose(key, change(lines_of(raw)), {0, 7}, Digest.of(raw))
    tree = {"format": "custos/unit-tree@1", "kind": "line", "count": shown["count"], "root": shown["root"]}
    event = golden.event(1, "message digest calculation", {"source": raw}, {"unit_tree": tree})
    receipt = golden.receipts({"tree": event})["tree.receipt.json"]
    files = {"a.disclosure.json": canonical(shown), "tree.receipt.json": receipt, "q.log": raw}
    assert wrong(files) == {"disclosure-lines"}


@pytest.mark.parametrize("kind", ["ingestion", "access"])
def test_a_unit_tree_in_another_event_than_of_digests_counts_for_nothing(kind, golden, tmp_path, check, monkeypatch):
    honest = golden.event
    monkeypatch.setattr(golden, "event", lambda number, _kind, objects, detail: honest(number, kind, objects, detail))
    for name, content in unit_tree_files(golden).items():
        (tmp_path / name).write_bytes(content)
    assert "disclosure-receipt" in {finding.code for finding in check(tmp_path).of("unchecked")}
