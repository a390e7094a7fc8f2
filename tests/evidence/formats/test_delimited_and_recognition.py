"""CSV with a header, and telling formats apart."""

from __future__ import annotations

import pytest

from evidence.errors import ReadingError
from evidence.formats.delimited import DelimitedReader
from evidence.formats.registry import FORMATS
from evidence.reading.batch import Conservation
from evidence.reading.lines import Chunk
from evidence.reading.stamps import parse_time
from evidence.recognition import read_header, recognise
from tests.evidence.formats import readers

COLUMNS = {"time": "when", "client": "who", "name": "what"}


def read(data: bytes, pieces: int = 1):
    step = max(1, len(data) // pieces)
    chunks = [
        Chunk(data[at : at + step], at, 1 + data.count(b"\n", 0, at), len(data[at : at + step]))
        for at in range(0, len(data), step)
    ]
    counted, rows, rejects = Conservation(), [], []
    for batch in DelimitedReader("lookups", COLUMNS).read(chunks):
        counted.add(batch)
        rows += batch.rows.to_pylist()
        rejects += [(row["line"], row["kind"], row["reason"]) for row in batch.rejects.to_pylist()]
    assert counted.bytes == len(data)
    return rows, rejects


DATA = (
    b'# made by hand\r\nwhen,who,what\r\n2016-08-15T12:00:00Z,192.0.2.1,"Mail.example.net."\r\n\r\n'
    b'1471262400,192.0.2.2,"a ""quoted"", name"\r\nyesterday,192.0.2.3,x\n2016-08-15,192.0.2.4\n'
    b'2016-08-15T12:00:00+02:00,192.0.2.5,"over\ntwo lines"\n2016-08-15T12:00:00Z,,x\n2016,\xff,x'
)


@pytest.mark.parametrize("pieces", [1, 2, 7, 40])
def test_records_are_rows_or_rejects_wherever_the_chunks_are_cut(pieces: int) -> None:
    rows, rejects = read(DATA, pieces)
    assert [row["name"] for row in rows] == [
        "mail.example.net", r'a\032"quoted",\032name', r"over\010two\032lines",
    ]  # fmt: skip
    assert [row["line"] for row in rows] == [3, 5, 8]
    assert [reason for _, _, reason in rejects] == [
        "comment", "header", "blank", "bad-time", "wrong-field-count", "no-client", "bad-encoding"
    ]  # fmt: skip
    for row in rows:
        assert DATA[row["start"] : row["stop"]].endswith(b"\n")


def test_times_are_never_guessed() -> None:
    assert parse_time("2016-08-15T12:00:00+02:00")["time"].isoformat() == "2016-08-15T10:00:00+00:00"
    assert parse_time("1471262400.5")["time"].isoformat() == "2016-08-15T12:00:00.500000+00:00"
    assert [parse_time(text) for text in ("", "15/08/2016", "noon", "99999999999999999")] == [None] * 4


@pytest.mark.parametrize("columns", [{}, {"time": "a"}, {"time": "a", "client": "b", "name": "c", "colour": "d"}])
def test_a_mapping_that_cannot_be_used_is_refused_in_words(columns: dict) -> None:
    with pytest.raises(ReadingError, match="map each to a header's name"):
        DelimitedReader("lookups", columns)


def test_a_header_without_the_named_column_is_refused_in_words() -> None:
    with pytest.raises(ReadingError, match="the header has no column"):
        read(b"a,b,c\n1,2,3\n")


@pytest.mark.parametrize(
    ("head", "procedure", "word"),
    [
        (b"", None, "empty"),
        (b"\x1f\x8b\x08\x00cut", "extract.gzip@1", "members are taken out"),
        ("a log".encode("utf-16"), None, "UTF-16"),
        (b"\x00\x01\x02", None, "binary"),
        (b"Dear editor,\nhere is a letter.\n", None, "no known log format"),
        (b"PK\x03\x04", "extract.zip@1", "zip"),
        (b"time,client,name\n2016-08-15T12:00:00Z,192.0.2.1,a\n", "parse.delimited@2", "lookups"),
        (b"# x\ntime,name,count\n", "parse.delimited@2", "sightings"),
        (b"name,colour\n", None, "no known"),
    ],
)
def test_a_file_is_recognised_or_the_reason_said(head: bytes, procedure: str | None, word: str) -> None:
    found = recognise(head)
    assert found.procedure == procedure
    assert word in found.reason


def test_what_the_uploader_says_goes_first() -> None:
    found = recognise(b"a,b,c\n", {"columns": {"time": "a", "client": "b", "name": "c"}})
    assert found.parameters == {"kind": "lookups", "columns": {"time": "a", "client": "b", "name": "c"}}


def test_zone_and_order_of_dates_are_taken_also_for_a_file_that_does_not_look_so() -> None:
    said = {"procedure": "parse.windows_dns@1", "dates": "mdy", "zone": "UTC", "year": 2016}
    assert recognise(b"Dear editor,\n", said).parameters == {"dates": "mdy", "zone": "UTC"}
    assert recognise(b"Dear editor,\n", said | {"procedure": "parse.bind@2"}).parameters == {"zone": "UTC"}


@pytest.mark.parametrize(
    ("said", "names"), [("", ("a;b", "c", "d")), ("comma", ("a;b", "c", "d")), ("semicolon", ("a", "b,c,d"))]
)
def test_a_header_is_cut_as_was_said(said: str, names: tuple[str, ...]) -> None:
    header = read_header(b"a;b,c,d\n", "parse.delimited@2", delimiter=said)
    assert header is not None and header.names == names
    assert read_header(b"a;b,c,d\n", "parse.delimited@2", delimiter="tab") is None


@pytest.mark.parametrize(
    ("data", "said", "words"),
    [
        (b"time,client,qname\n2016-08-15T12:00:00Z,192.0.2.1,a.example\n", {"year": 2016, "zone": "UTC"}, "year 2016"),
        (b"[1795558240] unbound[1:0] info: ::1 a. A IN\n", {"dates": "mdy", "year": 2016}, "year 2016, dates mdy"),
        (b"?", {"procedure": "parse.pcap@1", "zone": "Europe/Berlin"}, "zone Europe/Berlin"),
        (b"a,b,c\n1,2,3\n", {"columns": {"time": "a", "client": "b", "name": "c"}, "year": 2016}, "year 2016"),
    ],
)
def test_what_was_stated_and_has_no_use_is_said(data: bytes, said: dict, words: str) -> None:
    found = recognise(data, said)
    assert found.reason.endswith(f". Not used, since it states its own or has none: {words}")
    assert not {"year", "dates"} & set(found.parameters)


def test_a_column_that_the_header_has_twice_is_said() -> None:
    data = b"time,client,name,name,note,note\n2016-08-15T12:00:00Z,192.0.2.1,a.example,b.example,,\n"
    found = readers.read(FORMATS["parse.delimited@2"], data, recognise(data).parameters)
    assert [row["name"] for row in found.rows] == ["a.example"]
    assert list(found.notes) == ["The header has 'name' more than once: the first of these columns is read."]


def test_columns_of_a_table_without_a_header_are_numbers() -> None:
    data = b'# x\n2016-08-15T12:00:00Z;"192.0.2.1";a.example\n2016-08-15T12:00:01Z;192.0.2.2;b.example\n' * 2
    said = {"columns": {"time": "1", "client": "2", "name": "3"}}
    found = recognise(data, said)
    assert found.parameters == {"kind": "lookups", "delimiter": "semicolon", **said}
    result = readers.read(FORMATS["parse.delimited@2"], data, found.parameters)
    assert [(row["line"], row["client"], row["name"]) for row in result.rows] == [
        (2, "192.0.2.1", "a.example"), (3, "192.0.2.2", "b.example"),
        (5, "192.0.2.1", "a.example"), (6, "192.0.2.2", "b.example"),
    ]  # fmt: skip
    assert result.reasons() == ["comment", "comment"]
    assert readers.check_way_back(FORMATS["parse.delimited@2"], data, found.parameters) == 4


def test_a_header_may_have_numbers_for_names() -> None:
    data = b"3,2,1\n2016-08-15T12:00:00Z,192.0.2.1,a.example\n"
    parameters = recognise(data, {"columns": {"time": "3", "client": "2", "name": "1"}}).parameters
    result = readers.read(FORMATS["parse.delimited@2"], data, parameters)
    assert [(row["client"], row["name"]) for row in result.rows] == [("192.0.2.1", "a.example")]
    assert result.reasons() == ["header"]


@pytest.mark.parametrize("number", ["0", "4", "9999"])
def test_a_number_that_is_no_column_is_refused_in_words(number: str) -> None:
    data = b"2016-08-15T12:00:00Z,192.0.2.1,a.example\n"
    with pytest.raises(ReadingError, match=rf"has 3 columns, and none with the numbers \[{number}\]"):
        readers.read(FORMATS["parse.delimited@2"], data, {"columns": {"time": "1", "client": "2", "name": number}})
