"""An archive and real witness processes: cosignatures in checkpoint and receipts, witnesses away, and one ahead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, transaction

from archive import wiring
from archive.models import Alarm, Cosignature
from archive.services import access, custody, publication, sequencing, witnessing
from archive.services.receipts import issue_receipt
from evidence.log.note import parse_note
from evidence.log.policy import parse_policy, problems
from evidence.verify.audit import audit
from evidence.verify.trust import load_trust
from tests.witness.conftest import Running, command, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db]


class Newsroom:
    """The archive of this test with witnesses of two other newsrooms."""

    def __init__(self, folder: Path, settings, ann) -> None:
        self.folder = folder
        self.witnesses = [self._witness("w1"), self._witness("w2")]
        self.case = access.ensure_case(principal=ann, reference="a")
        settings.CUSTOS_WITNESSES = str(folder / "witnesses.txt")
        self.ask_for("group both all w1.example-w w2.example-w\nquorum both\n")

    def _witness(self, name: str) -> Running:
        folder = self.folder / name
        keys = [line.split()[1] for line in wiring.policy().splitlines() if line.startswith("log ")]
        assert said("init", "--folder", str(folder), "--name", f"{name}.example/w")[0] == 0
        code, _out, err = said("follow", "--folder", str(folder), *keys)
        assert code == 0, err
        return Running(folder)

    def ask_for(self, rule: str) -> None:
        lines = [
            f"{line} {running.url}"
            for running in self.witnesses
            for line in said("show", "--folder", str(running.folder))[1].splitlines()
        ]
        (self.folder / "witnesses.txt").write_text("\n".join(lines) + "\n" + rule)
        wiring.witnesses.cache_clear()

    def grow(self, count: int = 1) -> custody.CustodyEvent:
        for n in range(count):
            event = custody.record_event(case=self.case, type="access", objects=[], detail={"n": n}).event
        sequencing.sequence_pending()
        return event

    def checked(self, event, policy: str | None = None) -> dict[str, set[str]]:
        """Finding codes by level of the event's newest receipt under a policy, by default the archive's own."""
        (self.folder / "policy.txt").write_text(policy or wiring.policy())
        (self.folder / "a.receipt.json").write_bytes(issue_receipt(event=event))
        found = audit([self.folder / "a.receipt.json"], load_trust(self.folder / "policy.txt", None))
        return {level: {item.code for item in found.of(level)} for level in ("wrong", "unchecked")}


@pytest.fixture
def newsroom(tmp_path_factory, settings, ann) -> Iterator[Newsroom]:
    made = Newsroom(tmp_path_factory.mktemp("newsroom"), settings, ann)
    yield made
    for running in made.witnesses:
        running.kill()
    wiring.witnesses.cache_clear()


def test_checkpoints_are_cosigned_and_receipts_carry_it(newsroom, client) -> None:
    event = newsroom.grow(3)
    before = newsroom.checked(event)
    assert "checkpoint-signature" in before["wrong"]  # its own policy asks for a quorum that is not there yet
    assert not witnessing.has_quorum(sequencing.latest_checkpoint())
    for size, added in ((1, 4), (70, 4), (200, 4)):
        newsroom.grow(size)
        assert witnessing.cosign_newest() == added
        assert witnessing.cosign_newest() == 0
    assert witnessing.has_quorum(sequencing.latest_checkpoint())
    assert newsroom.checked(event) == {"wrong": set(), "unchecked": {"timestamp-absent"}}
    served = client.get("/log/checkpoint").content.decode()
    assert problems(parse_policy(wiring.policy()), parse_note(served)) == []
    assert len(parse_note(served).signatures) == 6
    assert client.get("/log/policy").content.decode().endswith("quorum both\n")


def test_a_reader_who_asks_for_more_witnesses_than_signed_is_told(newsroom) -> None:
    event = newsroom.grow()
    newsroom.witnesses[1].kill()
    witnessing.cosign_newest()
    assert "checkpoint-signature" in newsroom.checked(event)["wrong"]
    one = wiring.policy().replace("group both all", "group both any")
    assert newsroom.checked(event, one)["wrong"] == set()


def test_a_witness_that_is_away_delays_nothing_and_is_asked_again(newsroom) -> None:
    newsroom.grow()
    away = newsroom.witnesses[1]
    away.kill()
    assert witnessing.cosign_newest() == 2
    (alarm,) = Alarm.objects.filter(ended=None)
    assert (alarm.kind, alarm.subject) == (witnessing.AWAY, away.url)
    newsroom.grow()  # signing goes on
    away.start()
    newsroom.ask_for("quorum none\n")  # it has another port now
    assert witnessing.cosign_newest() == 4


def test_a_witness_that_knows_more_than_the_rows_is_caught_up_with(newsroom) -> None:
    newsroom.grow(5)
    witnessing.cosign_newest()
    newsroom.grow(5)
    with transaction.atomic():  # its cosignatures of size 10 were lost with the answer
        witnessing._post(newsroom.witnesses[0].url, sequencing.latest_checkpoint(), 5)
    newsroom.grow(5)
    assert witnessing.cosign_newest() == 4


def test_a_witness_that_is_ahead_stops_the_signing(newsroom) -> None:
    newsroom.grow(5)
    witnessing.cosign_newest()
    point = transaction.savepoint_create()
    newsroom.grow(5)
    witnessing.cosign_newest()
    transaction.savepoint_rollback(point)  # the database as a backup has it
    assert sequencing.latest_checkpoint().size == 5
    with pytest.raises(Exception, match="it is ahead"):
        witnessing.refuse_if_a_witness_is_ahead()
    size_5 = sequencing.latest_checkpoint()
    status, kind, body = witnessing._post(newsroom.witnesses[0].url, size_5, 5)
    assert (status, kind, body) == (409, "text/x.tlog.size", "10\n")
    with pytest.raises(publication.AheadError, match="recovery"):
        witnessing._size(body, newsroom.witnesses[0].url, size_5)


def test_another_root_of_one_size_at_a_witness_stops_the_start(newsroom) -> None:
    newsroom.grow(5)
    witnessing.cosign_newest()
    point = transaction.savepoint_create()
    newsroom.grow(2)
    witnessing.cosign_newest()
    transaction.savepoint_rollback(point)
    newsroom.grow(2)  # the same size, other events
    with pytest.raises(Exception, match="has another root"):
        witnessing.refuse_if_a_witness_is_ahead()


def test_a_silent_witness_at_the_start_is_named(newsroom) -> None:
    newsroom.grow()
    witnessing.cosign_newest()
    newsroom.witnesses[1].kill()
    (silent,) = witnessing.refuse_if_a_witness_is_ahead()
    assert newsroom.witnesses[1].url in silent


def test_cosignatures_are_append_only(newsroom) -> None:
    newsroom.grow()
    witnessing.cosign_newest()
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        Cosignature.objects.update(line="")


def test_lines_that_do_not_verify_are_not_kept(newsroom) -> None:
    newsroom.grow()
    checkpoint = sequencing.latest_checkpoint()
    for running, (_url, keys) in zip(newsroom.witnesses, witnessing._by_url().items(), strict=True):
        lines = running.add(f"old 0\n\n{checkpoint.note}".encode()).text
        flipped = json.loads(json.dumps(lines)).replace("A", "B")
        with pytest.raises(Exception, match=r"signature|key"):
            witnessing._keep(keys, checkpoint, flipped)
    assert not Cosignature.objects.exists()


def test_the_manage_command_is_the_same_program(tmp_path) -> None:
    from tests.scratch import Scratch

    made = command("--help").communicate()[0]
    assert "cosign" in made
    scratch = Scratch(tmp_path)
    lines = scratch.manage("witness", "init", "--folder", str(tmp_path / "w"), "--name", "w.example/x")
    assert lines.startswith("witness w.example-x w.example/x+")
