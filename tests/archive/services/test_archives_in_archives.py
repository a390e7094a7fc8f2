"""A gzipped log in a zip is unpacked, read and followed like any file, and the way back leads to what was handed in."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest

from archive import wiring
from archive.models import CustodyEvent, Run
from archive.services import access, bundles, execution, finding, following, identification, sequencing
from archive.services.following import read_blob
from archive.services.refusals import BadInput, NotAllowed
from evidence.verify.cli import main as verify

RECORDINGS = Path(__file__).parents[2] / "recordings"
LINE = b"04-May-2016 00:00:12.345 client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"
OTHER = LINE.replace(b"192.0.2.17", b"192.0.2.18")


def zipped(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


def bundle(result: Run, folder: Path) -> None:
    folder.mkdir()
    for item in bundles.items(result, raw=True):
        data = item.content if isinstance(item.content, bytes) else b"".join(read_blob(item.content))
        (folder / item.name).write_bytes(data)


def work() -> None:
    while run := Run.objects.filter(state=Run.State.PENDING).first():
        execution.execute_run(run.pk)
    sequencing.sequence_pending()


@pytest.mark.django_db
def test_members_are_read_and_the_submission_knows_their_runs(ann, hand_in) -> None:
    row = hand_in(
        zipped(**{"a.log.gz": gzip.compress(LINE * 3 + OTHER), "b.txt": b"no log\n" * 9}), names=["a.example"]
    )
    assert row.read_as == "extract.zip@1"
    sequencing.sequence_pending()
    ran = [(run.procedure, run.state) for run in finding.runs_of(row)]
    assert ran == [
        ("extract.zip@1", "succeeded"), ("extract.gzip@1", "succeeded"), ("parse.bind@2", "succeeded"),
        ("querier_concentration@1", "succeeded"),
    ]  # fmt: skip
    assert finding.is_done(row)
    said = [
        (json.loads(event.text)["objects"][0]["role"], json.loads(event.text)["detail"]["procedure"])
        for event in CustodyEvent.objects.filter(type="format identification").order_by("time", "id")
    ]
    assert said == [
        ("source", "extract.zip@1"),
        ("member", "extract.gzip@1"),
        ("member", "none"),
        ("member", "parse.bind@2"),
    ]


@pytest.mark.django_db
def test_the_bundle_of_a_member_is_checked_by_a_stranger(ann, hand_in, tmp_path: Path, capsys) -> None:
    row = hand_in(zipped(**{"a.log.gz": gzip.compress(LINE * 3 + OTHER)}), names=["a.example"])
    sequencing.sequence_pending()
    (result,) = [run for run in finding.runs_of(row) if run.answers]
    folder = tmp_path / "bundle"
    bundle(result, folder)
    assert sum(path.name.startswith("extract-") for path in folder.iterdir()) == 4
    assert sum(path.suffix == ".raw" for path in folder.iterdir()) == 3
    policy = tmp_path / "policy.txt"
    policy.write_text(wiring.policy())
    assert verify([str(folder), "--policy", str(policy)]) == 3, capsys.readouterr().out
    said = capsys.readouterr().out
    assert "timestamp-absent" in said
    log = next(path for path in folder.glob("*.raw") if path.read_bytes().startswith(b"04-May"))
    log.write_bytes(log.read_bytes().replace(b"192.0.2.18", b"192.0.2.17"))
    assert verify([str(folder), "--policy", str(policy)]) == 1


@pytest.mark.django_db
def test_a_table_without_a_header_is_read_by_numbers_and_checked_by_a_stranger(
    hand_in, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = b"2016-08-15T12:00:00Z,192.0.2.1,a.example\n" * 3 + b"2016-08-15T12:00:00Z,192.0.2.2,a.example\n"
    row = hand_in(data, names=["a.example"], reading={"columns": {"time": "1", "client": "2", "name": "3"}})
    (result,) = [run for run in finding.runs_of(row) if run.answers]
    assert [item["value"] for item in following.result_of(result)["findings"] if item["name"] == "lookups"] == [4]
    bundle(result, tmp_path / "bundle")
    policy = tmp_path / "policy.txt"
    policy.write_text(wiring.policy())
    assert verify([str(tmp_path / "bundle"), "--policy", str(policy), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {item["code"] for item in found if item["level"] != "ok"} == {"timestamp-absent"}
    raw = next((tmp_path / "bundle").glob("*.raw"))
    raw.write_bytes(raw.read_bytes().replace(b"192.0.2.2", b"192.0.2.1"))
    assert verify([str(tmp_path / "bundle"), "--policy", str(policy)]) == 1


@pytest.mark.django_db
def test_archives_deeper_than_stated_are_kept_closed(hand_in) -> None:
    data = LINE
    for _ in range(5):
        data = gzip.compress(data)
    row = hand_in(data)
    ran = finding.runs_of(row)
    assert [run.procedure for run in ran] == ["extract.gzip@1"] * 4
    outer = {"outermost": len(data)}  # to which all that is unpacked is held
    assert [run.parameters for run in ran] == [{"depth": 1}, *({"depth": depth} | outer for depth in (2, 3, 4))]
    last = CustodyEvent.objects.filter(type="format identification").order_by("time", "id").last()
    assert "inside 4 others: kept closed" in json.loads(last.text)["detail"]["reason"]


@pytest.mark.django_db
def test_an_empty_log_that_was_compressed_is_no_failure(hand_in) -> None:
    row = hand_in(zipped(**{"a.log.gz": gzip.compress(b"", mtime=0), "b.log": LINE}))
    assert [(run.procedure, run.state) for run in finding.runs_of(row)] == [
        ("extract.zip@1", "succeeded"), ("extract.gzip@1", "succeeded"), ("parse.bind@2", "succeeded")
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_person_says_how_to_read_it_and_both_tables_stay(ann, hand_in) -> None:
    row = hand_in(LINE, names=["a.example"])
    identification.state_reading(principal=ann, submission=row, reading={"zone": "+02:00"})
    work()
    reports = [run.parameters for run in finding.runs_of(row) if run.procedure == "parse.bind@2"]
    assert reports == [{}, {"zone": "+02:00"}]
    event = CustodyEvent.objects.filter(type="format identification").order_by("time", "id").last()
    value = json.loads(event.text)
    assert (value["agent"], value["detail"]["stated"]) == (
        {"kind": "person", "id": str(ann.user.pk)}, {"zone": "+02:00"}
    )  # fmt: skip


@pytest.mark.django_db
def test_a_second_reading_is_compared_with_the_first(ann, hand_in, tmp_path: Path, capsys) -> None:
    row = hand_in(LINE * 2 + b"noise\n" + LINE)
    identification.state_reading(principal=ann, submission=row, reading={"zone": "+02:00"})
    work()
    (comparison,) = [run for run in finding.runs_of(row) if run.answers]
    assert (comparison.procedure, comparison.state) == ("reading_comparison@1", "succeeded")
    said = following.result_of(comparison)
    assert [item["value"] for item in said["findings"]] == [0, 0, 3]
    assert said["table"]["rows"] == [["time", 3, 1, "2016-05-04T00:00:12.345Z", "2016-05-03T22:00:12.345Z"]]
    folder, policy = tmp_path / "bundle", tmp_path / "policy.txt"
    folder.mkdir()
    for item in bundles.items(comparison, raw=True):
        data = item.content if isinstance(item.content, bytes) else b"".join(following.read_blob(item.content))
        (folder / item.name).write_bytes(data)
    policy.write_text(wiring.policy())
    status = verify([str(folder), "--policy", str(policy), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert status == 3, [item for item in found["findings"] if item["level"] != "ok"]
    assert {item["code"] for item in found["findings"] if item["level"] != "ok"} == {
        "timestamp-absent", "result-figures", "lines-unread"
    }  # fmt: skip
    assert [item["ranges"] for item in found["numbers"]] == [0, 0, 3]


@pytest.mark.django_db
def test_what_a_table_holds_is_known_from_its_reading(hand_in) -> None:
    seen = {"rrname": "a.example.", "rrtype": "A", "rdata": "192.0.2.1", "time_first": 1462320000, "count": 1}
    lines = json.dumps(seen | {"time_last": 1462320000}).encode() + b"\n"
    theirs = hand_in(lines * 2, names=["a.example"])
    assert [run.procedure for run in finding.runs_of(theirs)] == ["parse.passive_dns@1"]
    ours = hand_in(LINE)
    assert [(run.procedure, run.state) for run in finding.runs_of(ours)] == [
        ("parse.bind@2", "succeeded"), ("querier_concentration@1", "succeeded"), ("sighting_match@1", "succeeded")
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_reading_that_cannot_be_used_and_people_who_may_not_are_refused(ann, hand_in) -> None:
    row = hand_in(LINE)
    for reading in ({"zone": "Mars/Olympus"}, {"year": "2016"}, {"colour": "red"}):
        with pytest.raises(BadInput, match="reading"):
            identification.state_reading(principal=ann, submission=row, reading=reading)
    bob = access.principal_of(access.ensure_user(user_name="bob"))
    with pytest.raises(NotAllowed):
        identification.state_reading(principal=bob, submission=row, reading={"zone": "UTC"})


@pytest.mark.django_db
def test_a_capture_is_counted_by_a_stranger_who_says_that_it_was_not_read(hand_in, tmp_path: Path, capsys) -> None:
    capture = RECORDINGS / "pcap" / "ethernet.pcap"
    row = hand_in(capture.read_bytes(), names=["www.example.com"])
    sequencing.sequence_pending()
    (result,) = [run for run in finding.runs_of(row) if run.answers]
    bundle(result, tmp_path / "bundle")
    policy = tmp_path / "policy.txt"
    policy.write_text(wiring.policy())
    assert verify([str(tmp_path / "bundle"), "--policy", str(policy)]) == 3
    said = capsys.readouterr().out
    assert "records counted in" in said
    assert "its records were counted but not read" in said
