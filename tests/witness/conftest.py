"""A log of the test's own, and real witness processes."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import pytest

from evidence.keys import Ed25519Signer, MlDsa44Signer
from evidence.log.checkpoint import Checkpoint, sign_checkpoint
from evidence.log.hashing import leaf_hash, tree_root
from evidence.log.note import ED25519, ML_DSA_44, Vkey
from evidence.log.proof import consistency_proof
from evidence.log.witness import Request
from tests.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ORIGIN = "archive.example.org/log"


@dataclass
class Log:
    """Grows at will; `fork` makes another history from a size on."""

    seed: int = 1
    leaves: list[bytes] = field(default_factory=list)

    def grow(self, size: int, word: str = "entry") -> Log:
        self.leaves += [leaf_hash(f"{word} {n}".encode()) for n in range(len(self.leaves), size)]
        return self

    @property
    def signers(self) -> tuple[Ed25519Signer, MlDsa44Signer]:
        return Ed25519Signer(bytes([self.seed]) * 32), MlDsa44Signer(bytes([self.seed]) * 32)

    @property
    def vkeys(self) -> list[str]:
        plain, quantum = self.signers
        return [str(Vkey(ORIGIN, ED25519, plain.public)), str(Vkey(ORIGIN, ML_DSA_44, quantum.public))]

    def note(self, size: int, origin: str = ORIGIN) -> str:
        return str(
            sign_checkpoint(Checkpoint(origin, size, tree_root(self.leaves[:size])), *self.signers, 1_793_491_200)
        )

    def request(self, old: int, size: int) -> bytes:
        def root(start: int, stop: int) -> bytes:
            return tree_root(self.leaves[start:stop])

        hashes = consistency_proof(old, size, root) if old <= size else []
        return str(Request(old, tuple(hashes), self.note(size))).encode()


class Running:
    """A `custos-witness run` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        self.process = command("run", "--folder", str(self.folder), "--listen", "127.0.0.1:0")
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.match(r"READY (http://\S+)", line)
        assert found, line + (self.process.stderr.read() if self.process.stderr else "")
        self.url = found[1]

    def add(self, body: bytes) -> httpx.Response:
        return httpx.post(f"{self.url}/add-checkpoint", content=body, timeout=30)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "witness.cli", *arguments], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def said(*arguments: str) -> tuple[int, str, str]:
    process = command(*arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.fixture
def log() -> Log:
    return Log().grow(300)


@pytest.fixture
def found(tmp_path: Path, log: Log) -> Callable[[str], tuple[Path, str]]:
    """Make a witness that follows the log; its folder and its lines for a policy."""

    def make(name: str, vkeys: list[str] | None = None) -> tuple[Path, str]:
        folder = tmp_path / name
        code, lines, err = said("init", "--folder", str(folder), "--name", f"{name}.example/w")
        assert code == 0, err
        code, _out, err = said("follow", "--folder", str(folder), *(vkeys or log.vkeys))
        assert code == 0, err
        return folder, lines

    return make


@pytest.fixture
def witness(found) -> Iterator[Running]:
    running = Running(found("w1")[0])
    yield running
    running.kill()
