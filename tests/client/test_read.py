"""`custos read`: the archive's own reading without an archive, and without what a server needs."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from client.command import main

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
