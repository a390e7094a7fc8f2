"""Keys: made once, for nobody else to read, and whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from archive import signing
from evidence.errors import SignatureError

if TYPE_CHECKING:
    from pathlib import Path


def test_keys_are_made_once_and_for_nobody_else(tmp_path: Path) -> None:
    assert set(signing.make_keys(tmp_path / "keys", "a/log")) == {*signing.KEY_NAMES, "origin"}
    before = {path.name: path.read_text() for path in (tmp_path / "keys").iterdir()}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert signing.make_keys(tmp_path / "keys", "b/log") == []
    assert {path.name: path.read_text() for path in (tmp_path / "keys").iterdir()} == before


def test_a_kill_while_a_key_is_written_leaves_no_key(tmp_path: Path, monkeypatch) -> None:
    def killed(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            signing.make_keys(tmp_path / "keys", "a/log")
    assert not any((tmp_path / "keys" / name).exists() for name in (*signing.KEY_NAMES, "origin"))
    signing.make_keys(tmp_path / "keys", "a/log")
    for name in signing.KEY_NAMES:
        signing.open_file(tmp_path / "keys", name, name.partition("-")[2])


@pytest.mark.parametrize("text", ["", "zz", "ab" * 31])
def test_a_damaged_or_open_key_is_told(tmp_path: Path, text: str) -> None:
    signing.make_keys(tmp_path, "a/log")
    path = tmp_path / "log-ed25519"
    path.chmod(0o644)
    with pytest.raises(SignatureError, match="chmod 600"):
        signing.open_file(tmp_path, "log-ed25519", "ed25519")
    path.chmod(0o600)
    path.write_text(text)
    with pytest.raises(SignatureError, match="is damaged"):
        signing.open_file(tmp_path, "log-ed25519", "ed25519")
