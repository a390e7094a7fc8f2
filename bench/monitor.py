"""Checking a whole log from a folder of tiles, against hashlib alone doing the same SHA-256, in the same run.

    .venv/bin/python bench/monitor.py [--leaves 1000000] [--rounds 3]

Both sides run one after the other in one process on one core; seconds are of wall-clock time, and of the core's time in
brackets, which other work on the machine leaves alone. The peer hashes as many messages of the same sizes (33 bytes a
leaf, 65 a node) in a plain loop and keeps nothing.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import os
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from evidence.keys import Ed25519Signer, MlDsa44Signer
from evidence.log.checkpoint import Checkpoint, sign_checkpoint
from evidence.log.growth import Growth, bundle_leaves
from evidence.log.note import ED25519, ML_DSA_44, Vkey
from evidence.log.policy import parse_policy, policy_text
from evidence.log.tile import WIDTH, Tile, entry_bundle
from evidence.verify.trust import Trust
from monitor.source import FolderSource
from monitor.watch import Asked, watch

ORIGIN = "bench.example/log"
SIGNERS = Ed25519Signer(bytes(32)), MlDsa44Signer(bytes(32))


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds of wall-clock time and of this process's time on a core."""

    wall: float
    core: float

    @classmethod
    def now(cls) -> Clocks:
        return cls(time.perf_counter(), time.process_time())

    def since(self) -> Clocks:
        now = Clocks.now()
        return Clocks(now.wall - self.wall, now.core - self.core)


def generate(folder: Path, leaves: int) -> None:
    """A log of random entries as an archive serves it."""
    growth = Growth()
    for index in range(-(-leaves // WIDTH)):
        width = min(WIDTH, leaves - index * WIDTH)
        noise = os.urandom(32 * width)
        bundle = entry_bundle([noise[at : at + 32] for at in range(0, len(noise), 32)])
        hashes = bundle_leaves(bundle)
        keep(folder, Tile(None, index, width), bundle)
        for tile, row in growth.add(hashes):
            keep(folder, tile, row)
    for tile, row in growth.partial():
        keep(folder, tile, row)
    note = sign_checkpoint(Checkpoint(ORIGIN, growth.size, growth.root), *SIGNERS, int(time.time()))
    (folder / "checkpoint").write_text(str(note))


def keep(folder: Path, tile: Tile, content: bytes) -> None:
    path = folder / tile.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def ours(folder: Path) -> Clocks:
    plain, quantum = (signer.public for signer in SIGNERS)
    policy = parse_policy(policy_text((Vkey(ORIGIN, ED25519, plain), Vkey(ORIGIN, ML_DSA_44, quantum))))
    begin = Clocks.now()
    findings = watch(FolderSource(folder), Asked(Trust(policy, ()), dt.datetime.now(dt.UTC)))
    spent = begin.since()
    assert findings.exit_status == 0, findings.said
    return spent


def peer(leaves: int) -> Clocks:
    entry, pair = os.urandom(33), os.urandom(65)
    sha256 = hashlib.sha256
    begin = Clocks.now()
    for _ in range(leaves):
        sha256(entry).digest()
    for _ in range(leaves - 1):
        sha256(pair).digest()
    return begin.since()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="custos-bench-") as name:
        generate(Path(name), options.leaves)
        for number in range(1, options.rounds + 1):
            mine, theirs = ours(Path(name)), peer(options.leaves)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"round {number}: monitor {mine.wall:.2f} s ({mine.core:.2f}), hashlib {theirs.wall:.2f} s "
                  f"({theirs.core:.2f}), ratio of the core's time {mine.core / theirs.core:.2f}, "
                  f"peak {memory:.0f} MiB")  # fmt: skip


if __name__ == "__main__":
    main()
