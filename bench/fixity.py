"""Fixity without a pace against `openssl dgst -sha256` of the same stored files, in the same run.

    .venv/bin/python bench/fixity.py [--mib 256] [--files 4] [--rounds 3]

Ours is all of a check: rows and place from PostgreSQL, the bytes read and hashed, the custody event, its place in the
ledger. Both sides read from the page cache; the order alternates.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.installation import installation

if TYPE_CHECKING:
    from tests.scratch import Scratch

SEAL = """
import sys
from archive.services import access, intake, sealing
ann = access.principal_of(access.ensure_user(user_name="ann"))
for path in {paths!r}:
    file = open(path, "rb")
    size = file.seek(0, 2)
    file.seek(0)
    row = intake.begin_submission(principal=ann, case_reference="bench", length=size)
    intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=iter(lambda: file.read(1 << 20), b""))
    sealing.seal_submission(row.pk)
"""
CHECK = """
import time
from archive.models import Blob
from archive.services import fixity
blobs = list(Blob.objects.order_by("digest"))
begin = time.perf_counter()
states = {fixity.check_blob(blob, fixity.Pace(0)).state for blob in blobs}
print(time.perf_counter() - begin, *states)
"""


def make(folder: Path, mib: int, files: int) -> list[str]:
    paths = [folder / f"{number}.raw" for number in range(files)]
    for path in paths:
        with path.open("wb") as file:
            for _ in range(mib):
                file.write(os.urandom(1 << 20))
    return [str(path) for path in paths]


def peer(stored: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(["openssl", "dgst", "-sha256", *stored], check=True, capture_output=True)
    return time.perf_counter() - begin


def ours(scratch: Scratch) -> float:
    seconds, *states = scratch.python(CHECK).split()
    assert states == ["whole"], states
    return float(seconds)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    said = parser.parse_args()
    with installation() as (scratch, folder):
        scratch.manage("migrate", "--verbosity", "0")
        scratch.manage("make_keys")
        scratch.python(SEAL.format(paths=make(folder, said.mib, said.files)))
        stored = [str(path) for path in (folder / "home/store/sha256").rglob("*") if path.is_file()]
        assert len(stored) == said.files
        peer(stored)
        for number in range(1, said.rounds + 1):
            first, second = (ours(scratch), peer(stored)) if number % 2 else (peer(stored), ours(scratch))
            got, base = (first, second) if number % 2 else (second, first)
            mib = said.mib * said.files
            print(
                f"round {number}: {mib} MiB, {mib / got:.0f} MiB/s, openssl {mib / base:.0f} MiB/s, "
                f"ratio of speeds {base / got:.2f}"
            )


if __name__ == "__main__":
    main()
