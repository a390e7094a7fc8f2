"""Checkpoints cosigned per second by one `custos-witness` process: verified, remembered on disk, signed twice.

    .venv/bin/python bench/witness.py [--checkpoints 400] [--logs 4]

One log sends its checkpoints one after the other; then several logs at once. What the logs sign is made beforehand.
The peer in the same run is the disk: a file of the same size replaced and synced as the witness does before it answers.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from evidence.keys import Ed25519Signer, MlDsa44Signer
from evidence.log.checkpoint import Checkpoint, sign_checkpoint
from evidence.log.hashing import leaf_hash, tree_root
from evidence.log.note import ED25519, ML_DSA_44, Vkey
from evidence.log.proof import consistency_proof
from evidence.log.witness import Request
from tests.scratch import ROOT

PROGRAM = [sys.executable, "-m", "witness.cli"]


class Log:
    """What a log that grows by one leaf each time asks a witness for, made beforehand."""

    def __init__(self, number: int, count: int) -> None:
        self.origin, seed = f"log-{number}.example.org/log", bytes([number]) * 32
        self._keys = Ed25519Signer(seed), MlDsa44Signer(seed)
        self._leaves = [leaf_hash(f"entry {index}".encode()) for index in range(count)]
        self.bodies = [self._request(size) for size in range(1, count + 1)]

    @property
    def vkeys(self) -> list[str]:
        plain, quantum = self._keys
        return [str(Vkey(self.origin, ED25519, plain.public)), str(Vkey(self.origin, ML_DSA_44, quantum.public))]

    def _request(self, size: int) -> bytes:
        hashes = consistency_proof(size - 1, size, lambda start, stop: tree_root(self._leaves[start:stop]))
        checkpoint = Checkpoint(self.origin, size, tree_root(self._leaves[:size]))
        note = str(sign_checkpoint(checkpoint, *self._keys, 1_793_491_200))
        return str(Request(size - 1, tuple(hashes), note)).encode()


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A running witness and its address; what it logs of requests goes nowhere."""
    command = [*PROGRAM, "run", "--folder", str(folder), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    return process, process.stdout.readline().split()[1]


def send(url: str, bodies: list[bytes]) -> None:
    with httpx.Client(timeout=60) as client:
        for body in bodies:
            answer = client.post(f"{url}/add-checkpoint", content=body)
            assert answer.status_code == 200, answer.text


def seconds_for(url: str, logs: list[Log]) -> float:
    """All logs at once, each one after the other."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(len(logs)) as pool:
        list(pool.map(lambda log: send(url, log.bodies), logs))
    return time.perf_counter() - begin


def synced_writes(folder: Path, size: int, count: int) -> float:
    """Seconds for so many replacements of a file, each durable."""
    begin, data = time.perf_counter(), os.urandom(size)
    for _ in range(count):
        with (folder / "new").open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        (folder / "new").rename(folder / "kept")
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoints", type=int, default=400)
    parser.add_argument("--logs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    count = arguments.checkpoints
    for number in range(1, arguments.rounds + 1):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            subprocess.run([*PROGRAM, "init", "--folder", str(folder / "w"), "--name", "w.example/w"], cwd=ROOT,
                           check=True, capture_output=True)  # fmt: skip
            logs = [Log(place, count) for place in range(1, arguments.logs + 2)]
            for log in logs:
                subprocess.run([*PROGRAM, "follow", "--folder", str(folder / "w"), *log.vkeys], cwd=ROOT, check=True)
            witness, url = start(folder / "w")
            try:
                one = count / seconds_for(url, logs[:1])
                several = count * arguments.logs / seconds_for(url, logs[1:])
            finally:
                witness.kill()
                witness.communicate()
            disk = count / synced_writes(folder, len(logs[0].bodies[-1]), count)
        print(
            f"round {number}: one log {one:.0f} checkpoints/s, {arguments.logs} logs at once {several:.0f}/s; "
            f"synced replacements of a file {disk:.0f}/s, ratio {one / disk:.2f}"
        )


if __name__ == "__main__":
    main()
