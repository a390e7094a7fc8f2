"""The golden set in a folder of the test's own, and the check as a function."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence.verify.audit import audit
from evidence.verify.findings import Findings
from evidence.verify.trust import load_trust

VECTORS = Path(__file__).parents[2] / "vectors"
GOLDEN = VECTORS / "golden"

type Check = Callable[..., Findings]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / "bundle", tmp_path / "bundle"))


@pytest.fixture
def check() -> Check:
    """Audit paths under the golden policy and authority, or without one of them."""

    def run(*paths: Path, policy: bool = True, tsa: bool = True) -> Findings:
        trust = load_trust(GOLDEN / "policy.txt" if policy else None, GOLDEN / "tsa.pem" if tsa else None)
        return audit(paths, trust)

    return run


@pytest.fixture
def codes() -> Callable[[Findings, str], set[str]]:
    return lambda findings, level: {finding.code for finding in findings.said if finding.level == level}


@pytest.fixture
def golden():
    """The script that makes the golden set, as a module of the test's own to change."""
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def wrong(tmp_path, check):
    """Codes of what is wrong with these files under the golden policy."""

    def of(files: dict[str, bytes]) -> set[str]:
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        return {finding.code for finding in check(tmp_path).of("wrong")}

    return of
