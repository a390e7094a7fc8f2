"""The auditor's install: the wheel without extras, in an empty environment, checks the golden set on its own.

Nothing is fetched: the wheel is built from this tree, and its dependencies are copied from the running environment by
their own lists of files, so that one that the wheel does not ask for is not there.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/vectors/golden"
VECTORS = ROOT / "tests/vectors/custos"
SHIPPED = ("pyproject.toml", "README.md", "LICENSE", "evidence", "client", "witness", "monitor")
ABSENT = ("django", "rest_framework", "celery", "pyarrow", "duckdb", "numpy", "rfc8785", "httpx", "pip", "archive")
TRUST = ("--policy", str(GOLDEN / "policy.txt"), "--tsa", str(GOLDEN / "tsa.pem"))


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], cwd=cwd, env={}, capture_output=True, text=True, check=False)


def needed(name: str) -> Iterator[str]:
    """A distribution and all that it needs where this runs, without extras."""
    yield name
    for requirement in importlib.metadata.requires(name) or []:
        wanted, _, marker = requirement.partition(";")
        # Of the markers only those of extras leave something out here; what is not installed is not needed.
        found = re.match(r"[A-Za-z0-9._-]+", wanted)
        if found and "extra" not in marker and is_installed(found[0]):
            yield from needed(found[0])


def is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def copy_distribution(name: str, into: Path) -> None:
    for file in importlib.metadata.files(name) or []:
        if ".." in file.parts or "__pycache__" in file.parts:
            continue
        target = into / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(file.locate()), target)


def build_wheel(into: Path) -> Path:
    source = into / "source"
    source.mkdir()
    for name in SHIPPED:
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, source / name)
    built = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", into, cwd=source)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = into.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def auditor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that holds the wheel and what it asks for."""
    work = tmp_path_factory.mktemp("auditor")
    wheel = build_wheel(work)
    home = work / "an empty environment"
    venv.create(home, with_pip=False)
    commands = home / "bin"
    installer = (sys.executable, "-m", "pip", "--python", commands / "python", "install")
    installed = run(*installer, "--no-index", "--no-deps", "--no-compile", "--quiet", wheel, cwd=work)
    assert installed.returncode == 0, installed.stderr
    (packages,) = home.glob("lib/python*/site-packages")
    for name in {found for base in ("cryptography", "rfc3161-client") for found in needed(base)}:
        copy_distribution(name, packages)
    return commands


@pytest.fixture
def handed_over(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / "bundle", tmp_path / "handed over"))


@pytest.mark.parametrize("name", ABSENT)
def test_nothing_of_the_service_is_there(name, auditor, tmp_path) -> None:
    asked = run(auditor / "python", "-c", f"import {name}", cwd=tmp_path)
    assert asked.returncode == 1
    assert f"No module named '{name}'" in asked.stderr


def test_it_verifies_the_golden_set(auditor, handed_over, tmp_path) -> None:
    ended = run(auditor / "custos-verify", handed_over, *TRUST, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "10 lines counted in sha256:" in ended.stdout
    assert "counted: " in ended.stdout.splitlines()[-1]


def test_it_finds_a_flipped_byte(auditor, handed_over, tmp_path) -> None:
    raw = handed_over / "source-1.raw"
    content = bytearray(raw.read_bytes())
    content[1000] ^= 1
    raw.write_bytes(content)
    ended = run(auditor / "custos-verify", handed_over, *TRUST, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "file-unknown §1  source-1.raw" in ended.stdout


def test_it_says_what_it_could_not_check(auditor, handed_over, tmp_path) -> None:
    ended = run(auditor / "python", "-m", "evidence", handed_over, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (3, "")
    assert "policy-absent" in ended.stdout


def test_it_reads_a_whole_log_and_remembers_it(auditor, tmp_path) -> None:
    log = Path(shutil.copytree(VECTORS / "log", tmp_path / "log"))
    look = (auditor / "custos-verify", "log", log, "--policy", VECTORS / "policy.txt", "--keep", tmp_path / "kept")
    ended = run(*look, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "300 leaves make the checkpoint's root" in ended.stdout
    tile = log / "tile/1/000.p/1"
    tile.write_bytes(bytes(32))
    ended = run(*look, "--again", "--quiet", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith("wrong     tile-hashes §3  tile/1/000.p/1: ")


def test_the_module_without_the_network_says_how_to_read_a_log(auditor, tmp_path) -> None:
    ended = run(auditor / "python", "-m", "evidence", "log", "https://archive.example/log", cwd=tmp_path)
    assert ended.returncode == 2
    assert "run the command custos-verify log" in ended.stderr


def test_a_reader_that_has_seen_enough_changes_no_verdict(auditor, handed_over, tmp_path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [str(auditor / "custos-verify"), str(handed_over), *TRUST]
    with os.fdopen(writing, "wb") as gone:
        ended = subprocess.run(command, cwd=tmp_path, stdout=gone, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
