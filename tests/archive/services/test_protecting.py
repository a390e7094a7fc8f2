"""What a case asks of the stores reaches every one of its blobs, whoever put them, and whatever becomes of one."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.db import connection

from archive import wiring
from archive.models import Alarm, Blob, Case, CustodyEvent, RunOutput
from archive.services import access, keeping, protecting
from archive.storage import worm
from archive.storage.store import StoreError
from archive.storage.worm import FileStore
from tests.archive.services.conftest import LINE
from tests.deaccessing import deaccess

pytestmark = pytest.mark.django_db
DAY = dt.date(2060, 1, 1)


@pytest.fixture
def told(monkeypatch) -> dict[str, tuple[int, bool]]:
    """What the store was told last of each place: locked until the end of which year, under a hold or not."""
    places: dict[str, tuple[int, bool]] = {}
    monkeypatch.setattr(
        FileStore, "protect", lambda self, place, wanted: places.update({place: (wanted.until.year, wanted.hold)})
    )
    return places


@pytest.fixture
def immutable(settings, tmp_path):
    """Two stores whose files the store itself has to let go of."""
    settings.CUSTOS_STORE = f"file:{tmp_path / 'one'}?immutable=1"
    wiring.store.cache_clear()
    yield tmp_path
    for path in tmp_path.rglob("*"):
        if path.is_file():
            worm._set_immutable(path, on=False)


def take_away(path) -> None:
    worm._set_immutable(path, on=False)
    path.unlink()


def ask(ann, case: Case) -> Case:
    return keeping.change_keeping(principal=ann, case=case, copies=1, retain_until=DAY, hold=True)


def replications() -> list[dict]:
    found = CustodyEvent.objects.filter(type="replication").order_by("time", "id")
    return [json.loads(event.text) for event in found]


def test_what_is_asked_while_bytes_are_being_put_reaches_them(hand_in, ann, file_store, told, monkeypatch) -> None:
    case = access.ensure_case(principal=ann, reference="case-a")
    put = FileStore.put

    def slow(self, source, digest, wanted):
        if not wanted.hold and not Blob.objects.exists():
            ask(ann, case)
            protecting.apply_keeping(str(case.pk))
        return put(self, source, digest, wanted)

    monkeypatch.setattr(FileStore, "put", slow)
    row = hand_in(b"abc")
    case.refresh_from_db()
    assert (case.kept, told) == (False, {})
    protecting.apply_keeping(str(case.pk))
    case.refresh_from_db()
    assert (case.kept, told[row.blob.place]) == (True, (2060, True))


def test_bytes_that_another_case_had_are_kept_as_this_one_asks(hand_in, ann, file_store, told) -> None:
    hand_in(LINE)
    derived = set(RunOutput.objects.values_list("blob__locator", flat=True))
    case = access.ensure_case(principal=ann, reference="case-b")
    ask(ann, case)
    protecting.apply_keeping(str(case.pk))
    row = hand_in(LINE, case="case-b")
    case.refresh_from_db()
    assert not case.kept
    protecting.apply_keeping(str(case.pk))
    case.refresh_from_db()
    assert case.kept
    assert derived
    assert {told.get(place) for place in {*derived, row.blob.place}} == {(2060, True)}


def test_bytes_that_the_case_had_already_change_nothing(hand_in, ann, file_store) -> None:
    row = hand_in(LINE)
    hand_in(LINE)
    assert Case.objects.get(pk=row.case_id).kept


def test_bytes_that_are_recorded_meanwhile_are_not_left_out(hand_in, ann, file_store, told, monkeypatch) -> None:
    case = hand_in(b"abc").case
    ask(ann, case)
    honest = protecting._apply

    def meanwhile(blob: Blob) -> None:
        honest(blob)
        if Blob.objects.count() == 1:
            hand_in(b"def")

    monkeypatch.setattr(protecting, "_apply", meanwhile)
    protecting.apply_keeping(str(case.pk))
    case.refresh_from_db()
    assert not case.kept
    protecting.apply_keeping(str(case.pk))
    case.refresh_from_db()
    assert (case.kept, len(told)) == (True, 2)


def test_a_blob_that_cannot_be_mended_holds_up_no_other(hand_in, ann, immutable, monkeypatch) -> None:
    rows = sorted((hand_in(data) for data in (b"abc", b"def", b"ghi")), key=lambda row: row.blob_id)
    gone = immutable / "one" / rows[0].blob.place
    data = gone.read_bytes()
    take_away(gone)
    honest, asked = FileStore.protect, []
    monkeypatch.setattr(
        FileStore, "protect", lambda self, place, wanted: (asked.append(place), honest(self, place, wanted))[1]
    )
    case = ask(ann, rows[0].case)
    with pytest.raises(StoreError, match="1 of the files"):
        protecting.apply_keeping(str(case.pk))
    case.refresh_from_db()
    assert {row.blob.place for row in rows} <= set(asked)
    assert not case.kept
    alarm = Alarm.objects.get(ended=None)
    assert (alarm.kind, alarm.subject, rows[0].blob_id in alarm.text) == ("keeping", str(case.pk), True)
    gone.write_bytes(data)
    protecting.apply_keeping(str(case.pk))
    case.refresh_from_db()
    assert case.kept
    assert not Alarm.objects.filter(ended=None).exists()


def test_a_store_that_is_away_is_not_asked_for_every_blob(hand_in, ann, file_store, monkeypatch) -> None:
    case = hand_in(LINE).case
    asked = []

    def away(*_: object) -> None:
        asked.append(1)
        raise StoreError("the store is away")

    for act in ("protect", "probe", "mend"):
        monkeypatch.setattr(FileStore, act, away)
    ask(ann, case)
    with pytest.raises(StoreError, match="away"):
        protecting.apply_keeping(str(case.pk))
    assert "; " not in Alarm.objects.get(kind=protecting.KIND).text  # the first blob was enough
    blobs = len(list(keeping.blobs_of(case)))
    assert 0 < len(asked) <= 3 < blobs


def test_while_one_store_of_two_is_away_the_other_is_told_of_every_blob(
    hand_in, ann, settings, tmp_path, monkeypatch
) -> None:
    settings.CUSTOS_STORE = f"file:{tmp_path / 'one'} file:{tmp_path / 'two'}"
    wiring.store.cache_clear()
    case = hand_in(LINE).case
    present, absent = wiring.stores()
    told = []

    def away(*_: object) -> None:
        raise StoreError("the store is away")

    for act in ("protect", "probe"):
        monkeypatch.setattr(absent, act, away)
    monkeypatch.setattr(present, "protect", lambda place, _: told.append(place))
    ask(ann, case)
    with pytest.raises(StoreError, match="away"):
        protecting.apply_keeping(str(case.pk))
    assert len(told) == len(list(keeping.blobs_of(case))) > 1


def test_what_the_law_had_taken_away_stays_away(hand_in, ann, settings, tmp_path, immutable) -> None:
    settings.CUSTOS_STORE = f"file:{tmp_path / 'one'}?immutable=1 file:{tmp_path / 'two'}?immutable=1"
    wiring.store.cache_clear()
    row = hand_in(b"abc")
    deaccess(row)
    path = tmp_path / "one" / row.blob.place.split(" ")[0][2:]
    take_away(path)
    case = ask(ann, row.case)
    protecting.apply_keeping(str(case.pk))
    case.refresh_from_db()
    assert (case.kept, path.exists()) == (True, False)


def test_copies_that_a_case_asks_for_are_told(hand_in, ann, file_store, settings, tmp_path) -> None:
    row = hand_in(b"abc")
    settings.CUSTOS_STORE = f"{settings.CUSTOS_STORE} file:{tmp_path / 'two'}"
    wiring.store.cache_clear()
    case = keeping.change_keeping(principal=ann, case=row.case, copies=2, retain_until=None, hold=False)
    for _ in range(2):
        protecting.apply_keeping(str(case.pk))
    (told,) = replications()
    assert ([item["digest"] for item in told["objects"]], told["detail"]) == ([row.blob_id], {"copies": 2})


def test_copies_of_what_was_derived_are_told(hand_in, settings, tmp_path) -> None:
    settings.CUSTOS_STORE = f"file:{tmp_path / 'one'} file:{tmp_path / 'two'}"
    wiring.store.cache_clear()
    hand_in(LINE)
    told = {item["digest"] for event in replications() for item in event["objects"]}
    assert len(told) > 1
    assert told == set(Blob.objects.values_list("digest", flat=True))
    assert {event["detail"]["copies"] for event in replications()} == {2}


def test_a_case_is_told_to_the_stores_by_one_process_at_a_time(hand_in, ann, file_store) -> None:
    case = ask(ann, hand_in(b"abc").case)
    another = connection.copy()
    try:
        with another.cursor() as cursor:
            key = [int.from_bytes(case.pk.bytes[:8], signed=True)]
            cursor.execute("SELECT pg_advisory_lock(%s)", key)
            protecting.apply_keeping(str(case.pk))
            case.refresh_from_db()
            assert not case.kept
            cursor.execute("SELECT pg_advisory_unlock(%s)", key)
    finally:
        another.close()
    protecting.apply_keeping(str(case.pk))
    case.refresh_from_db()
    assert case.kept
