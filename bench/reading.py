"""Logs to Parquet with provenance, against one-liners of DuckDB and Polars without provenance, in the same run.

    .venv/bin/python bench/reading.py [--formats FORMAT ...] [--records 2000000] [--rounds 2] [--polars PYTHON]

Each side runs in a process of its own; records a second are of wall-clock time and of processor time, memory is the
process's peak. Polars is no dependency of this project: `--polars` names a Python that has it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import formats

if TYPE_CHECKING:
    from collections.abc import Iterator

PATTERN = (
    r"^(\d\d-[A-Z][a-z][a-z]-\d{4} \d\d:\d\d:\d\d\.\d{3}) (?:queries: )?(?:info: )?client (?:@0x[0-9a-f]+ )?"
    r"([0-9A-Fa-f:.]+)#(\d{1,5}) \(\S+\): (?:view \S+: )?query: (\S+) ([A-Z0-9]+) ([A-Z0-9-]+) "
)
CSV = {name: name for name in ("time", "client", "name", "type")}
FORMATS = {
    "bind": ("parse.bind@2", {}),
    "csv": ("parse.delimited@2", {"kind": "lookups", "columns": CSV}),
    "zeek": ("parse.zeek@1", {}),
    "zeek_json": ("parse.zeek_json@1", {}),
    "eve": ("parse.eve@1", {}),
}


def generate(form: str, path: Path, records: int) -> None:
    """The reconstruction's ordinary traffic for BIND, repeated; made-up lookups for the others."""
    with path.open("wb") as file:
        if form == "bind":
            from evidence.reconstruction import query_log

            part = list(query_log())[1:]
            for start in range(0, records, len(part)):
                file.writelines(part[: records - start])
        else:
            file.write({"csv": b"time,client,name,type\n", "zeek": formats.HEADER.encode()}.get(form, b""))
            file.writelines(made_up(form, records))


def made_up(form: str, records: int) -> Iterator[bytes]:
    """For CSV lookups of 20,000 names, few of them often, by 5,000 clients."""
    chance = random.Random(1)
    for number in range(records):
        if form != "csv":
            yield {"zeek": formats.zeek, "zeek_json": formats.zeek_json, "eve": formats.eve}[form](number).encode()
            continue
        moment = dt.datetime.fromtimestamp(1_471_262_400 + number // 200, dt.UTC)
        client = f"192.0.{int(chance.random() ** 2 * 20)}.{number % 250}"
        name = f"host-{int(chance.random() ** 3 * 20_000)}.example-{number % 700}.net"
        kind = ("A", "AAAA", "MX", "TXT", "PTR")[number % 5]
        yield f"{moment:%Y-%m-%dT%H:%M:%S}.{number % 1000:03}Z,{client},{name},{kind}\n".encode()


def custos(form: str, path: Path, folder: Path) -> None:
    from evidence.digest import Digest, hash_stream
    from evidence.procedures import PROCEDURES

    procedure, parameters = FORMATS[form]
    with path.open("rb") as file:
        digest, _ = hash_stream(iter(lambda: file.read(1 << 20), b""))
    begin = now()
    PROCEDURES[procedure].run({"source": path}, {"source": Digest(digest.hex)}, parameters, folder)
    rows = json.loads((folder / "report.json").read_text())["conservation"]["rows"]
    report(begin, rows)


def duckdb(form: str, path: Path, folder: Path) -> None:
    import duckdb

    connection = duckdb.connect(config={"threads": 2})
    lines = f"read_csv('{path}', columns={{'line': 'VARCHAR'}}, header=false, delim='\\x01', quote='', escape='')"
    captures = ", ".join(f"regexp_extract(line, '{PATTERN}', {n}) AS c{n}" for n in range(1, 7))
    zeek = ", ".join(f"'{name}': 'VARCHAR'" for name in formats.FIELDS.split())
    kinds = "{'time': 'TIMESTAMPTZ', 'client': 'VARCHAR', 'name': 'VARCHAR', 'type': 'VARCHAR'}"
    query = {
        "bind": f"SELECT {captures} FROM {lines}",
        "csv": f"SELECT * FROM read_csv('{path}', columns={kinds}, header=true)",
        "zeek": f"SELECT * FROM read_csv('{path}', columns={{{zeek}}}, delim='\\t', skip=3, header=false, quote='')",
        "zeek_json": f"SELECT * FROM read_json('{path}', format='newline_delimited')",
        "eve": f"SELECT timestamp, src_ip, src_port, dns FROM read_json('{path}', format='newline_delimited')",
    }[form]
    begin = now()
    connection.execute(f"COPY ({query}) TO '{folder / 'peer.parquet'}' (COMPRESSION zstd, COMPRESSION_LEVEL 1)")
    rows = connection.execute(f"SELECT count(*) FROM '{folder / 'peer.parquet'}'").fetchone()
    report(begin, rows[0])


def polars(form: str, path: Path, folder: Path) -> None:
    import polars as pl

    begin = now()
    if form == "bind":
        lines = pl.scan_csv(path, has_header=False, new_columns=["line"], separator="\x01", quote_char=None)
        frame = lines.select(pl.col("line").str.extract_groups(PATTERN)).unnest("line")
    elif form == "csv":
        frame = pl.scan_csv(path).with_columns(pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%S%.3fZ"))
    elif form == "zeek":
        frame = pl.scan_csv(
            path, separator="\t", skip_rows=3, has_header=False, new_columns=formats.FIELDS.split(), quote_char=None
        )
    elif form == "zeek_json":
        frame = pl.scan_ndjson(path)
    else:
        frame = pl.scan_ndjson(path).select("timestamp", "src_ip", "src_port", "dns")
    frame.sink_parquet(folder / "peer.parquet", compression="zstd", compression_level=1)
    report(begin, pl.scan_parquet(folder / "peer.parquet").select(pl.len()).collect().item())


SIDES = {"custos": custos, "duckdb": duckdb, "polars": polars}


def now() -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    return time.perf_counter(), time.process_time()


def report(begin: tuple[float, float], rows: int) -> None:
    seconds, core = (after - before for before, after in zip(begin, now(), strict=True))
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(json.dumps({"seconds": seconds, "core": core, "peak_mib": peak, "rows": rows}))


def measure(side: str, python: str, form: str, path: Path) -> dict[str, float]:
    from evidence.sandbox import ENVIRONMENT

    with tempfile.TemporaryDirectory() as folder:
        command = [python, __file__, "--side", side, "--formats", form, "--path", str(path), "--folder", folder]
        environment = os.environ | (ENVIRONMENT if side == "custos" else {"POLARS_MAX_THREADS": "2"})
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return json.loads(done.stdout)


def compare(form: str, records: int, rounds: int, pythons: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{form}.log"
        generate(form, path, records)
        print(f"{form}: {records:,} records, {path.stat().st_size / 1e6:,.0f} MB")
        for number in range(1, rounds + 1):
            got = {side: measure(side, python, form, path) for side, python in pythons.items()}
            parts = [f"load {os.getloadavg()[0]:.1f}"]
            for side, value in got.items():
                ratio = value["seconds"] / got["custos"]["seconds"]
                rate, core = records / value["seconds"], records / value["core"]
                parts.append(
                    f"{side} {rate:,.0f}/s ({core:,.0f} a core s), {value['peak_mib']:,.0f} MiB, "
                    f"{value['rows']:,} rows, ratio {ratio:.2f}"
                )
            print(f"  round {number}: " + "; ".join(parts), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--formats", nargs="+", default=list(FORMATS), choices=list(FORMATS))
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--polars")
    parser.add_argument("--side")
    parser.add_argument("--path", type=Path)
    parser.add_argument("--folder", type=Path)
    said = parser.parse_args()
    if said.side:
        SIDES[said.side](said.formats[0], said.path, said.folder)
        return
    pythons = {"custos": sys.executable, "duckdb": sys.executable} | ({"polars": said.polars} if said.polars else {})
    for form in said.formats:
        compare(form, said.records, said.rounds, pythons)


if __name__ == "__main__":
    main()
