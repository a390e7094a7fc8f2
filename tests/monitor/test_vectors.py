"""A log that an independent implementation made, at each of its sizes and from each to each."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from monitor.cli import main

VECTORS = Path(__file__).parents[1] / "vectors" / "custos"
SIZES = (1, 2, 70, 255, 256, 257, 300)
POLICY = ("--policy", str(VECTORS / "policy.txt"))


@pytest.fixture
def at(tmp_path: Path):
    log = Path(shutil.copytree(VECTORS / "log", tmp_path / "log"))

    def show(size: int) -> str:
        shutil.copy(VECTORS / "log" / f"checkpoint.{size}", log / "checkpoint")
        return str(log)

    return show


def test_every_size_is_read_and_continues_every_smaller_one(at, tmp_path: Path, capsys) -> None:
    for number, size in enumerate(SIZES):
        log, keep = at(size), tmp_path / f"from {size}"
        assert main(["log", log, *POLICY, "--keep", str(keep), "--quiet"]) == 0, capsys.readouterr().out
        for later in SIZES[number:]:
            log = at(later)
            assert main(["log", log, *POLICY, "--keep", str(keep), "--quiet"]) == 0, capsys.readouterr().out
            since = VECTORS / "log" / f"checkpoint.{size}"
            assert main(["log", log, *POLICY, "--since", str(since), "--quiet"]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out == ""


def test_a_receipt_is_as_good_as_an_old_checkpoint_and_is_checked_itself(at, capsys) -> None:
    receipts = [VECTORS / "receipts" / f"{name}.receipt.json" for name in ("first", "no-token")]
    trust = (*POLICY, "--tsa", str(VECTORS / "tsa" / "tsa.pem"))
    for receipt in receipts:
        status = main(["log", at(300), *trust, "--since", str(receipt)])
        said = capsys.readouterr().out
        assert status == (0 if "ok        timestamp §4" in said else 3), said
        assert ("timestamp-absent" in said) == (receipt == receipts[1])
        assert f"continues {receipt}" in said
    bad = VECTORS / "receipts" / "bad-salt.receipt.json"
    assert main(["log", at(300), *trust, "--since", str(bad)]) == 1
    assert main(["log", at(300), *trust, "--since", str(VECTORS / "log" / "checkpoint.70")]) == 3
    assert "timestamp-absent" in capsys.readouterr().out
