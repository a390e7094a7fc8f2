"""A setting that cannot be understood is refused at the start, in one line that says what to write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env

ROOT = Path(__file__).resolve().parents[2]


def started(home: Path, name: str, value: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CUSTOS_HOME": str(home), name: value}
    command = [sys.executable, str(ROOT / "manage.py"), "check"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=home)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("CUSTOS_PORT", "http", "1 to 65535"),
        ("CUSTOS_PORT", "65536", "1 to 65535"),
        ("CUSTOS_FIXITY_DAYS", "0", "1 to 3650"),
        ("CUSTOS_FIXITY_MIB_S", "-1", "0 to 100000"),
        ("CUSTOS_RETENTION_DAYS", "ten", "1 to 36500"),
        ("CUSTOS_DEBUG", "maybe", "1 or 0"),
        ("CUSTOS_PUBLIC_URL", "archive.example.org", "https://host"),
        ("CUSTOS_PUBLIC_URL", "https://archive.example.org/custos", "no path"),
        ("CUSTOS_ORIGIN", "https://archive.example.org/log", "without https://"),
        ("CUSTOS_ORIGIN", "archive example", "host/path"),
        ("DATABASE_URL", "nonsense://", "postgresql://"),
        ("CELERY_BROKER_URL", "kafka://localhost", "pgmq://"),
        ("CELERY_BROKER_URL", "pgmq", "pgmq://"),
        ("CUSTOS_WITNESSES", "/nowhere/witnesses", "docs/witnesses.md"),
        ("CUSTOS_WITNESSES", "/etc/hostname", "docs/witnesses.md"),
        ("CUSTOS_TSA", "https://tsa.example", "PEM file"),
        ("CUSTOS_TSA", "https://tsa.example /etc/hostname", "PEM file"),
        ("CUSTOS_TSA_MINUTES", "61", "0 to 60"),
    ],
)
def test_a_setting_that_is_not_understood_is_refused_in_one_line(name, value, wanted, tmp_path) -> None:
    ended = started(tmp_path, name, value)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"manage.py: {name}")
    assert wanted in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_what_is_understood_starts(tmp_path) -> None:
    for name, value in (("CUSTOS_PUBLIC_URL", "https://archive.example.org:8443"), ("CUSTOS_DEBUG", "TRUE"),
                        ("CUSTOS_ORIGIN", "archive.example.org/2026/log"), ("CELERY_BROKER_URL", "redis://h/0")):  # fmt: skip
        ended = started(tmp_path, name, value)
        assert ended.returncode == 0, ended.stderr


def test_a_secret_is_under_its_name_only_when_it_is_on_the_disk(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "keys" / "django-secret"

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            env.secret(path)
    assert list(path.parent.iterdir()) == []
    made = env.secret(path)
    assert len(made) >= 50
    assert env.secret(path) == made
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("")
    with pytest.raises(ImproperlyConfigured, match="is empty; remove the file"):
        env.secret(path)


def test_a_state_folder_that_cannot_be_used_is_said_in_a_sentence(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("no folder")
    environment = os.environ | {"CUSTOS_HOME": str(taken)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "check"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("manage.py: CUSTOS_HOME: ")
    assert "cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
