"""A database that is older than what was published signs nothing; a row that was changed is named."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.enable_socket, pytest.mark.xdist_group("ledger check")]
EVENTS = 300  # more than one tile


@pytest.fixture(scope="module")
def founded(tmp_path_factory) -> Iterator[tuple[Scratch, str]]:
    with Scratch(tmp_path_factory.mktemp("home")) as made:
        made.with_log(EVENTS)
        yield made, made.keep_copy()


@pytest.fixture
def scratch(founded: tuple[Scratch, str]) -> Iterator[Scratch]:
    """The same log for each test, whatever the one before did to it."""
    made, backup = founded
    published = made.home / "published" / "checkpoint"
    note = published.read_bytes()
    yield made
    made.restore(backup)
    published.unlink(missing_ok=True)
    published.write_bytes(note)


def size(scratch: Scratch) -> int:
    return int(scratch.rows("SELECT max(size) FROM archive_checkpoint")[0][0])


def published_size(home: Path) -> int:
    return int((home / "published" / "checkpoint").read_text().split("\n")[1])


def test_what_is_published_is_kept_beside_the_database(scratch: Scratch) -> None:
    assert published_size(scratch.home) == size(scratch) == EVENTS
    scratch.add_events(1)
    assert published_size(scratch.home) == size(scratch) == EVENTS + 1
    assert "all fit" in scratch.manage("check_ledger")


def test_a_restored_backup_signs_nothing_until_a_newer_one_is_there(scratch: Scratch) -> None:
    older = scratch.keep_copy()
    scratch.add_events(2)
    newer = scratch.keep_copy()
    scratch.restore(older)
    with pytest.raises(AssertionError, match="it is ahead"):
        scratch.add_events(1)
    assert size(scratch) == EVENTS
    assert "docs/recovery.md" in scratch.refused("check_ledger", "--start")
    ready = scratch.python("from archive.services.health import readiness\nprint(readiness()['ledger'])")
    assert f"size {EVENTS + 2}, the database's last has {EVENTS}" in ready
    scratch.restore(newer)
    scratch.add_events(1)
    assert published_size(scratch.home) == size(scratch) == EVENTS + 3
    assert "ok" in scratch.python("from archive.services.health import readiness\nprint(readiness()['ledger'])")


def test_a_backup_that_grew_on_in_another_way_is_refused(scratch: Scratch) -> None:
    older, published = scratch.keep_copy(), scratch.home / "published" / "checkpoint"
    scratch.add_events(2)
    kept = published.read_bytes()
    scratch.restore(older)
    published.unlink()
    scratch.add_events(3)  # as if the file had been lost with the disk
    published.write_bytes(kept)
    with pytest.raises(AssertionError, match="has another root"):
        scratch.add_events(1)


@pytest.mark.parametrize("content", [b"", b"junk", b"\xff", b"other\n1\nAAAA\n"])
def test_a_damaged_file_of_what_was_published_stops_the_log_and_is_named(scratch: Scratch, content) -> None:
    (scratch.home / "published" / "checkpoint").write_bytes(content)
    assert "published/checkpoint" in scratch.refused("check_ledger", "--start")
    with pytest.raises(AssertionError, match="published/checkpoint"):
        scratch.add_events(1)
    assert size(scratch) == EVENTS


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE archive_custodyevent SET text = replace(text, '\"n\":7}', '\"n\":8}') WHERE text LIKE '%\"n\":7}%'",
         "its text or salt is not what was committed to"),
        ("UPDATE archive_custodyevent SET salt = sha256(salt) WHERE text LIKE '%\"n\":7}%'", "its text or salt"),
        ("UPDATE archive_custodyevent SET outcome = 'failure' WHERE text LIKE '%\"n\":7}%'",
         "its columns say something else"),
        ("UPDATE archive_custodyevent SET type = 'ingestion' WHERE text LIKE '%\"n\":7}%'",
         "an ingestion of which no submission knows"),
        ("DELETE FROM archive_leaf WHERE index = 17", "leaf 17 is missing"),
        ("DELETE FROM archive_leaf WHERE index = 299", "checkpoint 300: the ledger has 299 leaves only"),
        ("UPDATE archive_leaf SET hash = sha256(hash) WHERE index = 17", "leaf 17 (event"),
        ("UPDATE archive_tileroot SET hash = sha256(hash)", "tile root 1/0"),
        ("UPDATE archive_checkpoint SET root = sha256(root)", "checkpoint 300: its root"),
        ("UPDATE archive_checkpoint SET note = replace(note, E'\\n300\\n', E'\\n299\\n')", "checkpoint 300:"),
        ("UPDATE archive_custodyevent SET time = time + interval '1 second' WHERE text LIKE '%\"n\":7}%'",
         "its columns say something else"),
        ("DELETE FROM archive_tileroot", "tile roots of level 1: 0 are there, 300 leaves fill 1"),
        (("UPDATE archive_custodyevent SET type = 'creation' WHERE text LIKE '%\"n\":7}%';"
          "INSERT INTO archive_custodyobject (event_id, digest, role) SELECT id, 'sha256:' || repeat('0', 64), 'source'"
          " FROM archive_custodyevent WHERE text LIKE '%\"n\":7}%'"), "the row of sha256:000"),
        ("UPDATE archive_custodyevent SET type = 'creation' WHERE text LIKE '%\"n\":7}%'", "a creation of which no run knows"),
        (("INSERT INTO archive_timestamp (checkpoint_id, url, authority, response, time, kept)"
         " VALUES (300, 'https://tsa.example', 'x', 'junk', now(), now())"), "by https://tsa.example over checkpoint 300"),
        ("INSERT INTO archive_cosignature (checkpoint_id, witness, line, kept) VALUES (300, 'w', 'junk', now())",
         "by w over checkpoint 300"),
        ("INSERT INTO archive_blob (digest, size, locator, stored) VALUES ('sha256:' || repeat('0', 64), 1, 'x', now())",
         "lies in no store"),
        (("INSERT INTO archive_custodyobject (event_id, digest, role) SELECT id, 'sha256:' || repeat('0', 64), 'source'"
         " FROM archive_custodyevent WHERE text LIKE '%\"n\":7}%'"), "the files listed for it"),
    ],
)  # fmt: skip
def test_a_row_that_was_changed_past_the_triggers_is_named(scratch: Scratch, statement, named) -> None:
    scratch.tamper(statement)
    said = scratch.refused("check_ledger")
    assert named in said
    assert scratch.rows("SELECT count(*) FROM archive_alarm WHERE kind = 'ledger' AND ended IS NULL") == [(1,)]


def test_a_file_that_no_row_names_is_said_and_no_alarm(scratch: Scratch) -> None:
    scratch.python(
        "from archive import wiring\nfrom archive.storage.store import Keeping\nfrom evidence.digest import Digest\n"
        "path = wiring.staging() / 'left'\npath.write_bytes(b'x')\n"
        "wiring.store().put(path, Digest.of(b'x'), Keeping())"
    )
    said = scratch.manage("check_ledger")
    assert "lies in the store, and no row names it" in said
    assert "all fit" in said
    assert scratch.rows("SELECT count(*) FROM archive_alarm WHERE ended IS NULL") == [(0,)]


VANISHED = """
import os
from archive.services import ledger_check
os.unlink(os.environ["CUSTOS_WITNESSES"])
report = ledger_check.check_ledger()
print(*report.problems, "notices:", *report.notices, sep="\\n")
"""


def test_a_file_of_witnesses_that_vanished_since_the_start_is_a_notice_and_no_broken_row(
    scratch: Scratch, tmp_path: Path, monkeypatch
) -> None:
    file = tmp_path / "witnesses.txt"
    file.write_text("quorum none\n")
    monkeypatch.setitem(scratch.environment, "CUSTOS_WITNESSES", str(file))
    said = (
        f"CUSTOS_WITNESSES names the file {file}, which cannot be read (No such file or directory); put it back, "
        "and call manage.py check_ledger again: who signed the cosignatures was not verified"
    )
    first, *notices = scratch.python(VANISHED).splitlines()
    assert first == "notices:"
    assert [notice for notice in notices if "lies in the store" not in notice] == [said]
    assert scratch.rows("SELECT text FROM archive_alarm WHERE ended IS NULL") == []


UNREADABLE = {
    "UPDATE archive_custodyevent SET text = 'x' WHERE type = 'key introduction'": [
        "its text or salt is not what was committed to", "does not introduce it",
    ],
    "UPDATE archive_keyversion SET public = 'x' WHERE purpose = 'log' AND algorithm = 'ed25519'": [
        "the log keys log-ed25519, log-ml-dsa-44: no signature can be checked by them",
    ],
    "UPDATE archive_keyversion SET begun = 'infinity'": ["the log keys: ", "the keys: the look at them broke off"],
    "UPDATE archive_custodyevent SET time = 'infinity' WHERE text LIKE '%\"n\":7}%'": ["its columns say something else"],
    "UPDATE archive_checkpoint SET note = E'\\x01'": ["checkpoint 300: "],
    "UPDATE archive_leaf SET hash = '' WHERE index = 250": ["leaf 250 (event"],
    "UPDATE archive_tileroot SET level = 32767": ["tile roots of level 1: 0 are there"],
    ('INSERT INTO archive_submission (id, case_id, user_id, state, length, "offset", declared_digest, file_name, note,'
     " metadata, stated_custody, reading, created, disclosures, read_as, read_reason, problem, event_id)"
     " SELECT gen_random_uuid(), c.id, u.id, 'sealed', 1, 1, '', '', '', '', '', '{}', 'infinity', '7', '', '', '', e.id"
     " FROM archive_case c, archive_user u, (SELECT id FROM archive_custodyevent WHERE text LIKE '%\"n\":7}%') e"): [
        "submissions: the look at them broke off",
    ],
}  # fmt: skip
"""What no code expects in a row, and what is said of it."""


@pytest.mark.parametrize("statement", UNREADABLE, ids=lambda statement: UNREADABLE[statement][0])
def test_a_row_that_cannot_be_read_is_named_and_not_the_end_of_the_check(scratch: Scratch, statement) -> None:
    scratch.tamper("UPDATE archive_leaf SET hash = sha256(hash) WHERE index = 17")
    scratch.tamper(statement)
    said = scratch.refused("check_ledger")
    for named in [*UNREADABLE[statement], "leaf 17 (event"]:
        assert named in said
    ((alarm,),) = scratch.rows("SELECT text FROM archive_alarm WHERE kind = 'ledger' AND ended IS NULL")
    assert "leaf 17 (event" in alarm


def test_many_rows_that_cannot_be_read_hide_none_of_each_other(scratch: Scratch) -> None:
    scratch.tamper("DELETE FROM archive_leaf WHERE index = 17")
    for statement in UNREADABLE:
        scratch.tamper(statement)
    said = scratch.refused("check_ledger")
    about_keys = ("log-ed25519", "does not introduce it")  # whose rows are not readable at all here
    others = [named[-1] for named in UNREADABLE.values() if not any(words in named[-1] for words in about_keys)]
    for named in [*others, "leaf 17 is missing"]:
        assert named in said
    assert scratch.rows("SELECT count(*) FROM archive_alarm WHERE kind = 'ledger' AND ended IS NULL") == [(1,)]


def test_an_alarm_names_something_of_each_look(scratch: Scratch) -> None:
    scratch.tamper("UPDATE archive_custodyevent SET outcome = 'failure'")
    scratch.tamper("UPDATE archive_checkpoint SET root = sha256(root)")
    scratch.refused("check_ledger")
    ((alarm,),) = scratch.rows("SELECT text FROM archive_alarm WHERE kind = 'ledger' AND ended IS NULL")
    assert f"and {EVENTS - 5} more about the events" in alarm
    assert "checkpoint 300: its root" in alarm


CUT_OFF = """
import psycopg
from django.db import OperationalError, connection
from archive import wiring
from archive.services import ledger_check
def listing():
    kept = connection.connection.info
    with psycopg.connect(kept.dsn, password=kept.password, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [kept.backend_pid])
    return
    yield
wiring.stores()[0].listing = listing
try:
    ledger_check.check_ledger()
except OperationalError:
    print("the database is away")
"""
"""While the store is listed, which begins once rows were read, the check's connection is ended."""


def test_what_rows_were_found_to_be_is_an_alarm_though_the_database_goes_while_the_store_is_listed(
    scratch: Scratch,
) -> None:
    scratch.tamper("UPDATE archive_leaf SET hash = sha256(hash) WHERE index = 17")
    assert scratch.python(CUT_OFF).strip() == "the database is away"
    ((alarm,),) = scratch.rows("SELECT text FROM archive_alarm WHERE kind = 'ledger' AND ended IS NULL")
    assert "leaf 17 (event" in alarm


CHECK = "from archive.services import ledger_check\nprint(*ledger_check.check_ledger().problems, sep='\\n')"


def writer_of(fifo: Path) -> int:
    """The end of a FIFO to write into, as soon as somebody reads it."""
    deadline = time.monotonic() + 120
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < deadline, "nobody reads what was published"
            time.sleep(0.02)


def test_a_ledger_that_grows_while_it_is_checked_is_not_taken_for_a_restored_backup(scratch: Scratch) -> None:
    """The check is held where it reads what was published, for as long as a sequencer takes to publish more."""
    published = scratch.home / "published" / "checkpoint"
    note = published.read_bytes()
    published.unlink()
    os.mkfifo(published)
    checking = scratch.start(CHECK)
    pipe = writer_of(published)
    published.unlink()
    published.write_bytes(note)
    scratch.add_events(3)
    assert published_size(scratch.home) == EVENTS + 3
    os.write(pipe, published.read_bytes())
    os.close(pipe)
    said, fault = checking.communicate(timeout=240)
    assert (said.strip(), checking.returncode) == ("", 0), said + fault
    assert scratch.rows("SELECT text FROM archive_alarm WHERE ended IS NULL") == []


RECORD = """
from archive.models import Case
from archive.services.custody import record_event
record_event(case=Case.objects.get(), type="access", objects=[], detail={})
"""
PUT_BACK = "from archive.services import sequencing\nprint(sequencing.put_back_lost(), sequencing.sequence_pending())"


def test_an_event_that_waits_no_longer_is_named_and_put_back(scratch: Scratch) -> None:
    scratch.python(RECORD)
    assert "all fit" in scratch.manage("check_ledger")
    scratch.rows("DELETE FROM archive_pendingleaf")
    ((lost,),) = scratch.rows("SELECT id FROM archive_custodyevent e WHERE NOT EXISTS"
                              " (SELECT FROM archive_leaf l WHERE l.event_id = e.id)")  # fmt: skip
    assert f"event {lost}: it is not in the ledger and does not wait for it" in scratch.refused("check_ledger")
    assert scratch.python(PUT_BACK).split() == ["1", "1"]
    assert scratch.python(PUT_BACK).split() == ["0", "0"]
    assert "all fit" in scratch.manage("check_ledger")
    assert scratch.rows("SELECT index FROM archive_leaf WHERE event_id = %s", [lost]) == [(EVENTS,)]


def test_an_event_whose_leaf_was_taken_away_gets_no_second_one(scratch: Scratch) -> None:
    scratch.tamper("DELETE FROM archive_leaf WHERE index = 17")
    assert scratch.python(PUT_BACK).split() == ["0", "0"]


def test_an_event_that_waits_and_has_a_leaf_already_is_not_placed_again(scratch: Scratch) -> None:
    scratch.rows("INSERT INTO archive_pendingleaf (event_id) SELECT event_id FROM archive_leaf WHERE index = 17")
    scratch.add_events(1)
    assert size(scratch) == EVENTS + 1
    assert scratch.rows("SELECT count(*) FROM archive_pendingleaf") == [(0,)]
    assert "all fit" in scratch.manage("check_ledger")
