"""Keeping: fixity, mending, what cases ask for, hand-overs, deaccession, reading, manifests."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import time
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from archive import wiring
from archive.management.commands import fixity as by_hand
from archive.models import AccessWindow, Alarm, Blob, CustodyEvent, Fixity, Run
from archive.services import (
    access,
    bundles,
    chain,
    custody,
    deaccessions,
    fixity,
    following,
    handovers,
    keeping,
    protecting,
    reading,
    worm_check,
)
from archive.services.refusals import BadInput, NotAllowed, NotVisible, TakenAway
from archive.services.sequencing import sequence_pending
from archive.storage.store import UNREACHABLE, Copy
from evidence.digest import Digest
from evidence.opening import EventObject
from evidence.verify.audit import audit
from evidence.verify.trust import load_trust
from tests.archive.services.conftest import LINE
from tests.deaccessing import deaccess

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_stores(settings, tmp_path):
    settings.CUSTOS_STORE = f"file:{tmp_path / 'one'} file:{tmp_path / 'two'}"
    wiring.store.cache_clear()
    return tmp_path


def events(kind: str) -> list[dict]:
    return [json.loads(event.text) for event in CustodyEvent.objects.filter(type=kind).order_by("time", "id")]


def damage(path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"abd")


def test_a_whole_blob_is_seen_whole_and_told(hand_in) -> None:
    row = hand_in(b"abc")
    seen = fixity.check_blob(row.blob, fixity.Pace(0))
    assert (seen.state, seen.whole is not None) == ("whole", True)
    (event,) = events("fixity check")
    assert (event["outcome"], set(event["detail"]["copies"])) == ("success", {"whole"})
    assert not Alarm.objects.exists()


def test_damage_without_another_copy_is_an_alarm_that_stays(file_store, hand_in) -> None:
    row = hand_in(b"abc")
    damage(file_store / row.blob.place)
    for _ in range(2):
        assert fixity.check_blob(row.blob, fixity.Pace(0)).state == "damaged"
    alarm = Alarm.objects.get(ended=None)
    assert (alarm.kind, alarm.subject) == ("damage", row.blob_id)
    assert "restore" in alarm.text
    assert events("fixity check")[0]["outcome"] == "failure"


def test_damage_is_mended_from_the_other_store_and_told(hand_in, two_stores) -> None:
    row = hand_in(b"abc")
    assert len(events("replication")) == 1
    damage(two_stores / "one" / row.blob.place.split(" ")[0][2:])
    assert fixity.check_blob(row.blob, fixity.Pace(0)).state == "whole"
    (event,) = events("fixity check")
    assert (event["outcome"], event["detail"]["mended"]) == ("warning", True)
    assert not Alarm.objects.filter(ended=None).exists()
    assert len(events("replication")) == 2


def test_a_store_that_was_away_and_answers_again_ends_its_alarm_and_mends_nothing(
    hand_in, two_stores, monkeypatch
) -> None:
    row, two = hand_in(b"abc"), wiring.store().stores[1]
    with monkeypatch.context() as patched:
        patched.setattr(two, "examine", lambda place, on_piece: [Copy(two.name, UNREACHABLE, "away")])
        assert fixity.check_blob(row.blob, fixity.Pace(0)).state == "unreachable"
    alarm = Alarm.objects.get(ended=None)
    assert (alarm.kind, alarm.subject) == ("store away", two.name)
    assert fixity.check_blob(row.blob, fixity.Pace(0)).state == "whole"
    assert not Alarm.objects.filter(ended=None).exists()
    checks = [(event["outcome"], event["detail"]["mended"]) for event in events("fixity check")]
    assert checks == [("warning", False), ("success", False)]
    assert len(events("replication")) == 1  # as it was put


def test_one_copy_is_mended_while_another_store_is_away(hand_in, settings, tmp_path, monkeypatch) -> None:
    settings.CUSTOS_STORE = f"file:{tmp_path / 'one'} file:{tmp_path / 'two'} file:{tmp_path / 'three'}"
    wiring.store.cache_clear()
    row, away = hand_in(b"abc"), wiring.store().stores[2]
    path = tmp_path / "one" / row.blob.place.split(" ")[0][2:]
    damage(path)
    monkeypatch.setattr(away, "examine", lambda place, on_piece: [Copy(away.name, UNREACHABLE, "away")])
    assert fixity.check_blob(row.blob, fixity.Pace(0)).state == "unreachable"
    assert path.read_bytes() == b"abc"
    assert [(alarm.kind, alarm.subject) for alarm in Alarm.objects.filter(ended=None)] == [("store away", away.name)]
    (event,) = events("fixity check")
    assert (event["outcome"], event["detail"]["mended"]) == ("warning", True)
    assert events("replication")[-1]["detail"] == {"copies": 2}


def test_fixity_by_hand_waits_for_the_round_that_is_going_on(hand_in, monkeypatch, capsys) -> None:
    row = hand_in(b"abc")
    another = connection.copy()
    try:
        with another.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [fixity._LOCK])

            def over(_: float) -> None:
                assert not Fixity.objects.exists()
                cursor.execute("SELECT pg_advisory_unlock(%s)", [fixity._LOCK])

            monkeypatch.setattr(by_hand, "time", SimpleNamespace(sleep=over, monotonic=time.monotonic))
            call_command("fixity")
    finally:
        another.close()
    assert "another round is going on" in capsys.readouterr().err
    assert Fixity.objects.get(blob=row.blob).state == "whole"


def test_the_one_longest_unseen_comes_first(hand_in) -> None:
    first, second = hand_in(b"abc"), hand_in(b"def")
    fixity.check_blob(first.blob, fixity.Pace(0))
    due = list(fixity.due_blobs(timezone.now()).values_list("digest", flat=True))
    assert due.index(second.blob_id) < due.index(first.blob_id)
    assert fixity.check_round(seconds=60, older_than=dt.timedelta(0), limit=0) == 2
    assert fixity.check_round(seconds=60, older_than=dt.timedelta(days=1), limit=0) == 0


def test_a_round_that_was_cut_off_goes_on_where_it_was(hand_in, monkeypatch) -> None:
    digests = sorted(hand_in(data).blob_id for data in (b"abc", b"def", b"ghi"))
    honest, looked_at = fixity.check_blob, []

    def killed_at_the_second(blob, pace):
        looked_at.append(blob.digest)
        if len(looked_at) == 2:
            raise KeyboardInterrupt
        return honest(blob, pace)

    monkeypatch.setattr(fixity, "check_blob", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        fixity.check_round(seconds=60, older_than=dt.timedelta(0), limit=0)
    assert (
        fixity.check_round(seconds=60, older_than=dt.timedelta(0), limit=0) == 3
    )  # the first is due again, as the last
    assert looked_at == [*digests[:2], *digests[1:], digests[0]]
    assert fixity.check_round(seconds=0, older_than=dt.timedelta(0), limit=0) == 0


def test_no_more_bytes_a_second_than_are_allowed(monkeypatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(fixity, "time", SimpleNamespace(monotonic=lambda: 10.0, sleep=slept.append))
    pace = fixity.Pace(100)
    for count in (50, 0, 100):
        pace(count)
    fixity.Pace(0)(1 << 40)
    assert slept == [0.5, 0.5, 1.5]


def test_a_round_leaves_to_another_what_it_is_at(hand_in) -> None:
    hand_in(b"abc")
    another = connection.copy()
    try:
        with another.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [fixity._LOCK])
            assert fixity.check_round(seconds=60, older_than=dt.timedelta(0), limit=0) == 0
            cursor.execute("SELECT pg_advisory_unlock(%s)", [fixity._LOCK])
    finally:
        another.close()
    assert fixity.check_round(seconds=60, older_than=dt.timedelta(0), limit=0) == 1


def test_a_case_asks_for_more_and_never_for_less(hand_in, ann, two_stores) -> None:
    case = hand_in(b"abc").case
    day = dt.date(2060, 1, 1)
    case = keeping.change_keeping(principal=ann, case=case, copies=2, retain_until=day, hold=True)
    protecting.apply_keeping(str(case.pk))
    case.refresh_from_db()
    assert case.kept
    for less in ({"copies": 1, "retain_until": day}, {"copies": 2, "retain_until": None},
                 {"copies": 2, "retain_until": dt.date(2059, 1, 1)}, {"copies": 99, "retain_until": day}):  # fmt: skip
        with pytest.raises(BadInput):
            keeping.change_keeping(principal=ann, case=case, hold=False, **less)
    assert events("retention change")[0]["detail"] == {"copies": 2, "retain_until": "2060-01-01", "hold": True}


def test_one_case_does_not_lift_the_hold_of_another(hand_in, ann, home, monkeypatch) -> None:
    row = hand_in(b"abc")
    bob = access.principal_of(access.ensure_user(user_name="bob"))
    other = hand_in(b"abc", who=bob, case="case-b").case
    keeping.change_keeping(principal=ann, case=row.case, copies=1, retain_until=None, hold=True)
    asked: dict[str, bool] = {}
    monkeypatch.setattr(type(wiring.store()), "protect", lambda self, place, wanted: asked.update({place: wanted.hold}))
    protecting.apply_keeping(str(other.pk))
    assert asked[row.blob.place] is True


def test_a_file_that_lies_in_too_few_stores_is_copied_when_a_case_asks(
    file_store, hand_in, ann, settings, tmp_path
) -> None:
    row = hand_in(b"abc")
    settings.CUSTOS_STORE = f"{settings.CUSTOS_STORE} file:{tmp_path / 'two'}"
    wiring.store.cache_clear()
    keeping.change_keeping(principal=ann, case=row.case, copies=2, retain_until=None, hold=False)
    protecting.apply_keeping(str(row.case.pk))
    blob = Blob.objects.get(pk=row.blob_id)
    assert [copy.state for copy in wiring.store().examine(blob.place, lambda _: None)] == ["whole", "whole"]


def test_a_handover_is_offered_and_acknowledged(hand_in, ann) -> None:
    row = hand_in(b"abc")
    bob, eve = (access.principal_of(access.ensure_user(user_name=name)) for name in ("bob", "eve"))
    with pytest.raises(BadInput, match="not another member"):
        handovers.offer_handover(principal=ann, case=row.case, blob=row.blob, receiver="bob")
    access.add_member(principal=ann, case=row.case, user_name="bob")
    offered = handovers.offer_handover(principal=ann, case=row.case, blob=row.blob, receiver="bob", note="in person")
    for who in (ann, eve):
        with pytest.raises(NotVisible):
            handovers.acknowledge_handover(principal=who, handover_id=offered.pk)
    for _ in range(2):
        handovers.acknowledge_handover(principal=bob, handover_id=offered.pk)
    said = events("transfer")
    assert [event["detail"]["stage"] for event in said] == ["offered", "acknowledged"]
    assert "in person" not in json.dumps(said)


def test_deaccession_takes_two_persons_and_is_said_before_and_after(file_store, hand_in, ann) -> None:
    row = hand_in(b"abc")
    with pytest.raises(NotAllowed):
        deaccessions.ask_deaccession(principal=ann, case=row.case, blob=row.blob, reason="order 1")
    ann.user.is_staff = True
    ann.user.save()
    with pytest.raises(BadInput, match="reason"):
        deaccessions.ask_deaccession(principal=ann, case=row.case, blob=row.blob, reason=" ")
    asked = deaccessions.ask_deaccession(principal=ann, case=row.case, blob=row.blob, reason="order 1")
    with pytest.raises(NotAllowed, match="somebody else"):
        deaccessions.approve_deaccession(principal=ann, deaccession=asked)
    eve = access.principal_of(access.ensure_user(user_name="eve", auditor=True))
    deaccessions.approve_deaccession(principal=eve, deaccession=asked)
    assert events("deaccession")[0]["detail"]["reason"] == "order 1"
    (file_store / row.blob.place).unlink()
    assert fixity.check_blob(row.blob, fixity.Pace(0)).state == "deaccessioned"
    assert not Alarm.objects.exists()


@pytest.fixture
def deaccessioned(file_store):
    """A file that lay in these cases, deaccessioned by two persons and taken from the store by the operator."""

    def make(*rows):
        blob = deaccess(rows[0]).blob
        sequence_pending()
        (file_store / blob.place).unlink()
        return blob

    return make


def test_every_case_of_the_bytes_is_told_of_their_deaccession(hand_in, ann, deaccessioned) -> None:
    bob = access.principal_of(access.ensure_user(user_name="bob"))
    blob = deaccessioned(hand_in(b"abc"), hand_in(b"abc", who=bob, case="case-b"))
    assert len(events("deaccession")) == 2
    for who in (ann, bob):
        with pytest.raises(TakenAway, match="taken away by law on 20"):
            reading.note_access(principal=who, blob=blob)
    assert events("access") == []


def test_a_bundle_of_a_deaccessioned_file_lets_the_verifier_say_so(hand_in, deaccessioned, tmp_path) -> None:
    row = hand_in(LINE, names=["a.example"])
    run = Run.objects.get(procedure="querier_concentration@1")
    assert [blob.digest for blob in bundles.sources(run)] == [row.blob_id]
    deaccessioned(row)
    assert list(bundles.sources(run)) == []
    folder = tmp_path / "bundle"
    folder.mkdir()
    for item in bundles.items(run, raw=True):
        data = item.content if isinstance(item.content, bytes) else b"".join(following.read_blob(item.content))
        (folder / item.name).write_bytes(data)
    (tmp_path / "policy.txt").write_text(wiring.policy())
    findings = audit([folder], load_trust(tmp_path / "policy.txt", None))
    assert findings.exit_status == 3
    assert any(said.code == "file-deaccessioned" and "order 1" in said.message for said in findings.said)


def test_reading_often_in_a_minute_is_one_event(hand_in, ann, monkeypatch) -> None:
    row, now = hand_in(b"abc"), timezone.now()
    monkeypatch.setattr(reading, "timezone", SimpleNamespace(now=lambda: now))
    for _ in range(1000):
        reading.note_access(principal=ann, blob=row.blob)
    assert len(events("access")) == AccessWindow.objects.count() == 1
    now += dt.timedelta(minutes=1)
    reading.note_access(principal=ann, blob=row.blob)
    assert len(events("access")) == 2


def test_what_was_stated_of_earlier_holders_is_sealed(hand_in) -> None:
    row = hand_in(b"abc", stated_custody="captured by X at Y")
    assert "captured by X" not in row.event.text
    assert len(row.disclosures) == 3


def test_the_chain_is_proved_and_names_what_does_not_fit(hand_in, ann) -> None:
    row = hand_in(b"abc")
    found = chain.chain_of(ann, row.blob_id)
    assert ({link.state for link in found.links}, found.gaps) == ({"proved"}, [])
    link = next(link for link in found.links if link.event.type == "ingestion")
    link.event.text = link.event.text.replace("ingestion", "Ingestion")
    checkpoint = chain.latest_checkpoint()
    assert checkpoint is not None
    assert chain._link(link.event, checkpoint, chain.Tiles(checkpoint.size)).state == "unknown to the ledger"
    no_origin = [link for link in found.links if link.event.type != "ingestion"]
    assert len(chain._gaps(ann, row.blob_id, no_origin)) == 2


def test_an_event_whose_leaf_was_taken_away_is_a_gap_in_the_chain(hand_in, ann) -> None:
    row = hand_in(b"abc")
    later = custody.record_event(
        case=row.case, type="access", objects=[EventObject(Digest.parse(row.blob_id), 3, "source")], detail={}
    ).event
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE archive_leaf DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM archive_leaf WHERE event_id = %s", [row.event_id])
    states = {link.event.pk: (link.state, link.said) for link in chain.chain_of(ann, row.blob_id).links}
    assert states[row.event_id][0] == "unknown to the ledger"
    assert "a gap" in states[row.event_id][1]
    assert states[later.pk][0] == "pending"


def test_a_manifest_is_checked_with_sha256sum_alone(file_store, hand_in) -> None:
    row = hand_in(b"abc", file_name="secret-name.log")
    manifest = f"submissions/{row.pk}.txt"
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", manifest], cwd=file_store, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith(": OK\n")
    assert "secret-name" not in (file_store / manifest).read_text()


def test_a_store_that_lets_it_happen_raises_the_alarm(db, file_store, monkeypatch) -> None:
    assert all(item.held for item in worm_check.try_stores() if item.binding)
    assert not Alarm.objects.exists()
    monkeypatch.setattr("archive.storage.worm.FileStore._keep", lambda self, source, target, linking: (
        target.parent.mkdir(parents=True, exist_ok=True), target.write_bytes(source.read_bytes())))  # fmt: skip
    worm_check.try_stores()
    assert "overwrite" in Alarm.objects.get(ended=None).text


def test_nothing_is_derived_from_damaged_bytes(file_store, hand_in) -> None:
    row = hand_in(b"time,client,name\n2016-05-04T00:00:00Z,192.0.2.1,a.example\n", work=False)
    from archive.services import execution, sealing

    sealing.seal_submission(row.pk)
    damage(file_store / Blob.objects.get().place)
    execution.execute_run(Run.objects.get().pk)
    assert "manage.py fixity" in Run.objects.get().problem
