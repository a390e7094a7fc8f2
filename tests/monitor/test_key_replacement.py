"""The monitor across the lives of keys: a rotation, old checkpoints, what a revoked key signs, and events kept back."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from evidence.verify.trust import load_trust
from monitor.cli import main
from monitor.source import AnswerError, HttpSource
from monitor.watch import Asked, watch
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


FIRST_ENDED, SECOND_BEGUN, SECOND_ENDED, THIRD_BEGUN, DSSE_ENDED, DSSE_BEGUN = 5, 6, 10, 11, 12, 13
HIDE = "UPDATE archive_custodyevent SET type = 'access' WHERE id IN (SELECT event_id FROM archive_leaf WHERE index IN ({}))"
SHOW = "UPDATE archive_custodyevent SET type = text::json->>'type' WHERE type = 'access'"
NEVER_ROTATED = (
    "UPDATE archive_keyend SET key_id = -key_id WHERE key_id IN (SELECT id FROM archive_keyversion WHERE purpose = 'dsse')",
    "UPDATE archive_keyversion SET purpose = 'gone' WHERE purpose = 'dsse' AND number = 2",
)
ROTATED = (
    "UPDATE archive_keyend SET key_id = -key_id WHERE key_id < 0",
    "UPDATE archive_keyversion SET purpose = 'dsse' WHERE purpose = 'gone'",
)


@dataclass(frozen=True, slots=True)
class Log:
    """A served log: first keys up to size 6, the second up to 11, which were then revoked; after that the statements'
    keys were rotated."""

    url: str
    scratch: Scratch
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
                    if replace == "revoke":
                        scratch.manage("keys", "rotate", "--purpose", "dsse", "--reason", "a test")
                    scratch.add_events(until - scratch.rows("SELECT max(size) FROM archive_checkpoint")[0][0])
                policies.append(folder / f"policy-{until}.txt")
                policies[-1].write_text(httpx.get(f"{url}/policy", timeout=30).text)
                checkpoints.append(folder / f"{until}.checkpoint")
                checkpoints[-1].write_bytes(httpx.get(f"{url}/checkpoint", timeout=30).content)

            def forge(size: int = 0, root: bytes = b"") -> str:
                return scratch.python(BY_A_REVOKED_KEY.format(size=size, root=root))

            yield Log(url, scratch, policies, checkpoints, forge)


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


@contextlib.contextmanager
def hidden(log: Log, *indices: int, and_then: tuple[str, ...] = (), back: tuple[str, ...] = ()) -> Iterator[None]:
    """The archive names these events nowhere; their leaves stay where they are."""
    statements = (HIDE.format(", ".join(map(str, indices))), *and_then)
    for statement in statements:
        log.scratch.tamper(statement)
    try:
        yield
    finally:
        for statement in (SHOW, *back):
            log.scratch.tamper(statement)


@pytest.mark.parametrize(
    ("indices", "codes"),
    [
        ((0,), {"key-introduction"}), ((1,), {"key-introduction"}), ((SECOND_BEGUN,), {"key-introduction"}),
        ((THIRD_BEGUN,), {"key-introduction"}), ((DSSE_BEGUN,), {"key-introduction"}),
        ((FIRST_ENDED,), {"key-end"}), ((SECOND_ENDED,), {"key-end"}), ((DSSE_ENDED,), {"key-end"}),
        ((SECOND_ENDED, THIRD_BEGUN), {"key-introduction"}), ((FIRST_ENDED, SECOND_BEGUN), {"key-introduction"}),
        ((DSSE_ENDED, DSSE_BEGUN), {"key-introduction"}),
    ],
)  # fmt: skip
def test_an_event_of_keys_that_is_kept_back_leaves_a_hole(log: Log, look: Look, indices, codes) -> None:
    with hidden(log, *indices):
        said = look(log.url, "--keys", policy=log.policies[2])
    assert (said.status, said.wrong) == (1, codes), said
    assert look(log.url, "--keys", policy=log.policies[2]).status == 0


def test_a_turn_that_left_no_hole_is_known_to_who_saw_it(log: Log, look: Look, tmp_path: Path) -> None:
    """The newest turn, with the list as if it had never come: nothing that is shown tells of it."""
    ask = ("--keys", "--keep", tmp_path / "kept")
    said = look(log.url, *ask, policy=log.policies[2])
    assert (said.status, said.of("key-event-lost")) == (0, [])
    with hidden(log, DSSE_ENDED, DSSE_BEGUN, and_then=NEVER_ROTATED, back=ROTATED):
        assert look(log.url, "--keys", policy=log.policies[2]).status == 0
        for _ in range(2):
            said = look(log.url, *ask, policy=log.policies[2])
            assert (said.status, said.wrong) == (1, {"key-event-lost"}), said
    assert [item["where"] for item in said.of("key-event-lost")] == ["key-events: index 12", "key-events: index 13"]
    said = look(log.url, *ask, policy=log.policies[2])
    assert (said.status, said.codes("ok") & {"key-event-lost"}) == (0, {"key-event-lost"})


def test_an_event_that_is_another_than_was_seen_is_lost(log: Log, look: Look, tmp_path: Path) -> None:
    ask = ("--keys", "--keep", tmp_path / "kept")
    assert look(log.url, *ask, policy=log.policies[2]).status == 0
    receipt = tmp_path / "kept" / "key-events" / f"{SECOND_ENDED}.receipt.json"
    value = json.loads(receipt.read_bytes())
    value["event"] = value["event"].replace('"reason":"a test"', '"reason":"another"')
    receipt.write_text(json.dumps(value))
    assert look(log.url, *ask, policy=log.policies[2]).wrong == {"key-event-lost"}
    receipt.write_text("{}")
    assert main(["log", log.url, *map(str, ask)]) == 2


class Changed(HttpSource):
    """The log's own answers, but for one path's."""

    def __init__(self, url: str, path: str, change: Callable[[bytes], bytes]) -> None:
        super().__init__(url)
        self._path, self._change = path, change

    def get(self, path: str, limit: int) -> bytes:
        data = super().get(path, limit)
        return self._change(data) if path.startswith(self._path) else data


def codes_with(log: Log, path: str, change: Callable[[bytes], bytes]) -> dict[str, set[str]]:
    with (
        contextlib.closing(Changed(log.url, path, change)) as source,
        contextlib.closing(HttpSource(log.url.removesuffix("/log"))) as site,
    ):
        asked = Asked(load_trust(log.policies[2], None), dt.datetime.now(dt.UTC), site=site)
        findings = watch(source, asked)
    return {level: {item.code for item in findings.of(level)} for level in ("wrong", "unchecked")}


def events_of(log: Log) -> list[dict[str, Any]]:
    return httpx.get(f"{log.url}/key-events", timeout=30).json()["events"]


def receipt_path(log: Log, leaf: int) -> str:
    return next(event["receipt"] for event in events_of(log) if event["leaf"] == leaf).removeprefix("/log/")


def refuse(code: str) -> Callable[[bytes], bytes]:
    def change(_data: bytes) -> bytes:
        raise AnswerError(code, "a test")

    return change


def test_a_receipt_that_is_named_and_not_served_is_kept_back(log: Log) -> None:
    path = receipt_path(log, SECOND_BEGUN)
    said = codes_with(log, path, refuse("tile-missing"))
    assert said == {"wrong": {"key-introduction"}, "unchecked": {"answer-none"}}
    assert codes_with(log, path, refuse("answer-slow")) == {"wrong": set(), "unchecked": {"answer-slow"}}


def test_a_receipt_under_another_checkpoint_shows_nothing(log: Log) -> None:
    path = receipt_path(log, SECOND_BEGUN)
    other = httpx.get(f"{log.url}/{path}", params={"size": THIRD - 1}, timeout=30).content
    assert codes_with(log, path, lambda _: other)["wrong"] == {"key-event"}


@pytest.mark.parametrize("change", [lambda _: b"[]", lambda data: data.replace(b'"id": "', b'"id": "x')])
def test_a_list_of_events_that_cannot_be_read_is_said_and_no_more(log: Log, change) -> None:
    assert codes_with(log, "key-events", change)["wrong"] == {"key-event"}


def test_an_introduction_that_is_said_to_come_later_is_not_checked(log: Log) -> None:
    events = [event | ({"leaf": None} if event["leaf"] in (DSSE_ENDED, DSSE_BEGUN) else {}) for event in events_of(log)]
    changed = json.dumps({"events": events}).encode()
    said = codes_with(log, "key-events", lambda data: changed if data.startswith(b'{"events"') else data)
    assert said == {"wrong": set(), "unchecked": {"key-introduction", "keys-absent"}}


def test_an_event_that_is_named_twice_is_one(log: Log) -> None:
    changed = json.dumps({"events": events_of(log) * 2}).encode()
    said = codes_with(log, "key-events", lambda data: changed if data.startswith(b'{"events"') else data)
    assert said == {"wrong": set(), "unchecked": set()}
