"""`custos read FILE`: the same reading that the archive makes, on one's own machine, without a server.

Prints what the file was recognised as and how surely, counts, reasons, and first and last time; `--rows` gives the rows
with their byte ranges as NDJSON. Members of archives are read one after another.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from client.columns import columns_of
from evidence.digest import Digest
from evidence.errors import EvidenceError
from evidence.extraction import DEPTH, EXTRACTIONS, INDEX
from evidence.formats.registry import FORMATS
from evidence.parsing import REPORT, TABLE
from evidence.reading.format import HEAD
from evidence.recognition import Recognition, recognise
from evidence.sandbox import Limits, run_in_child

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or a member of it by its way through the archives."""

    path: Path
    way: tuple[str, ...]
    depth: int = 0


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    said = {"procedure": arguments.format, "dates": arguments.dates, "zone": arguments.zone, "year": arguments.year}
    try:
        said["columns"] = columns_of(arguments.columns)
        stated = {name: value for name, value in said.items() if value}
        with tempfile.TemporaryDirectory(prefix="custos-read-") as folder:
            found = _read(Part(arguments.file, ()), stated, Path(folder), arguments)
            return 0 if all([*found]) else 1
    except BrokenPipeError:
        with suppress(OSError):
            sys.stdout.close()
        return 0
    except (EvidenceError, OSError) as error:
        print(f"custos: {arguments.file}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="custos read", description=(__doc__ or "").split("\n\n", 1)[1])
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--format", default="", choices=["", *FORMATS], metavar="NAME", help=f"one of {', '.join(FORMATS)}"
    )
    parser.add_argument("--columns", default="", help="of CSV, TSV, JSON lines: time=…,client=…,name=… (ours=its own)")
    parser.add_argument(
        "--dates", default="", choices=["mdy", "dmy"], help="of dates as 5/6/2013: month first (mdy) or day first (dmy)"
    )
    parser.add_argument("--zone", default="", help="of times without one: UTC, +02:00, Europe/Berlin")
    parser.add_argument("--year", type=int, default=0, help="of the first record, for logs without one")
    parser.add_argument("--memory", type=int, default=4096, metavar="MIB", help="that the reader may use")
    parser.add_argument("--json", action="store_true", help="answer in JSON, one object a file or member")
    parser.add_argument(
        "--rows", action="store_true", help="give the rows as NDJSON; what was counted goes to standard error"
    )
    return parser


def _read(part: Part, stated: dict[str, Any], folder: Path, arguments: argparse.Namespace) -> Iterator[bool]:
    """Whether each file and member was read."""
    with part.path.open("rb") as file:
        head = file.read(HEAD)
    size = part.path.stat().st_size
    found = recognise(head, stated, whole=size <= HEAD)
    if found.procedure is None or part.depth > DEPTH:
        _say(arguments, _about(part, found))
        yield False
        return
    work = Path(tempfile.mkdtemp(dir=folder))
    limits = Limits(arguments.memory << 20, 3600 + (size >> 18), 1 << 50)
    parameters = {"depth": part.depth + 1} if found.procedure in EXTRACTIONS else found.parameters
    inputs, digests = {"source": part.path.resolve()}, {"source": _digest(part.path)}
    run_in_child(found.procedure, inputs, digests, parameters, work, limits)
    if found.procedure not in EXTRACTIONS:
        _tell(part, found, work, arguments)
        yield True
        return
    for member in json.loads((work / INDEX).read_bytes())["members"]:
        way = (*part.way, member["path"] or member["output"])
        yield from _read(Part(work / member["output"], way, part.depth + 1), stated, folder, arguments)
        (work / member["output"]).unlink()


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
            f"{value['lookups']:,} lookups, {value['responses']:,} responses, {value['sightings']:,} sightings",
            _conservation(counts),
            *(f"  {count:,} {reason}" for reason, count in sorted(value["reasons"].items())),
            f"from {value['first'] or 'no time'} to {value['last'] or 'no time'}",
            *(f"note: {note}" for note in value["notes"]),
        ]
    return "\n".join(lines)


def _conservation(counts: dict[str, int]) -> str:
    parts = f"{counts['row_bytes']:,} of rows + {counts['reject_bytes']:,} rejected"
    return f"{counts['bytes']:,} bytes = {parts} + {counts['skipped_bytes']:,} skipped by rule"
