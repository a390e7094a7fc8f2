"""A real ledger: made by the archive's own code in PostgreSQL, its files taken from the archive's own addresses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.cli import main
from tests.scratch import Scratch

SIZES = (300, 600, 700)  # more than one tile; a part of a tile more; from a third into a part of it
EXPORT = """
from pathlib import Path
from django.test import Client
from evidence.log.growth import tiles_between
client, folder = Client(HTTP_HOST="127.0.0.1"), Path({folder!r})
def take(path):
    answer = client.get("/log/" + path)
    assert answer.status_code == 200, (path, answer.content)
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(answer.content)
    return answer.content
size = int(take("checkpoint").split(b"\\n")[1])
for tile in tiles_between(0, size):
    take(tile.path)
"""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Folders as the archive served them at each of `SIZES`, the same log rolled back and grown on differently, and
    its policy."""

    at: dict[int, Path]
    forked: Path
    forked_at_one_size: Path
    policy: Path


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    home, out = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("served")
    with Scratch(home) as scratch:
        scratch.with_log(SIZES[0])
        at = {SIZES[0]: _export(scratch, out / str(SIZES[0]))}
        backup = scratch.keep_copy()
        for smaller, size in pairwise(SIZES):
            scratch.add_events(size - smaller)
            at[size] = _export(scratch, out / str(size))
        (out / "policy.txt").write_text(scratch.python("from archive import wiring\nprint(wiring.policy(), end='')"))
        scratch.restore(backup)
        (home / "published" / "checkpoint").unlink()
        scratch.add_events(SIZES[1] - SIZES[0])
        one_size = _export(scratch, out / "forked at one size")
        scratch.add_events(SIZES[2] - SIZES[1] + 50)
        return Ledger(at, _export(scratch, out / "forked"), one_size, out / "policy.txt")


def _export(scratch: Scratch, folder: Path) -> Path:
    scratch.python(EXPORT.format(folder=str(folder)))
    return folder


@dataclass(frozen=True, slots=True)
class Said:
    """What the command said."""

    status: int
    findings: list[dict[str, str]]

    def codes(self, level: str) -> set[str]:
        return {item["code"] for item in self.findings if item["level"] == level}

    @property
    def wrong(self) -> set[str]:
        return self.codes("wrong")

    def of(self, code: str) -> list[dict[str, str]]:
        return [item for item in self.findings if item["code"] == code]


type Look = Callable[..., Said]


@pytest.fixture
def look(founded: Ledger, capsys: pytest.CaptureFixture[str]) -> Look:
    """Run `custos-verify log` under the ledger's policy; what it said."""

    def run(log: Path | str, *more: Path | str, policy: Path | None = founded.policy) -> Said:
        trust = ["--policy", str(policy)] if policy else []
        status = main(["log", str(log), *map(str, more), *trust, "--json"])
        shown = capsys.readouterr()
        assert shown.err == "", shown.err
        return Said(status, json.loads(shown.out)["findings"])

    return run


@pytest.fixture
def served(founded: Ledger, tmp_path: Path) -> Path:
    """The log at 600 leaves, the test's own to change."""
    return Path(shutil.copytree(founded.at[SIZES[1]], tmp_path / "served"))


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "kept"
    for path in (tmp_path / "kept").rglob("*"):
        assert not path.name.endswith(".next"), path
