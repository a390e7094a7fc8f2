"""The monitor across the lives of the log's keys: a rotation, old checkpoints, and what a revoked key signs afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from monitor.cli import main
from tests.monitor.serving import served
from tests.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.monitor.conftest import Look

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(600), pytest.mark.xdist_group("key replacement")]
FIRST, SECOND, THIRD = 5, 10, 15
BY_A_REVOKED_KEY = """
import time
from archive import wiring
from archive.services.sequencing import latest_checkpoint
from evidence.log.checkpoint import Checkpoint, sign_checkpoint
signers = [wiring.signer(key) for key in wiring.key_periods("log")[1].keys]
newest = latest_checkpoint()
size, root = ({size} or newest.size), ({root} or bytes(newest.root))
print(sign_checkpoint(Checkpoint(wiring.origin(), size, root), *signers, int(time.time())), end="")
"""


@dataclass(frozen=True, slots=True)
class Log:
    """A served log: first keys up to size 6, the second up to 11, which were then revoked."""

    url: str
    policies: list[Path]
    """Of each time."""
    checkpoints: list[Path]
    """One of each time."""
    forge: Callable[..., str]
    """A checkpoint that the thief of the second keys signs."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    folder = tmp_path_factory.mktemp("seen")
    with Scratch(tmp_path_factory.mktemp("home")) as scratch:
        scratch.with_log(FIRST)
        with served(scratch) as url:
            policies, checkpoints = [], []
            for replace, until in (("", FIRST), ("rotate", SECOND), ("revoke", THIRD)):
                if replace:
                    scratch.manage("keys", replace, "--purpose", "log", "--reason", "a test")
                    scratch.add_events(3)
                policies.append(folder / f"policy-{until}.txt")
                policies[-1].write_text(httpx.get(f"{url}/policy", timeout=30).text)
                checkpoints.append(folder / f"{until}.checkpoint")
                checkpoints[-1].write_bytes(httpx.get(f"{url}/checkpoint", timeout=30).content)

            def forge(size: int = 0, root: bytes = b"") -> str:
                return scratch.python(BY_A_REVOKED_KEY.format(size=size, root=root))

            yield Log(url, policies, checkpoints, forge)


def test_each_time_has_its_own_policy_and_a_folder_goes_on_over_all_of_them(log: Log, look: Look, tmp_path) -> None:
    assert [path.read_text().split("\n")[1] for path in log.checkpoints] == [str(FIRST), str(SECOND), str(THIRD)]
    keep = tmp_path / "kept"
    for policy, checkpoint in zip(log.policies, log.checkpoints, strict=True):
        for other in log.policies:
            said = look(log.url, policy=other)
            assert said.wrong == (set() if other == log.policies[2] else {"checkpoint-signature"}), said
        kept = _mirror(log.url, checkpoint, tmp_path)
        said = look(kept, "--keep", keep, policy=policy)
        assert (said.status, said.wrong) == (0, set()), said
    said = look(log.url, "--keys", "--keep", keep, policy=log.policies[2])
    assert (said.status, len(said.of("checkpoint-consistency"))) == (0, 1), said


def _mirror(url: str, checkpoint: Path, folder: Path) -> Path:
    """The log as somebody copied it when this was its newest checkpoint."""
    size = checkpoint.read_text().split("\n")[1]
    copy = folder / size
    for path in (f"tile/entries/000.p/{size}", f"tile/0/000.p/{size}"):
        (copy / path).parent.mkdir(parents=True)
        (copy / path).write_bytes(httpx.get(f"{url}/{path}", timeout=30).content)
    (copy / "checkpoint").write_bytes(checkpoint.read_bytes())
    return copy


@pytest.mark.parametrize("number", [0, 1])
def test_an_old_checkpoint_counts_by_the_policy_of_its_time(log: Log, look: Look, number: int) -> None:
    old, then = log.checkpoints[number], log.policies[number]
    said = look(log.url, "--since", old, policy=log.policies[2])
    assert (said.status, said.wrong) == (1, {"checkpoint-signature"})
    assert said.of("checkpoint-signature")[-1]["where"] == str(old)
    said = look(log.url, "--keys", "--since", old, "--since-policy", then, policy=log.policies[2])
    assert (said.status, said.codes("unchecked")) == (0, set()), said
    assert {"checkpoint-consistency", "key-checkpoint", "keys-differ"} <= said.codes("ok")


def test_a_revoked_key_signs_nothing_larger_than_its_end(log: Log, look: Look, tmp_path: Path) -> None:
    """It may even be of the true tree: who holds the key's old policy alone cannot know, the events of keys do."""
    forged = tmp_path / "forged.checkpoint"
    forged.write_text(log.forge())
    asked = ("--since", forged, "--since-policy", log.policies[1])
    assert look(log.url, *asked, policy=log.policies[2]).status == 0
    said = look(log.url, "--keys", *asked, policy=log.policies[2])
    assert (said.status, said.wrong) == (1, {"key-checkpoint"})
    assert f"size {THIRD}" in said.of("key-checkpoint")[-1]["got"]


def test_nor_another_history_of_a_smaller_size(log: Log, look: Look, tmp_path: Path) -> None:
    forged, keep = tmp_path / "forged.checkpoint", tmp_path / "kept"
    forged.write_text(log.forge(SECOND - 1, b"r" * 32))
    said = look(log.url, "--since", forged, "--since-policy", log.policies[1], "--keep", keep, policy=log.policies[2])
    assert (said.status, said.wrong) == (1, {"log-fork", "log-evidence"})
    (readme,) = keep.glob("evidence/*/README")
    assert "held by the policy of its time" in readme.read_text()


def test_a_log_that_a_revoked_key_serves_is_not_signed(log: Log, look: Look, tmp_path: Path) -> None:
    copy = _mirror(log.url, log.checkpoints[2], tmp_path)
    (copy / "checkpoint").write_text(log.forge())
    said = look(copy, policy=log.policies[2])
    assert (said.status, said.wrong) == (1, {"checkpoint-signature"})


def test_keys_are_asked_of_an_archive_only(log: Log, tmp_path: Path, capsys) -> None:
    assert main(["log", str(tmp_path), "--keys"]) == 2
    assert "--keys asks a running archive" in capsys.readouterr().err
