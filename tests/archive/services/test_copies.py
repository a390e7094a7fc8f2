"""A copy that a store missed is made as soon as all stores answer, though the file's turn in fixity is weeks away."""

from __future__ import annotations

import datetime as dt
import json
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from archive import wiring
from archive.models import Alarm, Blob, CustodyEvent, Fixity
from archive.services import copies as copies_of
from archive.services import fixity, worm_check
from archive.storage import s3
from tests.archive.services.conftest import LINE
from tests.deaccessing import deaccess

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.django_db, pytest.mark.enable_socket]
NOBODY = "s3://custos/evidence?endpoint=http://127.0.0.1:9"


@pytest.fixture
def use(settings, tmp_path, monkeypatch):
    """The store `one`, and another beside it: by default the folder `two`."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, os.environ.get(name, "x"))
    monkeypatch.setattr(s3, "_CONFIG", s3._QUICK)

    def stores(other: str = f"file:{tmp_path / 'two'}") -> None:
        settings.CUSTOS_STORE = f"file:{tmp_path / 'one'} {other}"
        wiring.store.cache_clear()

    return stores


def copies() -> set[int]:
    return {blob.place.count(":sha256/") for blob in Blob.objects.all()}


def events(kind: str) -> list[dict]:
    return [json.loads(event.text) for event in CustodyEvent.objects.filter(type=kind).order_by("time", "id")]


def open_alarms() -> set[tuple[str, str]]:
    return set(Alarm.objects.filter(ended=None).values_list("kind", "subject"))


def damage_all(folder: Path, blob: Blob) -> list[Path]:
    """Every copy of it; where these lie."""
    paths = [path for path in folder.rglob("*") if path.name == blob.digest.removeprefix("sha256:")]
    for path in paths:
        path.chmod(0o644)
        path.write_bytes(b"abd")
    return paths


def test_what_a_store_missed_is_made_when_it_answers_and_not_before(use, hand_in) -> None:
    use(NOBODY)
    hand_in(LINE, names=["a.example"])
    Alarm.objects.all().delete()
    assert fixity.check_due() == 0
    assert (copies(), events("fixity check")) == ({1}, [])
    assert open_alarms() == {(worm_check.AWAY, "s3://custos/evidence")}
    assert {row.said for row in Fixity.objects.all()} == {"1 of 2 copies were made; the others follow"}
    use()
    assert fixity.check_due() == Blob.objects.count() > 3
    assert copies() == {2}
    assert {event["detail"]["copies"] for event in events("replication")} == {2}
    assert set(Fixity.objects.values_list("state", "again")) == {("whole", None)}
    assert fixity.check_due() == 0


def test_a_store_that_takes_no_copy_though_it_answers_is_asked_less_and_less(
    use, hand_in, tmp_path, monkeypatch
) -> None:
    (tmp_path / "two").mkdir()
    blocked = tmp_path / "two" / "sha256"
    blocked.touch()  # where its folders should be
    use()
    blob = hand_in(b"abc").blob
    waits = []
    for days in (0, 0.5, 3):
        now = blob.stored + dt.timedelta(days=days)
        monkeypatch.setattr(copies_of, "timezone", SimpleNamespace(now=lambda now=now: now))
        Fixity.objects.update(again=now)
        assert fixity.check_due() == 1
        waits.append(Fixity.objects.get().again - now)
        assert fixity.check_due() == 0
    assert waits == [dt.timedelta(minutes=1), dt.timedelta(days=0.5), dt.timedelta(days=1)]
    assert open_alarms() == {(fixity.DAMAGE, blob.digest)}
    blocked.unlink()
    assert fixity.check_due() == 0
    Fixity.objects.update(again=now)
    assert fixity.check_due() == 1
    assert (copies(), open_alarms()) == ({2}, set())


def test_what_somebody_put_right_is_seen_before_its_turn(use, hand_in, tmp_path) -> None:
    use()
    blob = hand_in(b"abc").blob
    paths = damage_all(tmp_path, blob)
    assert fixity.check_blob(blob, fixity.Pace(0)).state == "damaged"
    assert fixity.check_due() == 0
    paths[0].write_bytes(b"abc")
    assert Fixity.objects.filter(again__gt=timezone.now()).update(again=timezone.now()) == 1
    assert fixity.check_due() == 1
    assert (len(paths), {path.read_bytes() for path in tmp_path.rglob(paths[0].name)}) == (2, {b"abc"})
    assert (open_alarms(), Fixity.objects.get().again) == (set(), None)


def test_what_somebody_put_right_is_seen_while_another_store_is_away(use, hand_in, tmp_path) -> None:
    use(f"file:{tmp_path / 'two'} {NOBODY}")
    blob, missed = hand_in(b"abc").blob, hand_in(b"def").blob
    paths = damage_all(tmp_path, blob)
    assert fixity.check_blob(blob, fixity.Pace(0)).state == "damaged"
    paths[0].write_bytes(b"abc")
    Fixity.objects.update(again=timezone.now())
    assert [fixity.check_due() for _ in range(2)] == [1, 0]
    assert (len(paths), {path.read_bytes() for path in paths}) == (2, {b"abc"})
    assert open_alarms() == {(worm_check.AWAY, "s3://custos/evidence")}
    assert Fixity.objects.get(blob=missed).state == "unchecked"
    Fixity.objects.update(again=timezone.now())
    assert fixity.check_due() == 0  # both want nothing but what the store that is away could take


def test_what_a_reader_met_is_looked_at_before_what_was_not_whole(use, hand_in, monkeypatch) -> None:
    use()
    blobs = [hand_in(data).blob for data in (b"abc", b"abd", b"abe")]
    for blob in blobs:
        Fixity.objects.create(blob=blob, state="damaged", again=timezone.now() - dt.timedelta(hours=1))
    fixity.suspect(blobs[1], "other bytes")
    Fixity.objects.filter(blob=blobs[1]).update(again=None)
    honest, looked_at = fixity.go_on, []
    monkeypatch.setattr(fixity, "go_on", lambda blob, *rest: (looked_at.append(blob), honest(blob, *rest))[1])
    assert fixity.check_due() == 3
    assert looked_at[0] == blobs[1]


def test_whose_turn_it_is_is_not_asked_for_each_file(use, hand_in, monkeypatch) -> None:
    use()
    blobs = [hand_in(data).blob for data in (b"abc", b"abd", b"abe")]
    honest, asked = fixity.due_blobs, []
    monkeypatch.setattr(fixity, "due_blobs", lambda before: (asked.append(before), honest(before))[1])
    assert fixity.check_round(seconds=60, older_than=dt.timedelta(0), limit=0) == len(blobs)
    assert len(asked) == 2  # by the second nothing is due


def test_what_an_earlier_version_saw_or_missed_is_looked_at_soon(use, hand_in, ann, settings, tmp_path) -> None:
    """Not what was whole, and not what lies in one store because there was no other."""
    settings.CUSTOS_STORE = f"file:{tmp_path / 'one'}"
    wiring.store.cache_clear()
    hand_in(b"alone")
    use()
    seen = {state: hand_in(state.encode()).blob for state in ("whole", "damaged", "missing", "unreachable")}
    use(NOBODY)
    missed, missed_and_unchecked, looked_at = (hand_in(data).blob for data in (b"abc", b"abd", b"abe"))
    Fixity.objects.all().delete()
    for state, blob in {**seen, "deaccessioned": looked_at}.items():
        Fixity.objects.create(blob=blob, state=state)
    Fixity.objects.create(blob=missed_and_unchecked)
    with connection.schema_editor() as editor:
        loader = MigrationLoader(connection)
        before = loader.project_state(("archive", "0015_copies_again"))
        loader.get_migration("archive", "0016_look_again").apply(before, editor)
    soon = set(copies_of.to_look_at().values_list("blob__digest", flat=True))
    wanted = {seen[state] for state in ("damaged", "missing", "unreachable")} | {missed, missed_and_unchecked}
    assert soon == {blob.digest for blob in wanted}
    use()
    assert fixity.check_due() == len(wanted)
    assert not copies_of.to_look_at().exists()


def test_while_no_store_answers_nothing_is_looked_at_and_its_turn_is_not_over(use, hand_in, settings) -> None:
    use()
    for data in (b"abc", b"abd", b"abe"):
        hand_in(data)
    older = Blob.objects.count() * [timezone.now() - dt.timedelta(days=60)]
    Fixity.objects.bulk_create(
        Fixity(blob=blob, state="whole", checked=then, whole=then)
        for blob, then in zip(Blob.objects.all(), older, strict=True)
    )
    settings.CUSTOS_STORE = f"{NOBODY} {NOBODY.replace('evidence', 'other')}"
    wiring.store.cache_clear()
    assert [fixity.check_due() for _ in range(3)] == [1, 0, 0]  # by the first it is found out
    assert [event["outcome"] for event in events("fixity check")] == ["failure"]
    use()
    Fixity.objects.update(again=timezone.now())
    assert fixity.check_due() == Blob.objects.count()
    assert set(Fixity.objects.values_list("state", flat=True)) == {"whole"}


def test_a_time_of_tomorrow_is_not_waited_for(use, hand_in) -> None:
    use(NOBODY)
    hand_in(b"abc")
    use()
    Fixity.objects.update(again=timezone.now() + dt.timedelta(days=2))
    assert fixity.check_due() == 1


def test_a_check_while_the_store_is_away_calls_nothing_damaged(use, hand_in) -> None:
    use(NOBODY)
    blob = hand_in(b"abc").blob
    seen = fixity.check_blob(blob, fixity.Pace(0))
    assert (seen.state, "never given" in seen.said) == ("unreachable", True)
    assert open_alarms() == {(worm_check.AWAY, "s3://custos/evidence")}
    assert seen.again > timezone.now()


def test_no_copy_is_made_of_what_the_law_had_taken_away(use, hand_in) -> None:
    use(NOBODY)
    row = hand_in(b"abc")
    deaccess(row)
    use()
    assert fixity.check_due() == 1
    assert (copies(), Fixity.objects.get().again) == ({1}, None)
