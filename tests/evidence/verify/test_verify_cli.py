"""The command: what it prints and how it ends."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from evidence.verify.cli import main
from evidence.verify.findings import CLAUSES, Findings
from evidence.verify.report import as_text, printable

GOLDEN = Path(__file__).parents[2] / "vectors/golden"
POLICY, TSA = str(GOLDEN / "policy.txt"), str(GOLDEN / "tsa.pem")


def test_all_checked_ends_with_0_and_says_which_lines_were_counted(bundle, capsys) -> None:
    assert main([str(bundle), "--policy", POLICY, "--tsa", TSA]) == 0
    out = capsys.readouterr().out.rstrip()
    (line,) = (each for each in out.splitlines() if ", lookups (" in each)
    assert ": 10 lines counted in sha256:" in line and line.endswith("(source-1.raw)")
    verdict = out.splitlines()[-1]
    assert verdict.startswith("CHECKED: ")
    assert verdict.endswith("numbers followed to their lines and counted: 3, listed above.")


def test_without_a_policy_it_ends_with_3_and_does_not_say_valid(bundle, capsys) -> None:
    assert main([str(bundle)]) == 3
    out = capsys.readouterr().out
    assert "valid" not in out
    assert "only self-asserted" in out
    assert out.rstrip().splitlines()[-1].startswith("NOT ALL CHECKED: ")


def test_json_holds_the_same_for_programs(bundle, capsys) -> None:
    (bundle / "client-1.sources.ndjson").write_bytes(b"")
    assert main([str(bundle), "--policy", POLICY, "--tsa", TSA, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["exit"] == 1
    assert report["verdict"].startswith("WRONG: ")
    wrong = [finding for finding in report["findings"] if finding["level"] == "wrong"]
    assert [(finding["code"], finding["clause"], finding["where"]) for finding in wrong] == [
        ("file-unknown", "§1", "client-1.sources.ndjson")
    ]
    counted = {number["finding"]: (number["value"], number["ranges"]) for number in report["numbers"]}
    assert counted == {"client-1": (6, 0), "client-2": (4, 4), "lookups": (10, 10)}


@pytest.mark.parametrize(
    "arguments",
    [
        ["no such file"],
        ["--policy", "no such file", POLICY],
        ["--policy", TSA, POLICY],
        ["--tsa", "no such file", POLICY],
        ["--tsa", POLICY, POLICY],
    ],
)
def test_a_path_or_trust_that_cannot_be_used_is_usage(arguments, capsys) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("custos-verify: ")


def test_no_path_is_usage(capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 2
    assert "PATH" in capsys.readouterr().err


def test_as_a_module_it_is_the_same_command(bundle) -> None:
    command = [sys.executable, "-m", "evidence", str(bundle), "--policy", POLICY, "--tsa", TSA]
    ended = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_terminal_that_lacks_characters_gets_the_report_all_the_same(bundle, monkeypatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main([str(bundle)]) == 3
    stream.flush()
    assert b"NOT ALL CHECKED" in stream.buffer.getvalue()


def test_foreign_text_cannot_command_a_terminal() -> None:
    findings = Findings()
    findings.wrong("receipt-format", "a\x1b[2Jb\nc", "message", got="\u202e")
    assert not any(char in as_text(findings) for char in "\x1b\u202e")
    assert "a\\x1b[2Jb\\nc" in as_text(findings)
    assert printable("mail1.trump-email.com — ü") == "mail1.trump-email.com — ü"


def test_every_code_has_a_clause_of_the_format() -> None:
    assert all(clause.removeprefix("§").isdecimal() for clause in CLAUSES.values())
