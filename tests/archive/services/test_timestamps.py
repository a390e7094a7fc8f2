"""Tokens by OpenSSL's own authority: kept when they hold, in receipts from then on, and refused with a reason."""

from __future__ import annotations

import datetime as dt
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from archive import wiring
from archive.models import Alarm, Checkpoint, Pause, Run, Timestamp
from archive.services import access, bundles, custody, pauses, sequencing, timestamps
from archive.services.keys import introduce_keys, replace_keys
from archive.services.receipts import issue_receipt
from client.api import Server
from client.refresh import refresh
from evidence.log.note import parse_note
from evidence.verify.audit import audit
from evidence.verify.trust import load_trust
from tests.answering import answering
from tests.archive.services.conftest import LINE
from tests.timestamping import Authority, openssl_accepts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Iterator[list[Authority]]:
    folder = tmp_path_factory.mktemp("authorities")
    with Authority(folder, "First Time Authority") as one, Authority(folder, "Second Time Authority") as two:
        yield [one, two]


@pytest.fixture
def authorities(made, settings) -> list[Authority]:
    for each in made:
        each.manner, each.asked, each.refused = "well", 0, 0
    settings.CUSTOS_TSA = [(each.url, str(each.pem)) for each in made]
    settings.CUSTOS_TSA_MINUTES = 0
    return made


def end_pauses() -> int:
    """Let the time pass that authorities are left alone; how many were."""
    return Pause.objects.update(until=timezone.now() - dt.timedelta(hours=1))


@pytest.fixture
def grow(ann):
    case = access.ensure_case(principal=ann, reference="a")

    def events(count: int = 1):
        for n in range(count):
            event = custody.record_event(case=case, type="access", objects=[], detail={"n": n}).event
        sequencing.sequence_pending()
        return event

    return events


def checked(receipt: bytes, folder: Path, pem: bytes, policy: str = "") -> tuple[int, set[str]]:
    (folder / "policy.txt").write_text(policy or wiring.policy())
    (folder / "tsa.pem").write_bytes(pem)
    (folder / "given").mkdir(exist_ok=True)
    (folder / "given" / "a.receipt.json").write_bytes(receipt)
    found = audit([folder / "given"], load_trust(folder / "policy.txt", folder / "tsa.pem"))
    return found.exit_status, {item.code for item in found.said if item.level != "ok"}


def pems(authorities: list[Authority]) -> bytes:
    return b"".join(each.pem.read_bytes() for each in authorities)


def test_a_checkpoint_is_stamped_by_each_authority_and_openssl_agrees(authorities, grow) -> None:
    grow(3)
    assert timestamps.stamp_due() == 2
    rows = {row.authority: row for row in Timestamp.objects.all()}
    assert set(rows) == {"First Time Authority", "Second Time Authority"}
    text = parse_note(Checkpoint.objects.get(size=3).note).text
    for each in authorities:
        row = rows[each.name]
        assert openssl_accepts(text, bytes(row.response), each.pem)
        assert not openssl_accepts(text + "x", bytes(row.response), each.pem)
        assert abs(row.time - timezone.now()) < dt.timedelta(minutes=5)


def test_a_receipt_carries_its_tokens_and_all_of_it_is_checked(authorities, grow, tmp_path) -> None:
    event = grow(3)
    before = issue_receipt(event=event)
    assert checked(before, tmp_path, pems(authorities)) == (3, {"timestamp-absent"})
    timestamps.stamp_due()
    grow(5)
    after = issue_receipt(event=event)
    assert checked(after, tmp_path, pems(authorities)) == (0, set())
    assert {item["authority"] for item in json.loads(after)["timestamps"]} == {each.name for each in authorities}
    assert json.loads(before)["event"] == json.loads(after)["event"]
    stranger = checked(after, tmp_path, authorities[0].pem.read_bytes())
    assert stranger == (1, {"timestamp"})


def test_tokens_hold_by_either_of_two_certificates_of_one_name_in_one_file(grow, settings, tmp_path) -> None:
    with Authority(tmp_path / "old", "Time Authority") as old, Authority(tmp_path / "new", "Time Authority") as new:
        both = tmp_path / "both.pem"
        both.write_bytes(pems([old, new]))
        settings.CUSTOS_TSA = [(each.url, str(both)) for each in (old, new)]
        event = grow(3)
        assert timestamps.stamp_due() == 2
    receipt = issue_receipt(event=event)
    assert checked(receipt, tmp_path, both.read_bytes()) == (0, set())
    for only in (old, new):
        assert checked(receipt, tmp_path, pems([only])) == (1, {"timestamp"})


def test_a_receipt_of_an_earlier_size_leads_to_the_later_token(authorities, grow, tmp_path) -> None:
    event = grow(3)
    authorities[1].manner = "with an error"
    timestamps.stamp_due()
    grow(4)
    authorities[1].manner = "well"
    assert end_pauses() == 1
    timestamps.stamp_due()
    stamps = json.loads(issue_receipt(event=event))["timestamps"]
    assert {item["authority"]: "later" in item for item in stamps} == {
        "First Time Authority": False, "Second Time Authority": True,
    }  # fmt: skip
    for size in (3, 7):
        assert checked(issue_receipt(event=event, size=size), tmp_path, pems(authorities)) == (0, set())


def test_nothing_is_asked_when_nothing_was_added_or_it_is_too_soon(authorities, grow, settings) -> None:
    assert timestamps.stamp_due() == 0
    grow()
    assert timestamps.stamp_due() == 2
    assert timestamps.stamp_due() == 0
    settings.CUSTOS_TSA_MINUTES = 10
    grow()
    assert timestamps.stamp_due() == 0
    settings.CUSTOS_TSA_MINUTES = 0
    assert timestamps.stamp_due() == 2
    assert [each.asked for each in authorities] == [2, 2]


def test_a_clock_that_is_set_back_by_a_day_keeps_no_checkpoint_from_its_tokens(
    authorities, grow, settings, monkeypatch
) -> None:
    settings.CUSTOS_TSA_MINUTES = 60
    grow()
    assert timestamps.stamp_due() == 2
    a_day_ago = timezone.now() - dt.timedelta(days=1)
    monkeypatch.setattr(timestamps.timezone, "now", lambda: a_day_ago)
    grow()
    assert timestamps.stamp_due() == 2
    grow()
    assert timestamps.stamp_due() == 0  # the period begins anew


@pytest.mark.parametrize(
    "manner", ["with an error", "with junk", "with a page", "without end", "with a refusal", "about other data"]
)
def test_an_authority_that_answers_badly_is_refused_and_holds_up_no_other(manner, authorities, grow) -> None:
    grow()
    authorities[0].manner = manner
    assert timestamps.stamp_due() == 1
    assert Timestamp.objects.get().authority == "Second Time Authority"
    assert not Alarm.objects.exists()
    authorities[0].manner = "well"
    assert timestamps.stamp_due() == 0
    assert end_pauses() == 1
    assert timestamps.stamp_due() == 1


def test_an_authority_that_refuses_is_asked_again_after_ever_more_minutes_until_it_answers(
    authorities, grow, monkeypatch
) -> None:
    begun, refused = timezone.now(), []
    authorities[0].manner = "with an error"
    for minute in range(36):
        now = begun + dt.timedelta(minutes=minute)
        monkeypatch.setattr(pauses, "timezone", SimpleNamespace(now=lambda now=now: now))
        grow()
        before = authorities[0].refused
        assert timestamps.stamp_due() == 1  # by the other, which is asked each time, as something was added
        refused += [minute] * (authorities[0].refused - before)
    assert refused == [0, 1, 3, 7, 15, 25, 35]
    authorities[0].manner = "well"
    assert end_pauses() == 1
    grow()
    assert timestamps.stamp_due() == 2
    assert not Pause.objects.exists()


def test_a_token_under_another_certificate_is_refused(authorities, grow, settings) -> None:
    grow()
    settings.CUSTOS_TSA = [(authorities[0].url, str(authorities[1].pem))]
    assert timestamps.stamp_due() == 0
    assert not Timestamp.objects.exists()


def test_an_authority_that_stays_away_raises_an_alarm_after_an_hour(authorities, grow, monkeypatch) -> None:
    grow()
    authorities[0].manner = "with an error"
    timestamps.stamp_due()
    assert not Alarm.objects.exists()
    monkeypatch.setattr(timestamps, "LATE", dt.timedelta(0))
    assert end_pauses() == 1
    timestamps.stamp_due()
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.subject) == ("timestamp", authorities[0].url)
    assert "answered 500" in alarm.text
    authorities[0].manner = "well"
    assert end_pauses() == 1
    timestamps.stamp_due()
    alarm.refresh_from_db()
    assert alarm.ended is not None


def test_the_alarm_of_an_authority_that_is_no_longer_named_ends(authorities, grow, settings) -> None:
    for each in authorities:
        Alarm.objects.create(kind=timestamps.KIND, subject=each.url, text="no token")
    settings.CUSTOS_TSA = settings.CUSTOS_TSA[:1]
    timestamps.stamp_due()  # nothing is there to be stamped
    assert Alarm.objects.get(ended=None).subject == authorities[0].url
    settings.CUSTOS_TSA = []
    timestamps.stamp_due()
    assert not Alarm.objects.filter(ended=None).exists()


def test_tokens_are_append_only(authorities, grow) -> None:
    grow()
    timestamps.stamp_due()
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        Timestamp.objects.update(authority="x")


def test_a_results_bundle_is_all_checked(authorities, hand_in, tmp_path) -> None:
    hand_in(LINE * 2, names=["a.example"])
    timestamps.stamp_due()
    hand_in(LINE * 3, names=["a.example"])
    run = Run.objects.filter(procedure="querier_concentration@1").order_by("created").first()
    (tmp_path / "bundle").mkdir()
    for name, content in _files(run):
        (tmp_path / "bundle" / name).write_bytes(content)
    (tmp_path / "policy.txt").write_text(wiring.policy())
    (tmp_path / "tsa.pem").write_bytes(pems(authorities))
    found = audit([tmp_path / "bundle"], load_trust(tmp_path / "policy.txt", tmp_path / "tsa.pem"))
    assert found.exit_status == 0, [item for item in found.said if item.level != "ok"]
    assert {number.finding for number in found.numbers} == {"lookups", "client-1"}


def _files(run: Run) -> Iterator[tuple[str, bytes]]:
    from archive.services.following import read_blob

    for item in bundles.items(run, raw=True):
        yield item.name, item.content if isinstance(item.content, bytes) else b"".join(read_blob(item.content))


def test_the_published_keys_name_the_authorities(authorities, client) -> None:
    listed = client.get("/.well-known/custos-keys.json").json()["timestamp_authorities"]
    assert [item["url"] for item in listed] == [each.url for each in authorities]
    assert all(item["certificates"].startswith("-----BEGIN CERTIFICATE-----") for item in listed)


def test_a_receipt_from_before_a_rotation_keeps_its_time_beside_the_refreshed_one(authorities, grow, tmp_path) -> None:
    introduce_keys()
    event = grow(3)
    timestamps.stamp_due()
    path, old = tmp_path / "a.receipt.json", issue_receipt(event=event)
    path.write_bytes(old)
    old_policy = wiring.policy()
    replace_keys(purpose="log", event_type="key rotation", reason="planned")
    new = issue_receipt(event=event)
    with answering(200, "application/json", new) as url, Server(url, "token") as server:
        said = refresh(server, path)
    beside = tmp_path / f"a.size-{Checkpoint.objects.latest('size').size}.receipt.json"
    assert said == {"receipt": str(beside), "signatures": 2, "timestamps": 0, "kept": str(path)}
    assert (path.read_bytes(), beside.read_bytes()) == (old, new)
    assert checked(old, tmp_path, pems(authorities), old_policy) == (0, set())
    assert checked(new, tmp_path, pems(authorities)) == (3, {"timestamp-absent"})
    timestamps.stamp_due()
    later = issue_receipt(event=event)
    with answering(200, "application/json", later) as url, Server(url, "token") as server:
        assert refresh(server, path)["timestamps"] == 2
    assert (path.read_bytes(), beside.read_bytes()) == (old, later)
