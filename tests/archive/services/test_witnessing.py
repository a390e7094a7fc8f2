"""An archive and real witness processes: cosignatures in checkpoint and receipts, witnesses away, and one ahead."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from archive import wiring
from archive.models import Alarm, Cosignature, Pause, Timestamp
from archive.services import access, custody, ledger_check, publication, receipts, sequencing, timestamps, witnessing
from archive.services.keys import introduce_keys, replace_keys
from archive.services.receipts import issue_receipt, place_in_log
from evidence.errors import LogError
from evidence.log.note import parse_note
from evidence.log.policy import parse_policy, problems
from evidence.opening import parse_receipt
from evidence.verify.audit import audit
from evidence.verify.trust import load_trust
from tests.answering import answering
from tests.scratch import ROOT
from tests.timestamping import Authority
from tests.witness.conftest import Running, command, said
from workers import sequence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db]
BOTH = "group both all w1.example-w w2.example-w\nquorum both\n"


class Newsroom:
    """The archive of this test with witnesses of two other newsrooms."""

    def __init__(self, folder: Path, settings, ann) -> None:
        self.folder = folder
        self.witnesses = [self._witness("w1"), self._witness("w2")]
        self.case = access.ensure_case(principal=ann, reference="a")
        settings.CUSTOS_WITNESSES = str(folder / "witnesses.txt")
        self.ask_for(BOTH)

    def _witness(self, name: str) -> Running:
        folder = self.folder / name
        keys = [line.split()[1] for line in wiring.policy().splitlines() if line.startswith("log ")]
        assert said("init", "--folder", str(folder), "--name", f"{name}.example/w")[0] == 0
        code, _out, err = said("follow", "--folder", str(folder), *keys)
        assert code == 0, err
        return Running(folder)

    def ask_for(self, rule: str, urls: dict[str, str] | None = None) -> None:
        """Name the witnesses in the settings, at their own addresses or at what `urls` has in their place."""
        lines = [
            f"{line} {(urls or {}).get(running.url, running.url)}"
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

    def restored_after(self, *, seen: int) -> None:
        """The database and its folder as they were, after the witnesses cosigned so many events more."""
        point = transaction.savepoint_create()
        self.grow(seen)
        witnessing.cosign_newest()
        transaction.savepoint_rollback(point)

    def checked(self, event, policy: str | None = None) -> dict[str, set[str]]:
        """Finding codes by level of the event's newest receipt under a policy, by default the archive's own."""
        (self.folder / "policy.txt").write_text(policy or wiring.policy())
        (self.folder / "a.receipt.json").write_bytes(issue_receipt(event=event))
        found = audit([self.folder / "a.receipt.json"], load_trust(self.folder / "policy.txt", None))
        return {level: {item.code for item in found.of(level)} for level in ("wrong", "unchecked")}


@pytest.fixture
def newsroom(tmp_path_factory, settings, ann) -> Iterator[Newsroom]:
    witnessing.ask_before_the_first_signature.cache_clear()
    made = Newsroom(tmp_path_factory.mktemp("newsroom"), settings, ann)
    yield made
    for running in made.witnesses:
        running.kill()
    wiring.witnesses.cache_clear()
    witnessing.ask_before_the_first_signature.cache_clear()


def open_alarms() -> set[tuple[str, str]]:
    return set(Alarm.objects.filter(ended=None).values_list("kind", "subject"))


def test_checkpoints_are_cosigned_and_receipts_carry_it(newsroom, client) -> None:
    event = newsroom.grow(3)
    before = newsroom.checked(event)
    assert "checkpoint-signature" in before["wrong"]  # its own policy asks for a quorum that is not there yet
    assert witnessing.quorum_of(sequencing.latest_checkpoint()) == "below"
    for size, added in ((1, 4), (70, 4), (200, 4)):
        newsroom.grow(size)
        assert witnessing.cosign_newest() == added
        assert witnessing.cosign_newest() == 0
    assert witnessing.quorum_of(sequencing.latest_checkpoint()) == "reached"
    assert newsroom.checked(event) == {"wrong": set(), "unchecked": {"timestamp-absent"}}
    served = client.get("/log/checkpoint").content.decode()
    assert problems(parse_policy(wiring.policy()), parse_note(served)) == []
    assert len(parse_note(served).signatures) == 6
    assert client.get("/log/policy").content.decode().endswith("quorum both\n")


def test_a_receipt_leads_to_the_newest_cosigned_checkpoint_that_holds_its_leaf(newsroom) -> None:
    """One asked for right after its checkpoint is not given an older one, however many witnesses that has."""
    old = newsroom.grow(2)
    witnessing.cosign_newest()
    new = newsroom.grow()
    assert [place_in_log(event=event)[1].size for event in (old, new)] == [2, 3]
    witnessing.cosign_newest()
    assert [place_in_log(event=event)[1].size for event in (old, new)] == [3, 3]


def test_a_reader_who_asks_for_more_witnesses_than_signed_is_told(newsroom) -> None:
    event = newsroom.grow()
    newsroom.witnesses[1].kill()
    witnessing.cosign_newest()
    assert "checkpoint-signature" in newsroom.checked(event)["wrong"]
    one = wiring.policy().replace("group both all", "group both any")
    assert newsroom.checked(event, one)["wrong"] == set()


def test_a_receipt_is_not_tied_to_a_checkpoint_that_was_stamped_below_its_quorum(newsroom, tmp_path, settings) -> None:
    event = newsroom.grow()
    newsroom.witnesses[1].kill()
    witnessing.cosign_newest()
    with Authority(tmp_path, "Time Authority") as authority:
        settings.CUSTOS_TSA, settings.CUSTOS_TSA_MINUTES = [(authority.url, str(authority.pem))], 0
        assert timestamps.stamp_due() == 1
        newsroom.witnesses[1].start()
        newsroom.ask_for(BOTH)
        for _ in range(2):
            newsroom.grow()
            witnessing.cosign_newest()
        assert newsroom.checked(event) == {"wrong": set(), "unchecked": {"timestamp-absent"}}
        assert timestamps.stamp_due() == 1
    assert Timestamp.objects.count() == 2
    assert newsroom.checked(event)["wrong"] == set()
    assert parse_receipt(issue_receipt(event=event)).timestamps


@pytest.mark.parametrize("since", [7, receipts._LOOKED_AT + 1])  # more than the newest that are looked at
def test_a_receipt_leads_to_a_quorum_of_before_while_a_witness_is_away(since, newsroom) -> None:
    event = newsroom.grow()
    witnessing.cosign_newest()
    newsroom.witnesses[1].kill()
    for _ in range(since):
        newsroom.grow()
        witnessing.cosign_newest()
    assert newsroom.checked(event) == {"wrong": set(), "unchecked": {"timestamp-absent"}}


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
    lost = witnessing._request("", sequencing.latest_checkpoint(), 5)
    assert newsroom.witnesses[0].add(lost.body).status_code == 200  # its cosignatures of size 10 never arrived
    newsroom.grow(5)
    assert witnessing.cosign_newest() == 4


def test_a_witness_that_is_ahead_stops_the_signing(newsroom) -> None:
    newsroom.grow(5)
    witnessing.cosign_newest()
    newsroom.restored_after(seen=5)
    assert sequencing.latest_checkpoint().size == 5
    with pytest.raises(publication.AheadError, match=r"has size 10.*recovery"):
        ledger_check.check_start()
    assert open_alarms() == {(publication.AHEAD, running.url) for running in newsroom.witnesses}
    with pytest.raises(LogError, match="it is ahead"):
        newsroom.grow()
    assert witnessing.cosign_newest() == 0
    assert {kind for kind, _ in open_alarms()} >= {publication.AHEAD}


@pytest.mark.parametrize("seen", [2, 5])  # the witness is at size 7, or at the size that was signed since
def test_a_witness_that_refuses_our_history_stops_the_signing(seen, newsroom) -> None:
    newsroom.grow(5)
    witnessing.cosign_newest()
    newsroom.restored_after(seen=seen)
    newsroom.grow(5)  # other events in their place
    assert witnessing.cosign_newest() == 0
    assert open_alarms() == {(publication.AHEAD, running.url) for running in newsroom.witnesses}
    with pytest.raises(LogError, match="has another root"):
        newsroom.grow()
    assert sequencing.latest_checkpoint().size == 10
    with pytest.raises(publication.AheadError, match="has another root"):
        ledger_check.check_start()


def test_a_sequencer_asks_before_its_first_signature(newsroom) -> None:
    newsroom.grow(5)
    witnessing.cosign_newest()
    newsroom.restored_after(seen=2)
    custody.record_event(case=newsroom.case, type="access", objects=[], detail={})
    with pytest.raises(LogError, match="it is ahead"):
        sequence.sequence.apply(throw=True)
    assert sequencing.latest_checkpoint().size == 5


def test_a_database_from_before_a_rotation_is_behind_what_the_next_keys_signed(newsroom) -> None:
    introduce_keys()
    newsroom.grow(5)
    point = transaction.savepoint_create()
    replace_keys(purpose="log", event_type="key rotation", reason="planned")
    newsroom.grow()
    after = sequencing.latest_checkpoint().note.encode()
    transaction.savepoint_rollback(point)
    with answering(200, "text/plain", after) as url:
        newsroom.ask_for(BOTH, {newsroom.witnesses[0].url: url})
        with pytest.raises(publication.AheadError, match="it is ahead"):
            ledger_check.check_start()


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (409, "text/x.tlog.size", b"999999\n"),
        (409, "text/x.tlog.size", b"-1\n"),
        (409, "text/plain", b""),
        (422, "text/plain", b"no\n"),
        (200, "text/plain", b"custos.test/log\n999999\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n"),
        (
            200,
            "text/plain",
            b"custos.test/log\n999999\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\xe2\x80\x94 a AAAAAAAA\n",
        ),
    ],
)
def test_nobody_stops_the_signing_by_words_that_the_log_did_not_sign(status, kind, body, newsroom) -> None:
    newsroom.grow(2)
    with answering(status, kind, body) as url:
        newsroom.ask_for(BOTH, {newsroom.witnesses[1].url: url})
        assert witnessing.cosign_newest() == 2
        assert open_alarms() == {(witnessing.AWAY, url)}
        assert len(ledger_check.check_start()) == 1
    newsroom.grow()
    assert sequencing.latest_checkpoint().size == 3


def test_a_witness_that_failed_is_left_alone_for_a_while(newsroom) -> None:
    newsroom.grow()
    asked: list[str] = []
    with answering(500, "text/plain", b"", asked) as url:
        newsroom.ask_for(BOTH, {newsroom.witnesses[1].url: url})
        assert [witnessing.cosign_newest() for _ in range(3)] == [2, 0, 0]
        assert asked == ["/add-checkpoint"]
        assert Pause.objects.update(until=timezone.now()) == 1
        assert witnessing.cosign_newest() == 0
        assert asked == ["/add-checkpoint"] * 2
        assert open_alarms() == {(witnessing.AWAY, url)}


def test_a_message_that_waits_behind_others_is_dropped_as_the_schedule_asks_again(
    newsroom, monkeypatch, django_capture_on_commit_callbacks
) -> None:
    sent: dict[str, float | None] = {}
    monkeypatch.setattr("archive.outbox._send", lambda task, _arguments, expires: sent.update({task: expires}))
    with django_capture_on_commit_callbacks(execute=True):
        newsroom.grow()
    assert sent == {"workers.sequence.sequence": None, "workers.cosign.cosign": 1.0}


def test_one_round_runs_at_a_time(newsroom) -> None:
    newsroom.grow()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [witnessing._LOCK])
        assert witnessing.cosign_newest() == 0
        cursor.execute("SELECT pg_advisory_unlock(%s)", [witnessing._LOCK])
    other.close()
    assert witnessing.cosign_newest() == 4


def test_alarms_of_a_witness_that_is_no_longer_named_end(newsroom, settings) -> None:
    newsroom.grow(5)
    witnessing.cosign_newest()
    newsroom.restored_after(seen=1)
    newsroom.witnesses[1].kill()
    with pytest.raises(publication.AheadError):
        ledger_check.check_start()
    first, second = (running.url for running in newsroom.witnesses)
    assert open_alarms() == {(publication.AHEAD, first), (witnessing.AWAY, second)}
    settings.CUSTOS_WITNESSES = ""
    wiring.witnesses.cache_clear()
    assert ledger_check.check_start() == []
    assert open_alarms() == set()
    newsroom.grow()
    assert sequencing.latest_checkpoint().size == 6


def test_an_alarm_ends_when_the_witness_cosigns_again(newsroom) -> None:
    newsroom.grow(5)
    assert witnessing.cosign_newest() == 4
    for running, kind in zip(newsroom.witnesses, (publication.AHEAD, witnessing.AWAY), strict=True):
        Alarm.objects.create(kind=kind, subject=running.url, text="of yesterday")
    assert witnessing.cosign_newest() == 0
    assert open_alarms() == set()


def test_a_silent_witness_at_the_start_is_named_and_raises_an_alarm(newsroom) -> None:
    newsroom.grow()
    witnessing.cosign_newest()
    newsroom.witnesses[1].kill()
    (silent,) = ledger_check.check_start()
    assert newsroom.witnesses[1].url in silent
    assert open_alarms() == {(witnessing.AWAY, newsroom.witnesses[1].url)}


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
    made = command("--help").communicate()[0]
    assert "cosign" in made
    arguments = ("witness", "init", "--folder", str(tmp_path / "w"), "--name", "w.example/x")
    lines = subprocess.check_output([sys.executable, str(ROOT / "manage.py"), *arguments], text=True)
    assert lines.startswith("witness w.example-x w.example/x+")
