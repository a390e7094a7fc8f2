"""What somebody with the server's rights changes in the store, or in the rows about it, is found by name by fixity.

And by a stranger's `custos-verify`, who holds a receipt. Changed rows of the ledger, a restored backup and a forked log:
tests/archive/services/test_ledger_check.py and tests/monitor/test_end_to_end.py. The table of it all is in docs/faults.md.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from archive import wiring
from archive.models import Alarm, Submission
from archive.services.receipts import issue_receipt
from evidence.verify.audit import audit
from evidence.verify.trust import load_trust
from tests.tampering import tamper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(file_store: Path, hand_in) -> Submission:
    return hand_in(b"first file\n")


@pytest.fixture
def other(file_store: Path, hand_in) -> Submission:
    return hand_in(b"other file\n")


def fixity() -> tuple[str, str]:
    """What `manage.py fixity` says, and why it failed."""
    said, reason = io.StringIO(), ""
    try:
        call_command("fixity", stdout=said, stderr=said)
    except CommandError as error:
        reason = str(error)
    return said.getvalue(), reason


def alarms() -> list[tuple[str, str]]:
    return list(Alarm.objects.filter(ended=None).order_by("kind", "subject").values_list("kind", "subject"))


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_all_is_whole_before(first: Submission, other: Submission) -> None:
    said, reason = fixity()
    assert (reason, "all 2 are accounted for" in said, alarms()) == ("", True, [])


def flip(path: Path, _other: Path) -> None:
    overwrite(path, b"First file\n")


def cut(path: Path, _other: Path) -> None:
    overwrite(path, b"first")


def take_away(path: Path, _other: Path) -> None:
    path.unlink()


def link_elsewhere(path: Path, other: Path) -> None:
    path.unlink()
    path.symlink_to(other)


@pytest.mark.parametrize(
    ("act", "state"), [(flip, "damaged"), (cut, "damaged"), (take_away, "missing"), (link_elsewhere, "damaged")]
)
def test_a_changed_blob_is_named(
    file_store: Path, first: Submission, other: Submission, act: Callable[[Path, Path], None], state: str
) -> None:
    act(file_store / first.blob.place, file_store / other.blob.place)
    said, reason = fixity()
    assert reason.startswith("1 of 2 blobs are not whole")
    assert f"{first.blob_id} 11 bytes: {state}" in said
    assert alarms() == [("damage", first.blob_id)]


def test_two_blobs_that_were_swapped_are_both_named(file_store: Path, first: Submission, other: Submission) -> None:
    one, two = file_store / first.blob.place, file_store / other.blob.place
    aside = one.with_name("aside")
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    said, reason = fixity()
    assert reason.startswith("2 of 2 blobs are not whole")
    assert all(f"{row.blob_id} 11 bytes: damaged" in said for row in (first, other))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE archive_blob SET locator = '{place}' WHERE digest = '{digest}'",
        "INSERT INTO archive_blobmove (blob_id, locator, moved) VALUES ('{digest}', '{place}', now())",
        "UPDATE archive_blob SET size = 12 WHERE digest = '{digest}'",
    ],
)
def test_a_row_that_leads_to_other_bytes_is_named(first: Submission, other: Submission, statement: str) -> None:
    tamper(statement.format(place=other.blob.place, digest=first.blob_id))
    said, reason = fixity()
    assert reason.startswith("1 of 2 blobs are not whole")
    assert "the database says" in next(line for line in said.splitlines() if first.blob_id in line)
    assert alarms() == [("damage", first.blob_id)]


def test_a_changed_manifest_is_named_and_stays_for_people_to_see(
    file_store: Path, first: Submission, home: Path
) -> None:
    name = f"submissions/{first.pk}.txt"
    right = (file_store / name).read_bytes()
    overwrite(file_store / name, right.replace(b"# case ", b"# case 0"))
    said, reason = fixity()
    assert (f"the manifest {name} was changed" in said, "1 manifests are not right" in reason) == (True, True)
    assert alarms() == [("manifest", name)]
    (file_store / name).rename(home / "aside")
    assert f"the manifest {name} was missing" in fixity()[0]
    assert (file_store / name).read_bytes() == right
    assert (fixity()[1], alarms()) == ("", [])


def test_an_event_that_cannot_be_read_is_named_at_its_manifest_and_ends_no_round(
    file_store: Path, first: Submission, other: Submission
) -> None:
    statement = "UPDATE archive_custodyevent SET text = 'x' WHERE id = '{event}'"
    tamper(statement.format(event=first.event_id))
    overwrite(file_store / other.blob.place, b"Other file\n")
    said, reason = fixity()
    assert f"the manifest submissions/{first.pk}.txt cannot be compared" in said
    assert (reason.startswith("1 of 2 blobs are not whole"), alarms()) == (
        True, [("damage", other.blob_id), ("manifest", f"submissions/{first.pk}.txt")],
    )  # fmt: skip


def test_a_manifest_under_the_name_of_another_is_named(file_store: Path, first: Submission, other: Submission) -> None:
    name = f"submissions/{first.pk}.txt"
    (file_store / name).unlink()
    os.link(file_store / f"submissions/{other.pk}.txt", file_store / name)
    assert f"the manifest {name} was changed" in fixity()[0]


def test_a_manifest_that_was_renamed_is_missed(file_store: Path, first: Submission) -> None:
    name = f"submissions/{first.pk}.txt"
    (file_store / name).rename(file_store / "submissions" / "another.txt")
    assert f"the manifest {name} was missing" in fixity()[0]


@pytest.fixture
def verified(first: Submission, file_store: Path, tmp_path: Path) -> Callable[[], set[str]]:
    """What `custos-verify` says about the file as it lies in the store now, and its receipt as it is given out now.

    Wrong findings by their code, unchecked ones but that no authority was asked with a question mark.
    """

    def verify() -> set[str]:
        given = tmp_path / "given"
        given.mkdir()
        (tmp_path / "policy.txt").write_text(wiring.policy())
        (given / "a.receipt.json").write_bytes(issue_receipt(event=first.event))
        if (file_store / first.blob.place).exists():
            (given / "a.log").write_bytes((file_store / first.blob.place).read_bytes())
        found = audit([given], load_trust(tmp_path / "policy.txt", None))
        open_ends = {f"{item.code}?" for item in found.of("unchecked")} - {"timestamp-absent?"}
        return {item.code for item in found.of("wrong")} | open_ends

    return verify


CHANGED = {"file-unknown", "file-absent?"}


@pytest.mark.parametrize(
    ("act", "codes"), [(flip, CHANGED), (cut, CHANGED), (take_away, {"file-absent?"}), (link_elsewhere, CHANGED)]
)
def test_a_stranger_finds_a_changed_file(
    file_store: Path, first: Submission, other: Submission, verified, act, codes
) -> None:
    act(file_store / first.blob.place, file_store / other.blob.place)
    assert verified() == codes


def test_a_stranger_finds_nothing_wrong_before(verified) -> None:
    assert verified() == set()


def test_a_changed_custody_text_has_no_receipt_that_holds(first: Submission, verified) -> None:
    text = "UPDATE archive_custodyevent SET text = replace(text, '\"duplicate\":false', '\"duplicate\":true')"
    tamper(f"{text} WHERE id = '{first.event_id}'")
    first.event.refresh_from_db()
    assert verified() == {"receipt-inclusion"}
