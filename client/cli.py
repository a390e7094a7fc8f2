"""The command `custos`: upload, wait, fetch, demo.

Reads CUSTOS_URL and CUSTOS_TOKEN. Ends with 0 when done, 1 when something failed or did not verify, 2 for usage.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from client.api import ClientError, Server
from client.columns import columns_of
from client.demonstration import Demonstration, demonstrate
from client.fetch import fetch
from client.refresh import refresh
from client.upload import upload, wait
from evidence.errors import ReadingError

_ROOT = Path(__file__).resolve().parent.parent


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    _say_all(sys.stdout)
    try:
        answer: int = arguments.run(arguments)
    except ClientError as error:
        print(f"custos: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename} " if error.filename else ""
        print(f"custos: {where}cannot be used ({error.strerror}); name another place or free this one", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("custos: stopped; what has arrived is kept, and custos upload --resume goes on", file=sys.stderr)
        return 1
    return answer


def _say_all(stream: TextIO) -> None:
    """A file's name that is no text is said all the same, with escapes."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="custos", description=(__doc__ or "").split("\n\n", 1)[1])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("upload", help="send a file into a case and keep its receipt")
    one.add_argument("file", type=Path)
    one.add_argument("--case", required=True, help="the case's short name; made if there is none")
    one.add_argument("--note", default="", help="what this is; sealed, shown to the case's members only")
    one.add_argument(
        "--stated-custody", default="", metavar="TEXT",
        help="who held it before, as far as you know: captured by … at …, handed over on … by …; sealed, kept as your "
        "statement",
    )  # fmt: skip
    one.add_argument("--name", action="append", default=[], help="a domain name that the case watches; may be repeated")
    one.add_argument("--columns", default="", help="of CSV, TSV, JSON lines: time=…,client=…,name=… (ours=its own)")
    one.add_argument(
        "--dates", default="", choices=["mdy", "dmy"], help="of dates as 5/6/2013: month first (mdy) or day first (dmy)"
    )
    one.add_argument("--zone", default="", help="of times that state none: UTC, +02:00, Europe/Berlin")
    one.add_argument("--year", type=int, default=0, help="of the first record, for logs that state none")
    one.add_argument("--digest", default="", help="sha256:… that the file must have; otherwise it is refused")
    one.add_argument("--resume", default="", metavar="SUBMISSION", help="go on with an upload that was begun before")
    one.set_defaults(run=_upload)
    two = commands.add_parser("wait", help="wait until all that follows from a submission has ended")
    two.add_argument("submission")
    two.add_argument("--timeout", type=float, default=3600.0, help="seconds")
    two.set_defaults(run=_wait)
    three = commands.add_parser("fetch", help="fetch all that an offline check of a result needs")
    three.add_argument("result")
    three.add_argument("folder", type=Path)
    three.set_defaults(run=_fetch)
    four = commands.add_parser("demo", help="file the founding case as a reconstruction and check it")
    four.add_argument("--folder", type=Path, help="where the files go; a new temporary folder if not said")
    four.add_argument("--policy", type=Path, help="the tlog-policy to trust; that of CUSTOS_HOME if not said")
    four.set_defaults(run=_demo)
    five = commands.add_parser("receipt", help="refresh: add newer cosignatures and timestamps to a receipt")
    five.add_argument("act", choices=["refresh"])
    five.add_argument("file", type=Path, help="a .receipt.json; replaced by one that has all of it and more, or kept")
    five.set_defaults(run=_receipt)
    for command in (one, two, three, four, five):
        command.add_argument("--json", action="store_true", help="answer in JSON on standard output")
    return parser


def _url() -> str:
    return os.environ.get("CUSTOS_URL") or f"http://127.0.0.1:{os.environ.get('CUSTOS_PORT', '8000')}"


def _is_local(url: str) -> bool:
    try:
        return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}
    except ValueError:
        return False


def _server(token: str = "") -> Server:
    token = token or os.environ.get("CUSTOS_TOKEN", "")
    if not token:
        raise ClientError("CUSTOS_TOKEN is not set; make a token with manage.py token --user NAME --scope upload,read")
    return Server(_url(), token)


def _say(arguments: argparse.Namespace, value: dict[str, Any], text: str) -> None:
    print(json.dumps(value) if arguments.json else text)


def _receipt(arguments: argparse.Namespace) -> int:
    with _server() as server:
        got = refresh(server, arguments.file)
    text = f"{got['receipt']}: {got['signatures']} signatures, {got['timestamps']} timestamps"
    if "kept" in got:
        text += f"; {got['kept']} has others, so keep both"
    _say(arguments, got, text)
    return 0


def _upload(arguments: argparse.Namespace) -> int:
    try:
        columns = columns_of(arguments.columns)
    except ReadingError as error:
        raise ClientError(str(error)) from error
    said = {"columns": columns, "dates": arguments.dates, "zone": arguments.zone, "year": arguments.year}
    reading = {name: value for name, value in said.items() if value}
    metadata = {
        "case": arguments.case, "note": arguments.note, "names": ",".join(arguments.name),
        "reading": json.dumps(reading) if reading else "",
        "digest": arguments.digest, "stated_custody": arguments.stated_custody,
    }  # fmt: skip
    shown = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with _server() as server, Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        total = arguments.file.stat().st_size if arguments.file.is_file() else None
        task = bar.add_task(arguments.file.name, total=total)
        outcome = upload(
            server,
            arguments.file,
            metadata,
            lambda offset: bar.update(task, completed=offset),
            resume=arguments.resume,
        )
    _say(
        arguments,
        outcome.value(),
        f"sealed {outcome.digest}\nreceipt {outcome.receipt}\nsubmission {outcome.submission}",
    )
    return 0


def _wait(arguments: argparse.Namespace) -> int:
    with _server() as server:
        row = wait(server, arguments.submission, arguments.timeout)
    failed = [run for run in row["runs"] if run["state"] == "failed"]
    lines = [f"{row['state']}: {row['digest'] or row['problem']}", f"read as {row['read_as']}: {row['read_reason']}"]
    lines += [f"{run['state']} {run['procedure']} {run['result'] or run['problem']}" for run in row["runs"]]
    _say(arguments, row, "\n".join(lines))
    return 1 if failed or row["state"] == "refused" else 0


def _fetch(arguments: argparse.Namespace) -> int:
    with _server() as server:
        files = [str(path) for path in fetch(server, arguments.result, arguments.folder)]
    text = "\n".join([*files, f"check with: custos-verify {arguments.folder} --policy YOUR-POLICY"])
    _say(arguments, {"folder": str(arguments.folder), "files": files}, text)
    return 0


def _home() -> Path:
    return Path(os.environ.get("CUSTOS_HOME") or _ROOT / "var")


def _local_token() -> str:
    """A token for the administrator of the installation beside this program; none for a server elsewhere."""
    if os.environ.get("CUSTOS_TOKEN"):
        return os.environ["CUSTOS_TOKEN"]
    manage = _ROOT / "manage.py"
    if not _is_local(_url()) or not manage.exists() or not (_home() / "keys").exists():
        return ""
    command = [sys.executable, str(manage), "token", "--user", "admin", "--scope", "upload,read", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise ClientError(
            f"no token could be made for the local server; is it running? (make up) {ran.stderr[-300:].strip()}"
        )
    token: str = json.loads(ran.stdout)["token"]
    return token


def _policy(arguments: argparse.Namespace, server: Server, folder: Path) -> tuple[Path, str]:
    """The policy to check with, and whose word it is."""
    if arguments.policy:
        return arguments.policy, "the policy that you named"
    local = _home() / "policy.txt"
    if _is_local(server.url) and local.exists():
        return local, f"this machine's own {local}"
    path = folder / "policy.txt"
    path.write_text(server.json("/.well-known/custos-keys.json")["policy"])
    return path, "the server's own claim, so this shows consistency only"


def _demo(arguments: argparse.Namespace) -> int:
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="custos-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    with _server(_local_token()) as server:
        policy, whose = _policy(arguments, server, folder)
        done = demonstrate(server, folder, policy, lambda text: print(text, file=sys.stderr))
        value = {
            "case": done.case, "submissions": done.submissions, "results": done.results, "counts": done.counts,
            "shares": done.shares, "verified": not done.problems, "problems": done.problems, "folder": str(folder),
        }  # fmt: skip
        _say(arguments, value, _story(done, server.url, folder, policy, whose))
    return 1 if done.problems else 0


def _check(folder: Path, policy: Path) -> list[str]:
    return ["custos-verify", str(folder), "--policy", str(policy)]


def _story(done: Demonstration, url: str, folder: Path, policy: Path, whose: str) -> str:
    lines = [
        "",
        "The founding case as a RECONSTRUCTION (synthetic data):",
        *(f"  {answer}" for answer in done.answers),
        "",
    ]
    for name, share in done.shares.items():
        if name in ("client-1", "client-2"):
            lines.append(f"  {done.counts[name]:>5,}  {share} %  {name}")
    lines += [
        f"  {done.counts.get('sightings', 0):>5,}  sightings, {done.counts.get('matched', 0)} matched",
        "",
    ]
    lines += [f"  look: {url}/results/{result}" for result in done.results.values()]
    checks = [f"  check: {shlex.join(_check(folder / key, policy))}" for key in done.results]
    verdict = "every number was followed to its bytes" if not done.problems else "NOT VERIFIED"
    lines += [
        *checks,
        "",
        f"Checked offline against {whose}: {verdict}.",
        *(f"  {problem}" for problem in done.problems),
    ]
    if not done.problems and done.is_undated:
        lines.append("Not checked: time. Name timestamp authorities in CUSTOS_TSA (docs/timestamps.md).")
    return "\n".join(lines)
