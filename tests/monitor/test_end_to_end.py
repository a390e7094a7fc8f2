"""A hundred thousand events in a running archive, read over HTTP, read on, and found out whatever is done to its rows.

One log serves all tests: each puts back what it changed. The table of it all is in docs/faults.md.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from monitor.cli import main
from tests.monitor.serving import served, wait_for
from tests.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.monitor.conftest import Look, Said

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(1200), pytest.mark.xdist_group("a large log")]

EVENTS, MORE = 100_000, 700
SIZE = EVENTS + MORE + 2

FILL = """
import secrets
from django.utils import timezone
from archive import wiring
from archive.models import Case, CustodyEvent, PendingLeaf
from archive.services.custody import rfc3339, uuid7
from archive.services.sequencing import sequence_pending
from evidence.custody import event_bytes
from evidence.opening import Event, commitment

case, software = Case.objects.get(), wiring.software()

def made(n):
    # What record_event writes for each, many rows at a time.
    now, salt = timezone.now(), secrets.token_bytes(32)
    identifier = uuid7(now)
    text = event_bytes(Event(id=str(identifier), case=str(case.pk), type="access", time=rfc3339(now),
        agent_kind="software", agent_id="custos", objects=(), outcome="success", detail={{"n": n}}, software=software,
        sealed=()))
    return CustodyEvent(id=identifier, case=case, type="access", time=now, outcome="success", text=text.decode(),
        salt=salt, commitment=commitment(salt, text))

for start in range(0, {count}, 5000):
    events = CustodyEvent.objects.bulk_create(made(n) for n in range(start, min(start + 5000, {count})))
    PendingLeaf.objects.bulk_create(PendingLeaf(event=event) for event in events)
sequence_pending()
"""


@dataclass(frozen=True, slots=True)
class Running:
    """The archive's web processes over a large log, and what a monitor knows of it."""

    scratch: Scratch
    url: str
    policy: Path
    smaller: str
    """A backup of the database, made at `EVENTS` + 2 leaves."""
    whole: str
    """One as the log is for each test."""
    earlier: Path
    """The checkpoint of the smaller log."""
    kept: Path
    """A monitor's folder that saw the whole log."""

    def restore(self, backup: str) -> None:
        self.scratch.restore(backup)
        wait_for(f"{self.url}/checkpoint")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("seen")
    with Scratch(tmp_path_factory.mktemp("home")) as scratch:
        scratch.with_log(2)
        scratch.python(FILL.format(count=EVENTS))
        smaller = scratch.keep_copy()
        with served(scratch) as url:
            earlier, policy = folder / "earlier.checkpoint", folder / "policy.txt"
            policy.write_text(httpx.get(f"{url}/policy", timeout=30).text)
            assert main(["log", url, "--policy", str(policy), "--keep", str(folder / "kept"), "--quiet"]) == 0
            earlier.write_bytes(httpx.get(f"{url}/checkpoint", timeout=30).content)
            scratch.python(FILL.format(count=MORE))
            yield Running(scratch, url, policy, smaller, scratch.keep_copy(), earlier, folder / "kept")
            assert main(["log", url, "--keys", "--policy", str(policy), "--quiet"]) == 0, (
                "a test left its change behind"
            )


@contextlib.contextmanager
def tampered(scratch: Scratch, table: str, where: str, change: str) -> Iterator[None]:
    """Some rows of a table changed as somebody who owns the database can, and put back afterwards."""
    scratch.rows(f"CREATE TABLE aside AS SELECT * FROM {table} WHERE {where}")  # noqa: S608 -- this test's own words
    scratch.tamper(f"{change.format(table)} WHERE {where}")
    try:
        yield
    finally:
        scratch.tamper(f"DELETE FROM {table} WHERE {where}")  # noqa: S608
        scratch.tamper(f"INSERT INTO {table} SELECT * FROM aside; DROP TABLE aside")  # noqa: S608


@pytest.fixture
def keep(running: Running, tmp_path: Path) -> Path:
    """A monitor's folder that saw the log at `EVENTS` + 2 leaves, the test's own."""
    return Path(shutil.copytree(running.kept, tmp_path / "kept"))


def look_again(look: Look, running: Running, *more: str | Path) -> Said:
    return look(running.url, "--keys", *more, policy=running.policy)


def test_a_running_archive_is_followed(running: Running, look: Look, keep: Path) -> None:
    said = look_again(look, running, "--keep", keep, "--since", running.earlier)
    assert said.status == 0, said
    assert said.of("log-root")[0]["message"] == f"{SIZE} leaves make the checkpoint's root"
    assert len(said.of("checkpoint-consistency")) == 2
    assert {"key-checkpoint", "keys-differ"} <= said.codes("ok")
    assert look_again(look, running, "--again", "--keep", keep).status == 0


ONE_LESS = f"UPDATE {{}} SET note = replace(note, E'\\n{SIZE}\\n', E'\\n{SIZE - 1}\\n')"  # noqa: S608
OTHER_KEY = "UPDATE {} SET public = sha256(public), keyid = encode(sha256(sha256(public)), 'hex')"


@pytest.mark.parametrize(
    ("table", "where", "change", "codes"),
    [
        pytest.param("archive_custodyevent", "id = (SELECT event_id FROM archive_leaf WHERE index = 70000)",
                     "UPDATE {} SET commitment = sha256(commitment)", {"log-root", "tile-entries", "tile-hashes"},
                     id="a changed leaf"),
        pytest.param("archive_leaf", "index = 70000", "UPDATE {} SET hash = sha256(hash)", {"tile-entries"},
                     id="a changed tile of leaves"),
        pytest.param("archive_tileroot", "level = 1 AND index = 300", "UPDATE {} SET hash = sha256(hash)",
                     {"tile-hashes", "receipt-inclusion"}, id="a changed tile"),
        pytest.param("archive_tileroot", "level = 1 AND index = 300", "DELETE FROM {}", {"tile-missing"},
                     id="a missing tile"),
        pytest.param("archive_leaf", "index = 80000", "DELETE FROM {}", {"tile-short", "tile-missing"},
                     id="a removed leaf"),
        pytest.param("archive_checkpoint", f"size = {SIZE}", ONE_LESS, {"checkpoint-signature"},
                     id="a changed checkpoint"),
        pytest.param("archive_keyversion", "purpose = 'dsse' AND algorithm = 'ed25519'", OTHER_KEY,
                     {"keys-differ", "key-introduction"}, id="a changed list of keys"),
        pytest.param("archive_custodyevent", "position('\"purpose\":\"dsse\"' IN text) > 0", "UPDATE {} SET type = 'access'",
                     {"key-introduction"}, id="an event of keys kept back"),
        pytest.param("archive_custodyevent", "type = 'key introduction' AND position('\"dsse\"' IN text) > 0",
                     "UPDATE {} SET text = replace(text, '\"after\":0', '\"after\":1')", {"receipt-inclusion"},
                     id="a changed event of keys"),
    ],
)  # fmt: skip
def test_each_tampering_has_its_own_finding(running: Running, look: Look, table, where, change, codes) -> None:
    with tampered(running.scratch, table, where, change):
        said = look_again(look, running)
    assert (said.status, said.wrong) == (1, codes), [item for item in said.findings if item["level"] != "ok"]


def test_a_backup_that_was_restored_is_a_log_that_shrank(running: Running, look: Look, keep: Path) -> None:
    assert look_again(look, running, "--keep", keep).status == 0
    running.restore(running.smaller)
    try:
        said = look_again(look, running, "--keep", keep)
        start = running.scratch.refused("check_ledger", "--start")
    finally:
        running.restore(running.whole)
    assert (said.status, said.wrong) == (1, {"log-shrunk", "log-evidence"}), said
    assert f"has size {SIZE}, the database's last has {EVENTS + 2}: it is ahead" in start


def test_a_backup_that_grew_in_another_way_is_a_fork(running: Running, look: Look, keep: Path) -> None:
    """Somebody also took away the file that keeps the archive itself from it."""
    published = running.scratch.home / "published" / "checkpoint"
    note = published.read_bytes()
    assert look_again(look, running, "--keep", keep).status == 0
    running.restore(running.smaller)
    published.unlink()
    try:
        running.scratch.python(FILL.format(count=MORE + 50))
        forked = look_again(look, running, "--keep", keep)
        published.write_bytes(note)
        start = running.scratch.refused("check_ledger", "--start")
    finally:
        running.restore(running.whole)
        published.write_bytes(note)
    assert (forked.status, forked.wrong) == (1, {"log-fork", "log-evidence", "tile-changed", "log-root"}), forked
    assert "has another root than this database's leaves" in start
