"""`custos read FILE`: the same reading that the archive makes, on one's own machine, without a server.

Prints what the file was recognised as and how surely, counts, reasons, and first and last time; `--rows` gives the rows
with their byte ranges as NDJSON. Members of archives are read one after another.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import stat
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from client.columns import columns_of
from evidence.digest import Digest
from evidence.errors import EvidenceError, ReadingError
from evidence.extraction import DEPTH, EXTRACTIONS, INDEX, inside, is_whole, shortfalls
from evidence.formats.registry import FORMATS
from evidence.parsing import REPORT, TABLE
from evidence.reading.amounts import amount
from evidence.reading.format import HEAD
from evidence.recognition import Recognition, recognise
from evidence.sandbox import Limits, run_in_child

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = 10_000
NAMES = {procedure.partition("@")[0].removeprefix("parse."): procedure for procedure in FORMATS}
_CHANGED = "it was written to while it was read: read a copy of it"
_LEAST_MEMORY = 256
"""MiB; a child takes about as much address space before it reads."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or a member of it by its way through the archives."""

    path: Path
    way: tuple[str, ...]
    depth: int = 0
    outermost: int = 0


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    said = {"procedure": arguments.format, "dates": arguments.dates, "zone": arguments.zone, "year": arguments.year}
    try:
        _refuse_what_is_no_file(arguments.file)
        said["columns"] = columns_of(arguments.columns)
        stated = {name: value for name, value in said.items() if value}
        with tempfile.TemporaryDirectory(prefix="custos-read-") as folder:
            found = _read(Part(arguments.file, ()), stated, Path(folder), arguments)
            return 0 if all([*found]) else 1
    except BrokenPipeError:
        with suppress(OSError):
            sys.stdout.close()
        return 0
    except KeyboardInterrupt:
        return _refuse(arguments.file, "stopped")
    except OSError as error:
        where = f"{error.filename} " if error.filename and error.filename != str(arguments.file) else ""
        return _refuse(arguments.file, f"{where}cannot be used ({error.strerror}); name another place or free this one")
    except EvidenceError as error:
        return _refuse(arguments.file, str(error))


def _refuse(name: object, problem: str) -> int:
    print(f"custos: {name}: {problem}", file=sys.stderr)
    return 1


def _refuse_what_is_no_file(path: Path) -> None:
    """What is read twice, by its digest and then for its rows, has to be a file. Raises `ReadingError`, `OSError`."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise ReadingError("this is a folder: name one of the files in it, or put them into an archive (tar, zip)")
    if not stat.S_ISREG(mode):
        raise ReadingError("this is no regular file: write what comes out of it to a file first")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="custos read", description=(__doc__ or "").split("\n\n", 1)[1])
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--format",
        type=_format,
        default=None,
        metavar="NAME",
        help=f"one of {', '.join(NAMES)}; with or without version",
    )
    parser.add_argument(
        "--columns",
        default="",
        help="of CSV, TSV, JSON lines: time=…,client=…,name=… (ours=its own, or numbers from 1 if it has no header)",
    )
    parser.add_argument(
        "--dates", default="", choices=["mdy", "dmy"], help="of dates as 5/6/2013: month first (mdy) or day first (dmy)"
    )
    parser.add_argument("--zone", default="", help="of times without one: UTC, +02:00, Europe/Berlin")
    parser.add_argument("--year", type=int, default=0, help="of the first record, for logs without one")
    parser.add_argument("--memory", type=_mebibytes, default=4096, metavar="MIB", help="that the reader may use")
    parser.add_argument("--json", action="store_true", help="answer in JSON, one object a file or member")
    parser.add_argument(
        "--rows", action="store_true", help="give the rows as NDJSON; what was counted goes to standard error"
    )
    return parser


def _format(text: str) -> str:
    """The procedure by its name, as `parse.bind@2`, or by its format's, as `bind`. Raises `ArgumentTypeError`."""
    if text not in FORMATS and text not in NAMES:
        raise argparse.ArgumentTypeError(f"{text!r} is no format; write one of {', '.join(NAMES)}")
    return NAMES.get(text, text)


def _mebibytes(text: str) -> int:
    """Raises `ArgumentTypeError` for less than a reader begins with."""
    if not (text.isascii() and text.isdecimal() and int(text) >= _LEAST_MEMORY):
        raise argparse.ArgumentTypeError(f"{text}: write a number of MiB from {_LEAST_MEMORY} on")
    return int(text)


def _read(part: Part, stated: dict[str, Any], folder: Path, arguments: argparse.Namespace) -> Iterator[bool]:
    """Whether each file and member was read; what is wrong with a member keeps no other from being read."""
    try:
        yield from _read_part(part, stated, folder, arguments)
    except ReadingError as error:
        if not part.way:
            raise
        _refuse("/".join((str(arguments.file), *part.way)), str(error))
        yield False


def _read_part(part: Part, stated: dict[str, Any], folder: Path, arguments: argparse.Namespace) -> Iterator[bool]:
    found, size = _recognised(part, stated)
    if found.procedure is None:
        _say(arguments, _about(part, found))
        yield False
        return
    work = Path(tempfile.mkdtemp(dir=folder))
    _run(part, found, size, work, arguments.memory << 20)
    if found.procedure not in EXTRACTIONS:
        _tell(part, found, work, arguments)
        yield True
        return
    index = json.loads((work / INDEX).read_bytes())
    for lost in shortfalls(index):
        _refuse("/".join((str(arguments.file), *part.way)), lost)
    yield is_whole(index)
    for member in index["members"]:
        way = (*part.way, member["path"] or member["output"])
        yield from _read(
            Part(work / member["output"], way, part.depth + 1, part.outermost or size), stated, folder, arguments
        )
        (work / member["output"]).unlink()


def _recognised(part: Part, stated: dict[str, Any]) -> tuple[Recognition, int]:
    """What it is, and its size; an archive too deep inside others is kept closed, as the archive keeps it."""
    with part.path.open("rb") as file:
        head = file.read(HEAD)
    size = part.path.stat().st_size
    found = recognise(head, stated, whole=size <= HEAD)
    if found.procedure in EXTRACTIONS and part.depth >= DEPTH:
        return Recognition(None, f"an archive inside {DEPTH} others: kept closed; read it by itself"), size
    return found, size


def _run(part: Part, found: Recognition, size: int, work: Path, memory: int) -> None:
    """Raises `ReadingError`, also for a file that others write to meanwhile."""
    procedure = found.procedure or ""
    parameters = inside(part.depth, part.outermost) if procedure in EXTRACTIONS else found.parameters
    limits = Limits(memory, 3600 + (size >> 18), 1 << 50)
    before = _state(part.path)
    inputs, digests = {"source": part.path.resolve()}, {"source": _digest(part.path)}
    try:
        run_in_child(procedure, inputs, digests, parameters, work, limits)
    except ReadingError as error:
        if _state(part.path) == before:
            raise
        raise ReadingError(_CHANGED) from error
    if procedure in EXTRACTIONS and _state(part.path) != before:
        raise ReadingError(_CHANGED)


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _digest(path: Path) -> Digest:
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").hexdigest())


def _about(part: Part, found: Recognition) -> dict[str, Any]:
    return {
        "member": "/".join(part.way), "format": found.procedure, "confidence": found.confidence, "reason": found.reason,
        "others": [name for name, _ in found.others],
    }  # fmt: skip


def _tell(part: Part, found: Recognition, work: Path, arguments: argparse.Namespace) -> None:
    report = json.loads((work / REPORT).read_bytes())
    counts = report["conservation"]
    holds = report["schema"].partition("@")[0]
    value = _about(part, found) | {
        "source": report["source"], "lookups": counts["queries"], "responses": counts["responses"],
        "sightings": counts["rows"] if holds == "sightings" else 0, "conservation": counts,
        "reasons": report["reasons"], "first": report["first_time"], "last": report["last_time"],
        "notes": report["notes"],
    }  # fmt: skip
    if arguments.rows:
        for row in rows(work / TABLE):
            print(json.dumps(row | ({"member": value["member"]} if part.way else {}), ensure_ascii=False))
    _say(arguments, value)


def rows(table: Path) -> Iterator[dict[str, Any]]:
    """Rows as JSON values: times as RFC 3339 with microseconds, and what is null left out."""
    with pq.ParquetFile(table) as file:
        for batch in file.iter_batches(_ROWS):
            for row in batch.to_pylist():
                yield {name: _plain(value) for name, value in row.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value


def _say(arguments: argparse.Namespace, value: dict[str, Any]) -> None:
    out = sys.stderr if arguments.rows else sys.stdout
    print(json.dumps(value, ensure_ascii=False) if arguments.json else _text(value), file=out)


def _text(value: dict[str, Any]) -> str:
    lines = [f"{value['member']}:"] if value["member"] else []
    lines.append(f"{value['format'] or 'not read'} ({value['confidence']:.0%} sure): {value['reason']}")
    if "conservation" in value:
        counts = value["conservation"]
        lines += [
            ", ".join(amount(value[f"{name}s"], name) for name in ("lookup", "response", "sighting")),
            _conservation(counts),
            *(f"  {count:,} {reason}" for reason, count in sorted(value["reasons"].items())),
            f"from {value['first'] or 'no time'} to {value['last'] or 'no time'}",
            *(f"note: {note}" for note in value["notes"]),
        ]
    return "\n".join(lines)


def _conservation(counts: dict[str, int]) -> str:
    parts = f"{counts['row_bytes']:,} of rows + {counts['reject_bytes']:,} rejected"
    return f"{counts['bytes']:,} bytes = {parts} + {counts['skipped_bytes']:,} skipped by rule"
