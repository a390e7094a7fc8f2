"""A check of a large file goes on where it was cut off, and finds whatever a check at one go would find."""

from __future__ import annotations

import base64
import datetime as dt
import json
import time
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from archive import wiring
from archive.models import Alarm, CustodyEvent, Fixity, Segments
from archive.services import fixity, segments
from evidence.digest import Digest
from evidence.log.hashing import leaf_hash, tree_root
from tests.deaccessing import deaccess
from tests.tampering import tamper

if TYPE_CHECKING:
    from pathlib import Path

    from archive.models import Blob

pytestmark = pytest.mark.django_db
SIZE = 1000
DATA = bytes(range(256)) * 18 + b"the end"  # five segments, the last of 615 bytes
COUNT = 5


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    monkeypatch.setattr(segments, "SIZE", SIZE)


@pytest.fixture
def two_stores(settings, tmp_path: Path) -> list[Path]:
    settings.CUSTOS_STORE = f"file:{tmp_path / 'one'} file:{tmp_path / 'two'}"
    wiring.store.cache_clear()
    return [tmp_path / "one", tmp_path / "two"]


@pytest.fixture
def blob(two_stores, hand_in) -> Blob:
    """In two stores, and its segments are known."""
    found = hand_in(DATA).blob
    assert fixity.go_on(found, fixity.Pace(0)).state == "whole"
    return found


def places(blob: Blob, stores: list[Path]) -> list[Path]:
    return [folder / item[2:] for folder, item in zip(stores, blob.place.split(" "), strict=True)]


def change(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def last_check() -> dict:
    return json.loads(CustodyEvent.objects.filter(type="fixity check").order_by("time", "id").last().text)


def cut_off_after(count: int):
    """A pace of a process that is killed once it has read so many segments of both copies."""
    read: list[int] = []

    def pace(size: int) -> None:
        read.append(size)
        if sum(read) > 2 * count * SIZE:
            raise KeyboardInterrupt

    return pace


def test_the_first_check_hashes_the_segments_and_their_root_is_in_the_ledger(blob) -> None:
    row = Segments.objects.get(blob=blob)
    parts = [DATA[at : at + SIZE] for at in range(0, len(DATA), SIZE)]
    assert bytes(row.digests) == b"".join(Digest.of(part).raw for part in parts)
    root = base64.b64encode(tree_root([leaf_hash(Digest.of(part).raw) for part in parts])).decode()
    assert json.loads(row.event.text)["detail"]["segments"] == {"size": SIZE, "count": COUNT, "root": root}
    assert fixity.check_blob(blob, fixity.Pace(0)).state == "whole"
    assert "segments" not in last_check()["detail"]


def test_a_file_of_one_segment_has_none(hand_in) -> None:
    fixity.go_on(hand_in(DATA[:SIZE]).blob, fixity.Pace(0))
    assert not Segments.objects.exists()


def test_a_check_that_was_cut_off_goes_on_where_it_was(blob) -> None:
    with pytest.raises(KeyboardInterrupt):
        fixity.go_on(blob, cut_off_after(3))
    going = Fixity.objects.get(blob=blob)
    assert (going.seen, going.begun is not None, going.whole < going.begun) == (3, True, True)
    read: list[int] = []
    done = fixity.go_on(blob, read.append)
    assert sum(read) == 2 * (len(DATA) - 3 * SIZE)
    assert (done.state, done.whole, done.begun, done.seen) == ("whole", going.begun, None, 0)
    detail = last_check()["detail"]
    assert (detail["copies"], detail["since"]) == (
        ["whole", "whole"],
        going.begun.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )
    read.clear()
    fixity.go_on(blob, read.append)
    assert sum(read) == 2 * len(DATA)


def test_a_round_ends_in_the_midst_of_a_large_file(blob) -> None:
    assert fixity.go_on(blob, fixity.Pace(0), time.monotonic()) is None
    Fixity.objects.update(seen=2, begun=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert fixity.check_round(seconds=0, older_than=dt.timedelta(0), limit=0) == 0
    assert Fixity.objects.get(blob=blob).seen == 2
    assert fixity.go_on(blob, fixity.Pace(0)).whole == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize("at", [0, 2500, len(DATA) - 1])
def test_a_flipped_bit_in_one_copy_is_found_and_mended(blob, two_stores, at: int) -> None:
    path = places(blob, two_stores)[1]
    change(path, DATA[:at] + bytes([DATA[at] ^ 1]) + DATA[at + 1 :])
    assert fixity.go_on(blob, fixity.Pace(0)).state == "whole"
    assert path.read_bytes() == DATA
    assert last_check()["detail"]["mended"] is True


@pytest.mark.parametrize("data", [DATA + b"x", DATA[:-1], b"", DATA[SIZE:] + DATA[:SIZE]])
def test_a_file_that_grew_shrank_or_was_put_together_anew_is_damaged(file_store, hand_in, data: bytes) -> None:
    blob = hand_in(DATA).blob
    fixity.go_on(blob, fixity.Pace(0))
    change(file_store / blob.place, data)
    for _ in range(2):
        assert fixity.go_on(blob, fixity.Pace(0)).state == "damaged"
    assert Alarm.objects.get(ended=None).kind == "damage"
    change(file_store / blob.place, DATA)
    assert fixity.go_on(blob, fixity.Pace(0)).state == "whole"
    assert not Alarm.objects.filter(ended=None).exists()


def test_a_copy_that_is_gone_is_made_again(blob, two_stores) -> None:
    path = places(blob, two_stores)[0]
    path.unlink()
    assert fixity.go_on(blob, fixity.Pace(0)).state == "whole"
    assert path.read_bytes() == DATA


def test_segments_that_somebody_changed_beside_the_bytes_are_damage(blob, two_stores) -> None:
    other = bytes(len(DATA))
    for path in places(blob, two_stores):
        change(path, other)
    digests = b"".join(Digest.of(other[at : at + SIZE]).raw for at in range(0, len(other), SIZE))
    tamper("UPDATE archive_segments SET digests = %s", digests)
    assert fixity.go_on(blob, fixity.Pace(0)).state == "damaged"
    assert "are not those of the event" in Alarm.objects.get(ended=None).text


def test_segments_whose_event_cannot_be_read_are_damage_and_end_no_round(blob) -> None:
    tamper("UPDATE archive_custodyevent SET text = 'x' WHERE type = 'fixity check'")
    assert fixity.go_on(blob, fixity.Pace(0)).state == "damaged"
    assert "are not those of the event" in Alarm.objects.get(ended=None).text


def test_by_hand_it_goes_on_too_and_says_how_far_it_is(blob, capsys) -> None:
    with pytest.raises(KeyboardInterrupt):
        fixity.go_on(blob, cut_off_after(3))
    begun = Fixity.objects.get(blob=blob).begun
    call_command("fixity")
    assert "whole" in capsys.readouterr().out
    assert Fixity.objects.get(blob=blob).whole == begun


def test_no_segments_are_made_of_bytes_that_changed_since_they_were_looked_at(file_store, hand_in) -> None:
    blob = hand_in(DATA).blob
    change(file_store / blob.place, DATA[:-1] + b"x")
    assert segments.hash_new(blob, fixity.Pace(0)) is None


def test_what_the_law_takes_away_is_said_to_be_so_while_its_bytes_still_lie_there(file_store, hand_in) -> None:
    row = hand_in(DATA)
    assert fixity.go_on(row.blob, fixity.Pace(0)).state == "whole"
    deaccess(row)
    assert (file_store / row.blob.place).exists()
    assert fixity.go_on(row.blob, fixity.Pace(0)).state == fixity.DEACCESSIONED
