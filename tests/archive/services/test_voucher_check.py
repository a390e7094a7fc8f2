"""Timestamps and cosignatures that were changed, or made up, are named; those of strangers are a notice."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from archive import wiring
from archive.models import Checkpoint, Cosignature, Timestamp
from archive.services import access, custody, sequencing, timestamps, voucher_check
from evidence.log.checkpoint import parse_checkpoint
from evidence.log.note import parse_note
from tests.tampering import tamper
from tests.timestamping import Authority
from witness.state import found

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db]


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Iterator[Authority]:
    with Authority(tmp_path_factory.mktemp("authority"), "Time Authority") as made:
        yield made


def looked() -> tuple[list[str], list[str]]:
    """What does not hold, and what is only noticed."""
    notices: list[str] = []
    return [said for look in voucher_check.looks(notices).values() for said in look()], notices


@pytest.fixture
def checkpoint(ann) -> Checkpoint:
    case = access.ensure_case(principal=ann, reference="a")
    for n in range(2):
        custody.record_event(case=case, type="access", objects=[], detail={"n": n})
        sequencing.sequence_pending()
    return Checkpoint.objects.latest("size")


@pytest.fixture
def stamped(authority: Authority, checkpoint: Checkpoint, settings) -> Timestamp:
    settings.CUSTOS_TSA = [(authority.url, str(authority.pem))]
    assert timestamps.stamp_due() == 1
    return Timestamp.objects.get()


def test_a_token_as_it_was_kept_holds(stamped: Timestamp) -> None:
    assert looked() == ([], [])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE archive_timestamp SET response = 'x'", "UPDATE archive_timestamp SET response = ''",
        "UPDATE archive_timestamp SET authority = 'Another'", "UPDATE archive_timestamp SET checkpoint_id = 1",
        "UPDATE archive_timestamp SET time = time - interval '1 day'",
    ],
)  # fmt: skip
def test_a_token_that_was_changed_is_named(stamped: Timestamp, statement: str) -> None:
    tamper(statement)
    ((said,), notices) = looked()
    assert said.startswith(f"timestamp {stamped.pk} by {stamped.url} over checkpoint ")
    assert notices == []


def test_a_token_of_an_authority_that_is_named_no_more_is_a_notice_and_junk_is_not(
    stamped: Timestamp, settings
) -> None:
    settings.CUSTOS_TSA = []
    said = f"1 timestamps are by {stamped.url}, which CUSTOS_TSA does not name: who signed them was not verified"
    assert looked() == ([], [said])
    tamper("UPDATE archive_timestamp SET response = %s", b"junk")
    problems, notices = looked()
    assert (len(problems), notices) == (1, [said])


@pytest.fixture
def renewed(stamped: Timestamp, settings, tmp_path: Path) -> Path:
    """The PEM file of the authority, which has another certificate than when the token was made."""
    with Authority(tmp_path, "Time Authority") as other:
        settings.CUSTOS_TSA = [(stamped.url, str(other.pem))]
        return other.pem


def test_a_token_of_before_its_authority_was_renewed_is_a_notice_and_junk_is_not(
    stamped: Timestamp, renewed: Path
) -> None:
    said = (
        f"1 timestamps by {stamped.url} until {stamped.time:%Y-%m-%d %H:%M} UTC are by a certificate that its PEM"
        " file in CUSTOS_TSA lacks: who signed them was not verified; add it there again (docs/timestamps.md)"
    )
    assert looked() == ([], [said])
    tamper("UPDATE archive_timestamp SET checkpoint_id = %s", 1)
    assert len(looked()[0]) == 1
    tamper("UPDATE archive_timestamp SET response = %s", b"junk")
    problems, notices = looked()
    assert (len(problems), notices) == (1, [])


def test_a_token_of_before_its_authority_was_renewed_holds_by_the_old_certificate_beside_the_new(
    stamped: Timestamp, authority: Authority, renewed: Path
) -> None:
    renewed.write_bytes(renewed.read_bytes() + authority.pem.read_bytes())
    assert looked() == ([], [])


@pytest.fixture(scope="module")
def issued(tmp_path_factory) -> Iterator[Authority]:
    """An authority whose certificate another one issued."""
    with Authority(tmp_path_factory.mktemp("issued"), "Time Authority") as made:
        made.be_issued()
        yield made


@pytest.mark.parametrize("renewed", [False, True])
def test_a_changed_token_is_named_whose_signer_was_issued_by_one_that_is_in_the_file(
    issued: Authority, checkpoint: Checkpoint, settings, renewed: bool
) -> None:
    settings.CUSTOS_TSA = [(issued.url, str(issued.root))]
    assert timestamps.stamp_due() == 1
    if renewed:
        issued.be_issued()
    assert looked() == ([], [])
    token = bytes(Timestamp.objects.get().response)
    tamper("UPDATE archive_timestamp SET response = %s", token[:-1] + bytes([token[-1] ^ 1]))
    problems, notices = looked()
    assert (len(problems), notices) == (1, [])


@pytest.mark.parametrize("content", [None, b"no certificate", b"\xff"])
def test_a_pem_file_that_cannot_be_read_is_a_notice_that_names_the_setting(
    stamped: Timestamp, settings, tmp_path: Path, content: bytes | None
) -> None:
    settings.CUSTOS_TSA = [(stamped.url, str(tmp_path / "gone.pem"))]
    if content is not None:
        (tmp_path / "gone.pem").write_bytes(content)
    problems, (said,) = looked()
    assert problems == []
    assert said.startswith(f"CUSTOS_TSA names the file {tmp_path / 'gone.pem'}, which ")
    assert said.endswith("and call manage.py check_ledger again: who signed the timestamps was not verified")
    tamper("UPDATE archive_timestamp SET response = %s", b"junk")
    assert len(looked()[0]) == 1


@pytest.fixture
def cosigned(checkpoint: Checkpoint, tmp_path: Path, settings) -> Cosignature:
    """By the first key of a witness, which the archive names."""
    keys = found(tmp_path / "witness", "w.example/w")
    (tmp_path / "witnesses.txt").write_text(f"witness w {keys.vkeys[0]}\nquorum w\n")
    settings.CUSTOS_WITNESSES = str(tmp_path / "witnesses.txt")
    wiring.witnesses.cache_clear()
    lines = keys.cosign(parse_checkpoint(parse_note(checkpoint.note).text), 1_800_000_000).splitlines(keepends=True)
    return Cosignature.objects.create(checkpoint=checkpoint, witness="w", line=lines[0])


def test_a_cosignature_as_it_was_kept_holds(cosigned: Cosignature) -> None:
    assert looked() == ([], [])


def test_a_file_of_witnesses_that_cannot_be_read_is_a_notice_that_names_the_setting(
    cosigned: Cosignature, settings, tmp_path: Path
) -> None:
    settings.CUSTOS_WITNESSES = str(tmp_path / "gone.txt")
    wiring.witnesses.cache_clear()
    problems, (said,) = looked()
    assert (problems, said.startswith(f"CUSTOS_WITNESSES names the file {tmp_path / 'gone.txt'}, ")) == ([], True)
    tamper("UPDATE archive_cosignature SET line = %s", "junk")
    assert len(looked()[0]) == 1


def other_signature(line: str) -> str:
    name, _, text = line.rstrip("\n").rpartition(" ")
    raw = base64.b64decode(text)
    return f"{name} {base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode()}\n"


@pytest.mark.parametrize(
    "change", [lambda _: "junk", lambda _: "", lambda line: line + line, lambda line: line[:-1], other_signature,
               lambda line: "\n\n" + line]
)  # fmt: skip
def test_a_cosignature_that_was_changed_is_named(cosigned: Cosignature, change) -> None:
    tamper("UPDATE archive_cosignature SET line = %s", change(cosigned.line))
    ((said,), notices) = looked()
    assert said.startswith(f"cosignature {cosigned.pk} by w over checkpoint 2: ")
    assert notices == []


def test_a_cosignature_of_another_checkpoint_is_named(cosigned: Cosignature) -> None:
    tamper("UPDATE archive_cosignature SET checkpoint_id = %s", 1)
    assert len(looked()[0]) == 1


def test_a_cosignature_of_a_witness_that_is_named_no_more_is_a_notice_and_junk_is_not(cosigned: Cosignature) -> None:
    tamper("UPDATE archive_cosignature SET witness = %s", "gone")
    said = "1 cosignatures of gone are by a key that CUSTOS_WITNESSES does not name: not verified"
    assert looked() == ([], [said])
    Cosignature.objects.create(checkpoint=cosigned.checkpoint, witness="evil", line="junk")
    problems, notices = looked()
    assert (len(problems), notices) == (1, [said])
