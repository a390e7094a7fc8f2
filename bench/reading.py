"""BIND log to Parquet with provenance, against DuckDB's regular expressions without provenance, in the same run.

    .venv/bin/python bench/reading.py [--lines 4000000] [--rounds 2]

Each side runs in a process of its own; lines a second are of wall-clock time, memory is the process's peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PATTERN = (
    r"^(\d\d-[A-Z][a-z][a-z]-\d{4} \d\d:\d\d:\d\d\.\d{3}) (?:queries: )?(?:info: )?client (?:@0x[0-9a-f]+ )?"
    r"([0-9A-Fa-f:.]+)#(\d{1,5}) \(\S+\): (?:view \S+: )?query: (\S+) ([A-Z0-9]+) ([A-Z0-9-]+) "
)


def generate(path: Path, lines: int) -> None:
    """Lines of the reconstruction's ordinary traffic, repeated until there are enough."""
    from evidence.reconstruction import query_log

    part = list(query_log())[1:]
    with path.open("wb") as file:
        for start in range(0, lines, len(part)):
            file.writelines(part[: lines - start])


def ours(path: Path, folder: Path) -> None:
    from evidence.digest import Digest, hash_stream
    from evidence.procedures import PROCEDURES

    with path.open("rb") as file:
        digest, _ = hash_stream(iter(lambda: file.read(1 << 20), b""))
    begin = time.perf_counter()
    PROCEDURES["parse.bind@2"].run({"source": path}, {"source": Digest(digest.hex)}, {}, folder)
    report(begin)


def peer(path: Path, folder: Path) -> None:
    import duckdb

    connection = duckdb.connect(config={"threads": 2})
    columns = ", ".join(f"regexp_extract(line, '{PATTERN}', {n}) AS c{n}" for n in range(1, 7))
    source = f"read_csv('{path}', columns={{'line': 'VARCHAR'}}, header=false, delim='\\x01', quote='', escape='')"
    begin = time.perf_counter()
    connection.execute(f"COPY (SELECT {columns} FROM {source}) TO '{folder / 'peer.parquet'}' (COMPRESSION zstd)")
    report(begin)


def report(begin: float) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.perf_counter() - begin, "peak_mib": peak}))


def measure(side: str, path: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--side", side, "--path", str(path), "--folder", folder]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=4_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--side")
    parser.add_argument("--path", type=Path)
    parser.add_argument("--folder", type=Path)
    said = parser.parse_args()
    if said.side:
        {"ours": ours, "peer": peer}[said.side](said.path, said.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "queries.log"
        generate(path, said.lines)
        print(f"{said.lines:,} lines, {path.stat().st_size / 1e6:,.0f} MB")
        for number in range(1, said.rounds + 1):
            got = {side: measure(side, path) for side in ("ours", "peer")}
            rate = {side: said.lines / value["seconds"] for side, value in got.items()}
            print(
                f"round {number}: ours {rate['ours']:,.0f} lines/s, {got['ours']['peak_mib']:,.0f} MiB; "
                f"DuckDB regexp_extract {rate['peer']:,.0f} lines/s, {got['peer']['peak_mib']:,.0f} MiB; "
                f"ratio {rate['ours'] / rate['peer']:.2f}"
            )


if __name__ == "__main__":
    main()
