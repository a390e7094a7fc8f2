"""What a monitor keeps is whole or refused, held by one at a time, and evidence is never written again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evidence.log.growth import Growth
from monitor import keeping
from monitor.cli import main

VECTORS = Path(__file__).parents[1] / "vectors" / "custos"
LOOK = ["log", str(VECTORS / "log"), "--policy", str(VECTORS / "policy.txt"), "--quiet", "--keep"]


@pytest.fixture
def keep(tmp_path: Path) -> Path:
    """A folder in which the log of the vectors was kept."""
    folder = tmp_path / "kept"
    assert main([*LOOK, str(folder)]) == 0
    return folder


def damaged(content: bytes) -> list[bytes]:
    value = json.loads(content)
    other = {**value, "checkpoint": value["checkpoint"].replace("\n300\n", "\n301\n")}
    more = [
        other, {**value, "edge": value["edge"][:1]}, {**value, "edge": value["edge"][::-1]}, {**value, "more": 1},
        {**value, "edge": [1, 2]}, {**value, "edge": ["AAAA", *value["edge"][1:]]},
        {**value, "edge": ["B" + value["edge"][0][1:], *value["edge"][1:]]}, [],
    ]  # fmt: skip
    return [b"", b"\xff", content[:-2], *(json.dumps(item).encode() for item in more)]


def test_a_damaged_memory_is_not_taken_for_none(keep: Path, capsys) -> None:
    path = keep / keeping.MEMORY
    whole = path.read_bytes()
    for content in damaged(whole):
        path.write_bytes(content)
        assert main([*LOOK, str(keep)]) == 2, content
        assert "put back what it was" in capsys.readouterr().err
        assert path.read_bytes() == content
    path.write_bytes(whole)
    assert main([*LOOK, str(keep)]) == 0


def test_one_monitor_at_a_time(keep: Path, capsys) -> None:
    with keeping.claimed(keep):
        assert main([*LOOK, str(keep)]) == 2
        assert "another monitor is at work" in capsys.readouterr().err
    assert main([*LOOK, str(keep)]) == 0


def test_a_folder_that_cannot_be_used(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert main([*LOOK, str(tmp_path / "file")]) == 2
    assert "cannot be used" in capsys.readouterr().err


def test_what_is_kept_is_what_is_read_back(tmp_path: Path, keep: Path) -> None:
    kept = keeping.remembered(keep)
    assert kept is not None
    assert kept.note == (VECTORS / "log" / "checkpoint").read_text()
    assert kept.growth().root == kept.checkpoint.root
    other = tmp_path / "other"
    other.mkdir()
    assert keeping.remembered(other) is None
    keeping.remember(other, kept.note, Growth(kept.checkpoint.size, list(kept.rows)))
    assert keeping.remembered(other) == kept
    assert (other / keeping.MEMORY).stat().st_mode & 0o777 == 0o600


def test_evidence_is_kept_once_and_whole(tmp_path: Path) -> None:
    keeping.keep_evidence(tmp_path, "forked-1", {"README": b"first"})
    keeping.keep_evidence(tmp_path, "forked-1", {"README": b"second"})
    (folder,) = keeping.evidence_kept(tmp_path)
    assert (folder / "README").read_bytes() == b"first"
    assert (folder / "README").stat().st_mode & 0o777 == 0o400
    (tmp_path / keeping.EVIDENCE / ".left by a crash").mkdir()
    assert keeping.evidence_kept(tmp_path) == [folder]
    with pytest.raises(OSError, match="no/such"):
        keeping.keep_evidence(tmp_path, "forked-2", {"no/such": b""})
    assert keeping.evidence_kept(tmp_path) == [folder]
    assert sorted(path.name for path in folder.parent.iterdir()) == [".left by a crash", "forked-1"]


@pytest.mark.parametrize("more", [["--since", "/nonexistent"], ["--policy", "/nonexistent"], ["--tsa", "/nonexistent"]])
def test_what_the_caller_names_has_to_be_there(more: list[str], capsys) -> None:
    assert main(["log", str(VECTORS / "log"), *more]) == 2
    assert "/nonexistent" in capsys.readouterr().err


def test_a_since_that_is_no_checkpoint_and_one_that_is_too_large(tmp_path: Path, capsys) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * (5 << 20))
    assert main(["log", str(VECTORS / "log"), "--since", str(large)]) == 2
    assert "larger than" in capsys.readouterr().err
