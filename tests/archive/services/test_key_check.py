"""What was signed past the archive, and rows about keys that no event vouches for, are named by the nightly look."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.enable_socket, pytest.mark.xdist_group("key check")]

WRITERS = """
from archive.models import Case
from archive.services.custody import record_event
from archive.services.sequencing import sequence_pending
case = Case.objects.get()
for n in range(60):
    record_event(case=case, type="access", objects=[], detail={"n": n})
    sequence_pending()
"""
SIGN_SLOWLY = """
import time
from pathlib import Path
from archive.models import Case
from archive.services.custody import record_event
from archive.services.keys import public_keys
from archive.services.signatures import sign_statement
from django.db import transaction
with transaction.atomic():
    envelope, keys = sign_statement(b"{{}}")
    Path({told!r}).touch()
    while not Path({go!r}).exists():
        time.sleep(0.05)
    record_event(case=Case.objects.get(), type="creation", objects=[], detail={{"keys": public_keys(keys)}})
"""
BY_HAND = """
import time
from archive import wiring
from archive.models import Checkpoint
from archive.services import publication
from evidence.log.checkpoint import parse_checkpoint, sign_checkpoint
from evidence.log.note import parse_note
body = parse_checkpoint(parse_note(Checkpoint.objects.latest("size").note).text)
signers = [wiring.signer(key) for key in wiring.key_periods("log")[-1].keys]
publication.path().write_text(str(sign_checkpoint(body, *signers, int(time.time()) + 1)))
"""
FORGED = (
    "INSERT INTO archive_keyversion (purpose, number, algorithm, public, keyid, holder, after, event_id, begun) "
    "SELECT purpose, 9, algorithm, sha256(public), reverse(keyid), holder, 99, event_id, begun "
    "FROM archive_keyversion WHERE purpose = 'dsse' AND number = 2"
)


@pytest.fixture(scope="module")
def founded(tmp_path_factory) -> Iterator[tuple[Scratch, str]]:
    """A log with a rotation and a revocation behind it."""
    with Scratch(tmp_path_factory.mktemp("home")) as made:
        made.with_log(8)
        made.manage("keys", "rotate", "--purpose", "log")
        made.manage("keys", "revoke", "--purpose", "dsse", "--reason", "stolen")
        made.add_events(3)
        yield made, made.keep_copy()


@pytest.fixture
def scratch(founded: tuple[Scratch, str]) -> Iterator[Scratch]:
    made, backup = founded
    published = made.home / "published" / "checkpoint"
    note = published.read_bytes()
    yield made
    made.restore(backup)
    published.write_bytes(note)


def test_all_fits_after_keys_were_replaced_and_making_keys_again_makes_none(scratch: Scratch) -> None:
    assert scratch.manage("make_keys") == ""
    assert "all fit" in scratch.manage("check_ledger")
    assert scratch.manage("check_ledger", "--start") is not None


def test_a_checkpoint_that_was_signed_past_the_archive_is_an_alarm_once_it_is_published(scratch: Scratch) -> None:
    scratch.python(BY_HAND)
    said = scratch.refused("check_ledger")
    assert "published/checkpoint" in said and "it was not made by this archive" in said
    assert scratch.rows("SELECT count(*) FROM archive_alarm WHERE kind = 'ledger' AND ended IS NULL") == [(1,)]


def test_keys_are_replaced_while_others_write_and_sequence(tmp_path) -> None:
    """Three writers that sequence for themselves, and a rotation amid their work: one tree, each size by its keys."""
    with Scratch(tmp_path) as scratch:
        scratch.with_log(4)
        writers = [scratch.start(WRITERS) for _ in range(3)]
        for purpose in ("log", "dsse", "log"):
            scratch.manage("keys", "rotate", "--purpose", purpose)
        ended = [(writer.communicate(timeout=200)[1], writer.returncode) for writer in writers]
        assert [code for _said, code in ended] == [0] * 3, ended
        assert "all fit" in scratch.manage("check_ledger")
        assert scratch.rows("SELECT count(*) FROM archive_leaf") == [(4 + 3 * 2 + 3 * 60,)]
        last = "SELECT e.last, l.index + 1 FROM archive_keyend e JOIN archive_leaf l ON l.event_id = e.event_id"
        assert all(size == after for size, after in scratch.rows(last))


def test_a_key_does_not_end_between_a_statements_signature_and_its_event(tmp_path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch.with_log(4)
        signing = scratch.start(SIGN_SLOWLY.format(told=str(tmp_path / "told"), go=str(tmp_path / "go")))
        wait_for((tmp_path / "told").exists)
        rotating = scratch.start("from archive.services import keys\n"
                                 "keys.replace_keys(purpose='dsse', event_type='key rotation', reason='now')")  # fmt: skip
        wait_for(
            lambda: scratch.rows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")[0][0]
        )
        assert scratch.rows("SELECT count(*) FROM archive_keyend") == [(0,)]
        (tmp_path / "go").touch()
        for process in (signing, rotating):
            said = process.communicate(timeout=120)[1]
            assert process.returncode == 0, said
        order = (
            "SELECT type FROM archive_leaf JOIN archive_custodyevent e ON e.id = event_id ORDER BY index DESC LIMIT 3"
        )
        assert [kind for (kind,) in scratch.rows(order)] == ["key introduction", "key rotation", "creation"]


def wait_for(condition) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "nothing came in two minutes"
        time.sleep(0.05)


def test_what_an_older_release_signed_before_keys_were_introduced_needs_no_record(tmp_path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch.with_log(5)
        scratch.tamper("DELETE FROM archive_keyversion")
        scratch.tamper("DELETE FROM archive_signing")
        scratch.tamper(
            "UPDATE archive_custodyevent SET type = 'access', text = replace(text, 'key introduction', 'access')"
        )
        assert "introduced log-ed25519" in scratch.manage("make_keys")
        scratch.add_events(1)
        said = scratch.refused("check_ledger")
        assert "record" not in said  # only the events that this test changed
        scratch.tamper("DELETE FROM archive_signing WHERE size = 8")
        assert "checkpoint 8: a signature by key" in scratch.refused("check_ledger")


def test_a_statement_is_signed_within_a_transaction_only(scratch: Scratch) -> None:
    with pytest.raises(AssertionError, match="signatures are recorded in the caller's transaction"):
        scratch.python("from archive.services import signatures\nsignatures.sign_statement(b'{}')")


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM archive_signing WHERE size = 8", "checkpoint 8: a signature by key"),
        ("UPDATE archive_signing SET message = md5(message) || md5(message) WHERE size = 8",
         "signed another checkpoint of this size"),
        ("DELETE FROM archive_checkpoint WHERE size = 8", "checkpoint 8: it was signed, and is not there"),
        (("INSERT INTO archive_custodyobject (event_id, digest, role) SELECT id, 'sha256:' || repeat('0', 64), 'statement'"
          " FROM archive_custodyevent ORDER BY time DESC LIMIT 1"), "no record says that both keys of this archive signed it"),
        (FORGED, "does not introduce it"),
        ("UPDATE archive_keyversion SET after = 3 WHERE purpose = 'log' AND number = 2", "does not introduce it"),
        ("UPDATE archive_keyend SET last = 3", "does not end it at 3"),
        ("DELETE FROM archive_keyend WHERE key_id = (SELECT min(key_id) FROM archive_keyend)", "it goes on while"),
        ("DELETE FROM archive_keyend WHERE status = 'revoked'", "a key revocation of which the table of keys knows nothing"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(scratch: Scratch, statement: str, named: str) -> None:
    scratch.tamper(statement)
    assert named in scratch.refused("check_ledger")
