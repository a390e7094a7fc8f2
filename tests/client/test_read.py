"""`custos read`: the archive's own reading without an archive, and without what a server needs."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

from client import read
from client.command import main
from evidence.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path

LINE = b"04-May-2016 00:00:12.345 client 192.0.2.17#53124 (a.example): query: A.example IN A + (198.51.100.53)\n"
DATA = b"# begins\n" + LINE + b"noise\n" + LINE.replace(b"00:00:12", b"01:00:12")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "q.log"
    path.write_bytes(DATA)
    return path


def test_it_says_what_was_recognised_and_counted(log: Path, capsys) -> None:
    assert main(["read", str(log), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["format"], said["confidence"]) == ("parse.bind@2", 0.67)
    assert (said["lookups"], said["responses"], said["sightings"]) == (2, 0, 0)
    assert said["reasons"] == {"comment": 1, "not-a-query-line": 1}
    counts = said["conservation"]
    assert counts["row_bytes"] + counts["reject_bytes"] + counts["skipped_bytes"] == len(DATA)
    assert (said["first"], said["last"]) == ("2016-05-04T00:00:12.345Z", "2016-05-04T01:00:12.345Z")
    assert said["notes"][0].startswith("Assumed UTC")


def test_for_people_it_is_a_few_lines(log: Path, capsys) -> None:
    assert main(["read", str(log), "--zone", "+02:00"]) == 0
    said = capsys.readouterr().out
    assert "parse.bind@2 (67% sure): a BIND query log" in said
    assert "2 lookups, 0 responses, 0 sightings" in said
    log.write_bytes(LINE)
    assert main(["read", str(log)]) == 0
    assert "\n1 lookup, 0 responses, 0 sightings\n" in capsys.readouterr().out
    assert "from 2016-05-03T22:00:12.345Z" in said


def test_rows_have_their_byte_ranges(log: Path, capsys) -> None:
    assert main(["read", str(log), "--rows"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [DATA[row["start"] : row["stop"]] for row in found] == DATA.splitlines(keepends=True)[1::2]
    assert found[0]["time"] == "2016-05-04T00:00:12.345000Z"
    assert (found[0]["name"], found[0]["name_as_written"], found[0]["line"]) == ("a.example", "A.example", 2)


@pytest.mark.parametrize(("dates", "month"), [("mdy", 6), ("dmy", 5)])
def test_the_order_of_day_and_month_is_stated(tmp_path: Path, capsys, dates: str, month: int) -> None:
    path = tmp_path / "dns.log"
    path.write_bytes(
        b"6/5/2013 10:00:32 PM 0E70 PACKET  00000000033397A0 UDP Rcv 192.0.2.17    5b47   Q [0001   D   NOERROR] A      "
        b"(1)a(7)example(0)\r\n"
    )
    assert main(["read", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reasons"] == {"date-order-not-stated": 1}
    assert main(["read", str(path), "--dates", dates, "--json"]) == 0
    assert f"2013-0{month}-0{11 - month}T22:00:32Z" in json.loads(capsys.readouterr().out)["first"].replace(".000", "")


def test_members_of_archives_are_read_too(tmp_path: Path, capsys) -> None:
    path = tmp_path / "q.log.gz"
    path.write_bytes(gzip.compress(gzip.compress(DATA)))
    assert main(["read", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["member"], said["lookups"]) == ("member-1/member-1", 2)


def test_what_no_reader_knows_is_said_and_ends_with_1(tmp_path: Path, capsys) -> None:
    (tmp_path / "letter").write_bytes(b"Dear editor,\n")
    assert main(["read", str(tmp_path / "letter")]) == 1
    assert "not read" in capsys.readouterr().out
    assert main(["read", str(tmp_path / "absent")]) == 1
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "letter").write_bytes(LINE)
    assert main(["read", str(tmp_path / "letter"), "--zone", "Mars/Olympus"]) == 1
    assert "write UTC, an offset as" in capsys.readouterr().err


def tarred(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


def test_what_is_wrong_with_a_member_keeps_no_other_from_being_read(tmp_path: Path, capsys) -> None:
    path = tmp_path / "all.tar"
    damaged = b"PK\x03\x04 and no more"
    path.write_bytes(tarred({"a.zip": damaged, "empty": b"", "cut.gz": gzip.compress(DATA)[:-9], "q.log": DATA}))
    assert main(["read", str(path), "--json"]) == 1
    said = capsys.readouterr()
    found = [json.loads(line) for line in said.out.splitlines()]
    assert [(item["member"], item["format"]) for item in found][-1] == ("q.log", "parse.bind@2")
    assert f"{path}: empty: left out: empty" in said.err
    assert f"{path}/a.zip: nothing can be unpacked: File is not a zip file" in said.err
    assert f"{path}/cut.gz: is not whole: damaged or cut off" in said.err


def test_an_empty_member_is_said_and_is_no_failure(tmp_path: Path, capsys) -> None:
    path = tmp_path / "all.tar"
    path.write_bytes(tarred({"empty": b"", "empty.gz": gzip.compress(b""), "q.log": DATA}))
    assert main(["read", str(path)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"custos: {path}: empty: left out: empty", f"custos: {path}/empty.gz: left out: empty"
    ]  # fmt: skip
    path.write_bytes(tarred({"cut.gz": gzip.compress(DATA)[:-9], "q.log": DATA}))
    assert main(["read", str(path)]) == 1


def test_an_archive_too_deep_inside_others_is_kept_closed_and_the_rest_is_read(tmp_path: Path, capsys) -> None:
    deep = DATA
    for _ in range(4):
        deep = gzip.compress(deep)
    path = tmp_path / "all.tar"
    path.write_bytes(tarred({"deep": deep, "q.log": DATA}))
    assert main(["read", str(path), "--json"]) == 1
    closed, read = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (closed["member"], closed["format"]) == ("deep/member-1/member-1/member-1", None)
    assert "inside 4 others: kept closed" in closed["reason"]
    assert read["lookups"] == 2


def test_what_is_no_file_is_refused_in_words(tmp_path: Path, capsys) -> None:
    assert main(["read", str(tmp_path)]) == 1
    assert "this is a folder: name one of the files in it" in capsys.readouterr().err
    os.mkfifo(tmp_path / "pipe")
    assert main(["read", str(tmp_path / "pipe")]) == 1
    assert "this is no regular file" in capsys.readouterr().err


def test_a_file_that_is_written_to_meanwhile_is_said_to_be(log: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(path: Path) -> Digest:
        found = Digest.of(path.read_bytes())
        path.write_bytes(DATA + LINE)
        return found

    monkeypatch.setattr(read, "_digest", digest)
    assert main(["read", str(log)]) == 1
    assert "it was written to while it was read: read a copy of it" in capsys.readouterr().err


def test_sightings_end_when_they_were_last_seen(tmp_path: Path, capsys) -> None:
    path = tmp_path / "seen.ndjson"
    path.write_bytes(
        b'{"rrname":"a.example","rrtype":"A","rdata":"192.0.2.1","time_first":1380123423,"time_last":1427869045,"count":3}\n'
    )
    assert main(["read", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["sightings"], said["first"], said["last"]) == (
        1,
        "2013-09-25T15:37:03.000Z",
        "2015-04-01T06:17:25.000Z",
    )


def test_what_was_stated_and_is_not_used_is_said(log: Path, capsys) -> None:
    assert main(["read", str(log), "--year", "2015", "--zone", "UTC", "--json"]) == 0
    reason = json.loads(capsys.readouterr().out)["reason"]
    assert reason.endswith("lines. Not used, since it states its own or has none: year 2015")


@pytest.mark.parametrize("name", ["bind_responses", "parse.bind_responses@1"])
def test_a_format_is_named_with_or_without_its_version(log: Path, capsys, name: str) -> None:
    assert main(["read", str(log), "--format", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "parse.bind_responses@1"


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--format", "bnd", "'bnd' is no format; write one of bind, "), ("--format", "", "'' is no format"),
        ("--memory", "-1", "write a number of MiB from 256 on"), ("--year", "MMXVI", "invalid int value"),
    ],
)  # fmt: skip
def test_an_option_that_is_none_is_refused_in_words(log: Path, capsys, option: str, value: str, words: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["read", str(log), option, value])
    assert (stopped.value.code, words in capsys.readouterr().err) == (2, True)


def test_it_needs_neither_django_nor_the_client_libraries(log: Path) -> None:
    script = (
        "import sys\n"
        "for name in ('django', 'celery', 'httpx', 'rich', 'boto3', 'psycopg'): sys.modules[name] = None\n"
        f"from client.command import main; sys.exit(main(['read', {str(log)!r}, '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    script = script.replace("['read',", "['wait',")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'custos[client]'" in done.stderr


def test_columns_may_be_named(tmp_path: Path, capsys) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(b'{"wann": "2016-08-15T12:00:00Z", "wer": {"ip": "192.0.2.1"}, "was": "a.example"}\nnoise\n')
    assert main(["read", str(path), "--json", "--columns", "time=wann,client=wer.ip,name=was"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["format"], said["lookups"], said["reasons"]) == ("parse.jsonl@1", 1, {"not-json": 1})
    assert main(["read", str(path), "--columns", "time"]) == 1
    assert "write time=seen_at" in capsys.readouterr().err
