"""Bytes that the law took away: the verifier says so plainly, and by which event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.evidence.verify.conftest import GOLDEN

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"bytes that a court ordered away\n"
REASON = {"reason": "order 12 of the court of X, 2026-10-30", "asked_by": "1", "approved_by": "2"}


@pytest.fixture
def written(golden, tmp_path: Path):
    """Receipts of an ingestion, and of a later event of `kind` on the same bytes."""

    def write(kind: str = "deaccession", detail: dict[str, object] | None = None) -> Path:
        files = golden.receipts({
            "source-1": golden.event(1, "ingestion", {"source": DATA}, {"submission": "golden", "duplicate": False}),
            "gone-1": golden.event(2, kind, {"deaccessioned": DATA}, REASON if detail is None else detail),
        })  # fmt: skip
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        return tmp_path

    return write


def said(findings) -> list[tuple[str, str]]:
    return [(finding.level, finding.message) for finding in findings.said if finding.code == "file-deaccessioned"]


def test_an_absent_file_that_was_deaccessioned_is_said_to_be_with_date_and_reason(
    written, check, golden, codes
) -> None:
    findings = check(written(), tsa=False)
    assert findings.exit_status == 3
    assert "file-absent" not in codes(findings, "unchecked")
    for level, message in said(findings):
        assert level == "unchecked"
        assert golden.MADE in message
        assert REASON["reason"] in message
    assert len(said(findings)) == 2  # in the receipt of the ingestion, and in that of the event itself


def test_a_copy_of_it_that_is_given_is_still_the_same_file(written, check, codes) -> None:
    folder = written()
    (folder / "kept.raw").write_bytes(DATA)
    findings = check(folder, tsa=False)
    assert "file-digest" in codes(findings, "ok")
    ((level, message),) = said(findings)
    assert (level, "no longer has this file" in message) == ("ok", True)


@pytest.mark.parametrize("kind", ["fixity check", "access"])
def test_no_other_event_explains_an_absence(written, check, codes, kind: str) -> None:
    findings = check(written(kind), tsa=False)
    assert "file-absent" in codes(findings, "unchecked")
    assert said(findings) == []


@pytest.mark.parametrize("detail", [{}, {"reason": 7}, {"reason": ""}])
def test_an_event_without_a_reason_is_said_to_have_none(written, check, detail: dict[str, object]) -> None:
    assert all("without a reason" in message for _level, message in said(check(written(detail=detail), tsa=False)))


def test_another_file_is_not_explained_by_it(written, check, codes) -> None:
    folder = written()
    (folder / "other.raw").write_bytes(DATA[::-1])
    assert "file-unknown" in codes(check(folder, tsa=False), "wrong")


def test_a_deaccession_that_the_ledger_does_not_know_is_wrong(written, check, codes) -> None:
    folder = written()
    receipt = folder / "gone-1.receipt.json"
    receipt.write_text(receipt.read_text().replace("order 12", "order 13"))
    assert "receipt-inclusion" in codes(check(folder, tsa=False), "wrong")


def test_the_golden_set_speaks_of_no_deaccession(check) -> None:
    assert said(check(GOLDEN / "bundle")) == []
