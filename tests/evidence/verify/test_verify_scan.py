"""One pass over a raw file, against a slow obvious reference that has all of it in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.digest import Digest
from evidence.verify import scan as scanning
from evidence.verify.claims import SHOWN, Claim, word
from evidence.verify.fields import Format
from evidence.verify.scan import Watch, scan
from evidence.verify.sources import Ranges

if TYPE_CHECKING:
    from pathlib import Path


def claim(*ranges: tuple[int, int, int], words: tuple[str, ...] = (), of: Format | None = None) -> Claim:
    made = Ranges()
    for line, start, stop in ranges:
        made.lines.append(line)
        made.starts.append(start)
        made.stops.append(stop)
    return Claim(("a", "b"), made, tuple(map(word, words)), of)


def watched(data: bytes, a: Claim, size: int = 3) -> Claim:
    watch = Watch([a])
    for at in range(0, len(data), size):
        watch.feed(data[at : at + size])
    return watch.finish()[0]


def is_line(data: bytes, line: int, start: int, stop: int, needle: bytes) -> bool:
    """The rule in one place: where the line begins, which it is, where it ends, what it holds."""
    begins = start == 0 or data[start - 1 : start] == b"\n"
    ends = stop <= len(data) and (data[stop - 1 : stop] == b"\n" or stop == len(data))
    one = b"\n" not in data[start : stop - 1]
    return (
        begins and ends and one and data[:start].count(b"\n") + 1 == line and needle in data[start:stop].lower().split()
    )


@given(
    st.lists(st.sampled_from([b"a", b" B", b"\n", b"a b\n"]), max_size=30).map(b"".join),
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 40), st.integers(1, 12)), max_size=6),
    st.integers(1, 9),
)
def test_it_agrees_with_a_reference_that_sees_everything(data, drawn, chunk) -> None:
    ranges = sorted({(line, start, start + length) for line, start, length in drawn}, key=lambda r: (r[1], r[2], r[0]))
    found = watched(data, claim(*ranges, words=("b",)), chunk)
    wanted = sum(is_line(data, *a_range, b"b") for a_range in ranges)
    assert found.good == wanted
    assert found.wrong + found.unjudged == len(ranges) - wanted
    assert len(found.problems) == min(found.wrong, SHOWN)


def test_a_range_over_the_end_does_not_harm_one_behind_it() -> None:
    found = watched(b"aa\n\n b\naa B", claim((1, 0, 12), (4, 7, 11), words=("b",)))
    assert found.good == 1
    assert [problem.split(":")[0] for problem, *_ in found.problems] == ["bytes 0 to 12 (line 1)"]


@given(st.lists(st.text("ab", max_size=5), max_size=20), st.booleans(), st.integers(1, 9))
def test_every_line_of_a_file_is_found_to_be_one(lines, ended, chunk) -> None:
    data = "\n".join(lines).encode() + (b"\n" if ended else b"")
    ranges, start = [], 0
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        ranges.append((number, start, start + len(line)))
        start += len(line)
    found = watched(data, claim(*ranges), chunk)
    assert (found.good, found.problems) == (len(ranges), [])


@pytest.mark.parametrize(
    ("a_range", "message"),
    [
        ((1, 1, 4), "does not begin where a line begins"),
        ((2, 0, 4), "is not the line it says"),
        ((1, 0, 3), "does not end with a line"),
        ((1, 0, 8), "holds more than one line"),
        ((4, 12, 99), "runs over the file's end"),
    ],
)
def test_a_range_that_is_no_line_is_told_apart(a_range, message) -> None:
    found = watched(b"abc\ndef\nghi\njkl", claim(a_range, of=Format("parse.bind@2", {}) if "more" in message else None))
    assert found.good == 0
    assert [message in text for text, _got, _wanted in found.problems] == [True]


def test_the_words_of_a_line_are_compared_without_case() -> None:
    data = b"a Mail.Example\nan example\n"
    found = watched(data, claim((1, 0, 15), (2, 15, 26), words=("mail.example",)))
    assert found.good == 1
    assert "mail" in found.problems[0][2]


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        (b"client 192.0.2.1#53", True),
        (b"client 192.0.2.17#53", False),
        (b"client 1.192.0.2.1#53", False),
        (b"to 192.0.2.1.\n", True),
        (b"to 192.0.2.1.example", False),
        (b"192.0.2.1-a", False),
    ],
)
def test_a_word_is_found_as_a_whole(line, holds) -> None:
    assert (word("192.0.2.1").search(line) is not None) == holds


COLUMNS = {"time": "t", "client": "c", "name": "n"}
CSV = Format("parse.delimited@2", {"kind": "lookups", "columns": COLUMNS})


def test_a_quoted_record_may_run_over_lines_where_its_reader_allows_it() -> None:
    data = b'# about\nn,t,c,x\na,2016-01-01,b,"1\n2"\n'
    record = (3, 16, len(data))
    found = watched(data, claim(record, of=CSV))
    assert (found.good, found.problems) == (1, [])
    unknown = watched(data, claim(record))
    assert (unknown.good, unknown.problems, unknown.unjudged) == (0, [], 1)


def test_a_line_within_a_quoted_record_is_not_counted_as_one() -> None:
    inner = b"a,2016-01-01,b,1\n"
    data = b'n,t,c,x\na,2016-01-01,b,"\n' + inner + inner + b'"\n'
    start = data.index(inner)
    ranges = [(3, start, start + len(inner)), (4, start + len(inner), start + 2 * len(inner))]
    found = watched(data, claim(*ranges, of=CSV))
    assert (found.good, found.unjudged) == (0, 2)


@pytest.mark.parametrize(
    ("name", "client", "good"), [("a", "b", 1), ("a", "", 1), ("b", "b", 0), ("a", "a", 0), ("", "2016", 0)]
)
def test_name_and_client_are_those_of_their_fields(name, client, good) -> None:
    data = b"n,t,c\nA.,2016-01-01,B\n"
    asked = claim((2, 6, len(data)), of=CSV)
    asked.name, asked.client = name, client
    assert watched(data, asked).good == good


@pytest.mark.parametrize(("delimiter", "mark"), [("tab", b"\t"), ("semicolon", b";"), ("comma", b",")])
def test_fields_are_cut_where_the_parameters_say(delimiter, mark) -> None:
    data = b"n,t,c\nA.,2016-01-01,B\n".replace(b",", mark)
    asked = claim((2, 6, len(data)), of=Format(CSV.procedure, {**CSV.parameters, "delimiter": delimiter}))
    asked.name, asked.client = "a", "b"
    assert watched(data, asked).good == 1
    other = claim((2, 6, len(data)), of=Format(CSV.procedure, {**CSV.parameters, "delimiter": "pipe"}))
    assert not other.is_read


def test_a_count_behind_thousands_of_zeros_is_a_count() -> None:
    data = b"n,t,c,x\nA.,2016-01-01,B," + b"0" * 5000 + b"1\n"
    columns = {**CSV.parameters["columns"], "count": "x"}
    asked = claim((2, 8, len(data)), of=Format(CSV.procedure, {**CSV.parameters, "columns": columns}))
    asked.name = "a"
    assert watched(data, asked).good == 1


LOOKUP = b"client @0x7f 192.0.2.1#5 (a): query: a.example IN A +\n"
NUMBERED = Format(CSV.procedure, {**CSV.parameters, "columns": {"client": "1", "name": "2", "time": "3"}})


@pytest.mark.parametrize(
    ("line", "of"),
    [
        (LOOKUP, Format("parse.bind@2", {})),
        (b"192.0.2.1,a.example,2016-01-01\n", NUMBERED),
        (b'"192.0.2.1",a.example,2016-01-01\n', NUMBERED),
    ],
)
def test_a_byte_order_mark_belongs_to_the_first_line_and_is_not_read(line, of) -> None:
    size, mark = len(line), b"\xef\xbb\xbf"
    asked = claim((1, 0, 3 + size), (2, 3 + size, 3 + 2 * size), words=("192.0.2.1",), of=of)
    asked.name, asked.client = "a.example", "192.0.2.1"
    assert (watched(mark + line * 2, asked).good, watched(line + mark + line, asked).good) == (2, 0)
    later = claim((2, size, 3 + 2 * size), of=of)
    later.name, later.client = "a.example", "192.0.2.1"
    assert watched(line + mark + line, later).good == 0


def test_a_byte_order_mark_may_stand_before_a_comment_and_quotes() -> None:
    for head in (b"# note\nn,t,c\n", b'"n","t","c"\n'):
        data = b"\xef\xbb\xbf" + head + b"a,2016-01-01,b\n"
        asked = claim((head.count(b"\n") + 1, 3 + len(head), len(data)), of=CSV)
        assert watched(data, asked).good == 1


def test_a_file_without_the_columns_that_its_reader_names_has_no_rows() -> None:
    data = b"n,t\na,2016-01-01\n"
    found = watched(data, claim((2, 4, len(data)), of=CSV), 99)
    assert "has no header" in found.problems[0][0]


def test_a_line_that_is_no_query_is_no_lookup() -> None:
    data = b"04-May-2016 00:00:12.345 a note on 192.0.2.1 (mail.example)\n"
    found = watched(data, claim((1, 0, len(data)), words=("192.0.2.1",), of=Format("parse.bind@2", {})))
    assert "is no row" in found.problems[0][0]


def test_a_range_too_long_to_hold_is_not_said_to_be_good(monkeypatch) -> None:
    monkeypatch.setattr(scanning, "LONGEST_RANGE", 10)
    found = watched(b"x" * 40 + b"\nab\n", claim((1, 0, 41), (2, 41, 44)))
    assert (found.good, found.problems, found.unjudged) == (1, [], 1)
    assert found.first_unjudged.startswith("0 to 41")
    over = watched(b"x" * 40 + b"\nab\n", claim((1, 0, 99)))
    assert "runs over the file's end" in over.problems[0][0]


def test_only_the_claims_on_the_blob_that_it_is_are_judged(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(b"abc\n")
    mine, other = str(Digest.of(b"abc\n")), str(Digest.of(b"other"))
    for sizes in ({other: 5}, {}):
        found = scan(path, {mine: [claim((1, 0, 4))], other: [claim((9, 9, 10))]}, sizes)
        assert (str(found.digest), found.size, [c.good for c in found.claims]) == (mine, 4, [1])
    assert scan(path, {other: [claim((1, 0, 4))]}, {}).claims == ()


def test_records_of_a_binary_format_are_counted_and_not_taken_for_lines() -> None:
    packets = Format("parse.pcap@1", {})
    found = watched(b"HEAD\x00\x01abc\x02", claim((1, 4, 9), (2, 9, 10), of=packets))
    assert (found.good, found.wrong, found.unjudged, found.is_read) == (2, 0, 0, False)
    beyond = watched(b"HEAD\x00\x01abc\x02", claim((1, 4, 9), (2, 9, 11), of=packets))
    assert (beyond.good, beyond.wrong) == (1, 1)
