"""A blob into S3 with Object Lock and read back, against `aws s3 cp` of the same file, on one real Ceph in one run.

    python3 -m venv /tmp/aws && /tmp/aws/bin/pip install awscli
    .venv/bin/python bench/s3.py --aws /tmp/aws/bin/aws [--mib 256] [--rounds 3]

Ours is `put` as sealing calls it: multipart under COMPLIANCE retention, the object read back and hashed. The peer
uploads, locks nothing and reads nothing back. Its time is that of the command; what it needs to start (an upload of an
empty file) is said beside it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from archive.storage.s3 import S3Store
from archive.storage.store import Keeping
from evidence.digest import Digest
from tests.ceph import Ceph

BUCKET = "bench"


def peer(aws: str, path: Path) -> float:
    begin = time.perf_counter()
    target = f"s3://{BUCKET}-peer/{secrets.token_hex(8)}"
    subprocess.run([aws, "s3", "cp", "--quiet", str(path), target], check=True)
    seconds = time.perf_counter() - begin
    subprocess.run([aws, "s3", "rm", "--quiet", target], check=True)
    return seconds


def ours(store: S3Store, path: Path) -> tuple[float, float]:
    """Seconds of the whole, and of those the reading back."""
    with path.open("rb") as file:
        digest = Digest(hashlib.file_digest(file, "sha256").hexdigest())
    begin = time.perf_counter()
    locator = store.put(path, digest, Keeping(until=dt.datetime.now(dt.UTC) + dt.timedelta(days=1)))
    whole = time.perf_counter() - begin
    begin = time.perf_counter()
    assert store.examine(locator, lambda _: None)[0].state == "whole"
    return whole, time.perf_counter() - begin


def fill(path: Path, mib: int) -> None:
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(1 << 20))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--aws", default="aws")
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ceph = Ceph(folder / "ceph", size=(said.rounds + 2) * said.mib << 20)
        try:
            os.environ |= ceph.start().environment
            store = S3Store(BUCKET, "", folder)
            store.prepare()
            subprocess.run([said.aws, "s3", "mb", f"s3://{BUCKET}-peer"], check=True, capture_output=True)
            empty, path = folder / "empty", folder / "file"
            fill(empty, 0)
            for number in range(1, said.rounds + 1):
                fill(path, said.mib)
                start = peer(said.aws, empty)
                base = peer(said.aws, path)
                got, back = ours(store, path)
                print(
                    f"round {number}: {said.mib} MiB {got:.2f} s (of which read back about {back:.2f} s), "
                    f"aws s3 cp {base:.2f} s (of which about {start:.2f} s to start), ratio {got / base:.2f}, "
                    f"without the start {got / (base - start):.2f}"
                )
        finally:
            ceph.stop()


if __name__ == "__main__":
    main()
