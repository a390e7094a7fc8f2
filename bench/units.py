"""The unit tree of a file's lines, against hashlib in a plain loop over the same lines, in the same run.

    .venv/bin/python bench/units.py [--lines 2000000] [--rounds 3]

The tree is as the archive makes it: digest of the file checked, lines found, salted leaves and all nodes, by three
processes. The loop hashes each line with a salt of zeros: no digest of the file, no salts, no nodes, one process.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.reading import generate
from evidence.digest import Digest
from evidence.unit_tree import PLANT, run

KEY = "5a" * 32


def tree(path: Path, digest: Digest, folder: Path) -> None:
    run(PLANT, {"source": path}, {"source": digest}, {"key": KEY, "kind": "line"}, folder)


def loop(path: Path) -> None:
    salt, hashed = bytes(17), 0
    with path.open("rb") as file:
        for line in file:
            hashed += len(hashlib.sha256(salt + line).digest())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "queries.log"
        generate("bind", path, said.lines)
        with path.open("rb") as file:
            digest = Digest(hashlib.file_digest(file, "sha256").hexdigest())
        for number in range(1, said.rounds + 1):
            begin = time.perf_counter(), sum(os.times()[:4])
            tree(path, digest, Path(folder))
            between = time.perf_counter(), sum(os.times()[:4])
            loop(path)
            end = time.perf_counter(), sum(os.times()[:4])
            ours, plain = (
                [said.lines / (after - before) for before, after in zip(first, last, strict=True)]
                for first, last in ((begin, between), (between, end))
            )
            print(
                f"round {number}: load {os.getloadavg()[0]:.1f}; "
                f"tree {ours[0]:,.0f} lines/s ({ours[1]:,.0f} a core s); "
                f"loop {plain[0]:,.0f} lines/s ({plain[1]:,.0f} a core s); ratio {ours[0] / plain[0]:.2f}"
            )


if __name__ == "__main__":
    main()
