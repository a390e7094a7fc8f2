"""The most memory that reading takes, whatever the size of the file: a BIND log of some GiB, written and deleted here.

    .venv/bin/python bench/memory.py [--gib 4] [--folder /tmp]

The reader runs as it does in the archive, in a process of its own; the peak is of it and of any child that it had.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.reading import generate, measure

PART = 500_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gib", type=float, default=4)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=said.folder) as folder:
        part, path = Path(folder) / "part", Path(folder) / "queries.log"
        generate("bind", part, PART)
        data, wanted = part.read_bytes(), int(said.gib * (1 << 30))
        with path.open("wb") as file:
            while file.tell() < wanted:
                file.write(data)
        got = measure("custos", sys.executable, "bind", path)
        print(
            f"{path.stat().st_size / (1 << 30):.2f} GiB, {got['rows']:,} rows in {got['seconds']:.0f} s: "
            f"peak {got['peak_mib']:,.0f} MiB; load {os.getloadavg()[0]:.1f}"
        )


if __name__ == "__main__":
    main()
