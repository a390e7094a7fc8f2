"""The house's own rules, where the import graph cannot see them."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from archive.api.urls import _V1
from evidence.verify.findings import CLAUSES

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("evidence", "archive", "workers", "config", "client", "witness", "monitor")
MODULES = [path for floor in FLOORS for path in (ROOT / floor).rglob("*.py") if "migrations" not in path.parts]


def test_a_package_init_holds_a_docstring_only() -> None:
    for path in MODULES:
        if path.name == "__init__.py" and path.parent != ROOT / "archive" / "models":
            body = ast.parse(path.read_text()).body
            assert len(body) == 1 and isinstance(body[0], ast.Expr), path


def test_no_room_is_named_for_nothing_and_none_is_crowded() -> None:
    for path in MODULES:
        assert path.stem not in {"utils", "helpers", "manager", "common", "core", "base"}, path
        assert len(path.read_text().splitlines()) <= 400, path
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_every_setting_is_documented() -> None:
    read = set(re.findall(r'env\.(?:text|number|flag)\("(\w+)"', (ROOT / "config/settings.py").read_text()))
    read |= set(re.findall(r'env\.text\("(\w+)"', (ROOT / "config/embedded/supervisor.py").read_text()))
    read |= set(re.findall(r'text\("(\w+)"', (ROOT / "config/env.py").read_text()))
    text = (ROOT / "docs/settings.md").read_text()
    assert len(read) > 8
    assert [name for name in sorted(read) if f"`{name}`" not in text] == []


def test_every_finding_and_every_address_is_documented() -> None:
    findings, api = (ROOT / "docs/findings.md").read_text(), (ROOT / "docs/api.md").read_text()
    assert [code for code in CLAUSES if f"`{code}`" not in findings] == []
    addresses = [re.sub(r"<[^:>]+:([^>]+)>", r"{\1}", f"/api/v1/{route.pattern}") for route in _V1]
    assert [address for address in addresses if f"`{address}`" not in api] == []


def test_compose_accepts_the_file(tmp_path: Path) -> None:
    done = subprocess.run(
        ["docker-compose", "-f", str(ROOT / "compose.yaml"), "config", "--services"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"prepare", "web", "worker", "sequencer", "beat", "database", "broker", "store"}


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md"])
def test_links_between_documents_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", (ROOT / name).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_image_holds_every_package_that_the_service_imports() -> None:
    """Twice: what is installed as a wheel, and what runs beside manage.py."""
    _, build, run = (ROOT / "Dockerfile").read_text().split("\nFROM ")
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert [name for name in wheel if f"COPY {name.rstrip('*')} " not in build] == []
    packages = [path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"]
    assert [name for name in packages if f"COPY {name} {name}" not in run] == []


@pytest.mark.xdist_group("a group")
def test_tests_of_a_group_stay_on_one_worker(request: pytest.FixtureRequest) -> None:
    """By the name that xdist gives them; else each worker starts a service and a store of its own."""
    assert "PYTEST_XDIST_WORKER" not in os.environ or request.node.nodeid.endswith("@a group")
