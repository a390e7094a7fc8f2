"""The command `custos-verify`: arguments in, a report and an exit status (trust-formats §10) out."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.verify.audit import audit
from evidence.verify.findings import USAGE
from evidence.verify.report import as_json, as_text
from evidence.verify.trust import TrustError, load_trust

if TYPE_CHECKING:
    from collections.abc import Sequence

LOG = "to read a whole log, run the command custos-verify log"
DESCRIPTION = (
    "Check evidence without the archive: raw files, receipts, attestations, results and the sources of their "
    "numbers, in any order or as a folder. Exit status: 0 all checked under your policy, 1 something is wrong, "
    "3 nothing is wrong but something could not be checked, 2 usage. "
    "The command custos-verify log URL-OR-FOLDER checks a whole log instead."
)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    missing = [str(path) for path in arguments.paths if not path.exists()]
    if missing:
        hint = f"; {LOG}" if missing[0] == "log" else ""
        return _usage(f"no such file or folder: {', '.join(missing)}{hint}")
    try:
        trust = load_trust(arguments.policy, arguments.tsa)
    except TrustError as error:
        return _usage(str(error))
    findings = audit(arguments.paths, trust)
    show(as_json(findings) if arguments.json else as_text(findings))
    return findings.exit_status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="custos-verify", description=DESCRIPTION)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder of files")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="C2SP tlog-policy: the keys that you trust")
    parser.add_argument("--tsa", type=Path, metavar="PEM", help="certificates of timestamp authorities that you trust")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def _usage(message: str) -> int:
    print(f"custos-verify: {message}", file=sys.stderr)
    return USAGE


def show(text: str) -> None:
    """A terminal that cannot write a character still gets the report; one that closes early changes no verdict."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
