"""What was signed past the archive, and rows about keys that no event vouches for, are named by the nightly look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.enable_socket

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
def founded(tmp_path_factory) -> Iterator[Scratch]:
    """A log with a rotation and a revocation behind it."""
    with Scratch(tmp_path_factory.mktemp("home")) as made:
        made.with_log(8)
        made.manage("keys", "rotate", "--purpose", "log")
        made.manage("keys", "revoke", "--purpose", "dsse", "--reason", "stolen")
        made.add_events(3)
        yield made


@pytest.fixture
def scratch(founded: Scratch) -> Iterator[Scratch]:
    published = founded.home / "published" / "checkpoint"
    note, backup = published.read_bytes(), founded.keep_copy()
    yield founded
    founded.restore(backup)
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
          " FROM archive_custodyevent LIMIT 1"), "no record says that both keys of this archive signed it"),
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
