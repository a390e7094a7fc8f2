"""The command `custos-verify`: files go to the verifier, `log` reads a whole log and remembers what it saw."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from evidence.errors import EvidenceError
from evidence.verify import cli as verifier
from evidence.verify.files import DOCUMENT_LIMIT
from evidence.verify.findings import USAGE
from evidence.verify.report import as_json, as_lines
from evidence.verify.trust import load_trust
from monitor.source import AddressError, FolderSource, HttpSource, Source
from monitor.watch import Asked, watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOG = "log"
DESCRIPTION = (
    "Read a transparency log (C2SP tlog-tiles) from an address or a folder: make its root anew from its entries, check "
    "every tile, all signatures, and that it continues what was seen before. No account is needed. One line a finding; "
    "exit status: 0 all checked under your policy, 1 something is wrong, 3 nothing is wrong but something could not be "
    "checked, 2 usage."
)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] != [LOG]:
        return verifier.main(arguments)
    said = _parser().parse_args(arguments[1:])
    try:
        asked = _asked(said)
        with contextlib.closing(_source(said.log)) as source, _site(said) as site:
            findings = watch(source, dataclasses.replace(asked, site=site))
    except (EvidenceError, OSError) as error:
        print(f"custos-verify log: {error}", file=sys.stderr)
        return USAGE
    report = as_json(findings) if said.json else as_lines(findings, only_open=said.quiet)
    if report:
        verifier.show(report)
    return findings.exit_status


def _source(named: str) -> Source:
    if named.startswith(("http://", "https://")):
        return HttpSource(named)
    folder = Path(named)
    if not folder.is_dir():
        raise AddressError(f"{named}: neither a folder nor an address; write http(s)://HOST/PREFIX")
    return FolderSource(folder)


@contextlib.contextmanager
def _site(said: argparse.Namespace) -> Iterator[HttpSource | None]:
    """The root of the log's host, if keys are asked for."""
    if not said.keys:
        yield None
        return
    parts = urlsplit(said.log)
    if not parts.netloc:
        raise AddressError(
            f"{said.log}: --keys asks a running archive; give the receipts of key events to custos-verify"
        )
    with contextlib.closing(HttpSource(f"{parts.scheme}://{parts.netloc}")) as site:
        yield site


def _asked(said: argparse.Namespace) -> Asked:
    since = (str(said.since), _small(said.since)) if said.since else None
    trust = load_trust(said.policy, said.tsa)
    then = load_trust(said.since_policy, said.tsa) if said.since_policy else None
    return Asked(trust, dt.datetime.now(dt.UTC), since, then, keep=said.keep, again=said.again)


def _small(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(DOCUMENT_LIMIT + 1)
    if len(data) > DOCUMENT_LIMIT:
        raise AddressError(f"{path}: larger than {DOCUMENT_LIMIT} bytes; name a checkpoint or a receipt")
    return data


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="custos-verify log", description=DESCRIPTION)
    parser.add_argument("log", metavar="URL-OR-FOLDER", help="the prefix under which checkpoint and tile/ are")
    parser.add_argument(
        "--since",
        type=Path,
        metavar="CHECKPOINT",
        help="a signed checkpoint, or a receipt, that the log has to continue",
    )
    parser.add_argument(
        "--since-policy", type=Path, metavar="FILE", help="the keys that you trusted then, if they were replaced since"
    )
    parser.add_argument("--policy", type=Path, metavar="FILE", help="C2SP tlog-policy: the keys that you trust")
    parser.add_argument("--tsa", type=Path, metavar="PEM", help="authorities that you trust for the receipt's tokens")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="remember what was seen of this log, and evidence")
    parser.add_argument("--keys", action="store_true", help="look at the events of the archive's keys and its list too")
    parser.add_argument("--again", action="store_true", help="read all tiles, those that were read before included")
    parser.add_argument("--quiet", action="store_true", help="say only what is wrong or was not checked")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
