"""Zeek as TSV: a record needs its header, which is kept, and may come again."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evidence.formats import zeek_columns
from evidence.formats.registry import FORMATS
from evidence.formats.zeek import Layout, read_lines, read_piece
from evidence.formats.zeek_columns import NEEDED
from evidence.reading.batch import Batch, Conservation
from evidence.reading.format import Head
from evidence.reading.lines import LONGEST_LINE, Chunk
from tests.evidence.formats.readers import check_way_back, read

FORM = FORMATS["parse.zeek@1"]
FIELDS = [
    "ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "trans_id", "rtt", "query", "qclass",
    "qclass_name", "qtype", "qtype_name", "rcode", "rcode_name", "AA", "TC", "RD", "RA", "Z", "answers", "TTLs",
    "rejected", "opcode", "opcode_name",
]  # fmt: skip
HEADER = (
    b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n#open\t2026\n"
    + ("#fields\t" + "\t".join(FIELDS) + "\n").encode()
)
ROW = (
    b"1795558147.621051\tCx\t127.0.0.11\t20000\t127.0.0.53\t53\tudp\t4096\t0.000212\tWWW.example.com\t1\tC_INTERNET\t28\tAAAA\t3\t"
    b"NXDOMAIN\tT\tF\tT\tF\t0\t192.0.2.1,TXT 3 a\\x2cb\t300.000000,5.500000\tF\t0\tquery\n"
)


def change(**values: str) -> bytes:
    parts = ROW.decode().rstrip("\n").split("\t")
    for name, value in values.items():
        parts[FIELDS.index(name.replace("__", "."))] = value
    return "\t".join(parts).encode() + b"\n"


def test_values_are_normalised() -> None:
    result = read(FORM, HEADER + ROW)
    (row,) = result.rows
    assert (row["time"].isoformat(), row["time_digits"], row["time_zone"]) == (
        "2026-11-24T22:09:07.621051+00:00", 6, "UTC"
    )  # fmt: skip
    assert (row["name"], row["name_as_written"], row["type"], row["class"]) == (
        "www.example.com", "WWW.example.com", "AAAA", "IN"
    )  # fmt: skip
    assert (row["client"], row["port"], row["server"], row["server_port"]) == ("127.0.0.11", 20000, "127.0.0.53", 53)
    assert (row["event"], row["rcode"], row["flags"], row["transport"]) == ("exchange", "NXDOMAIN", "AA RD", "udp")
    assert [(answer["data"], answer["ttl"]) for answer in row["answers"]] == [("192.0.2.1", 300), ("TXT 3 a\\x2cb", 5)]
    assert {reject["kind"] for reject in result.rejects} == {"context"}
    assert row["line"] == 8


def test_unset_members_are_not_there() -> None:
    line = change(rcode="-", rtt="-", answers="-", TTLs="-", qtype="-", id__resp_p="-", AA="-", query="(empty)")
    (row,) = read(FORM, HEADER + line).rows
    assert (row["event"], row["rcode"], row["answers"], row["type"], row["server_port"], row["name"]) == (
        "query", None, None, None, None, "."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (change(query="-"), "no-question"),
        (change(opcode="4"), "opcode-notify"),
        (change(opcode="5", query="-"), "opcode-update"),
        (change(opcode="16"), "bad-opcode"),
        (change(opcode="query"), "bad-number"),
        (change(query="a..b"), "bad-name"),
        (change(ts="soon"), "bad-time"),
        (change(ts="1795558147.1234567890"), "bad-time"),
        (change(id__orig_p="70000"), "bad-number"),
        (change(qtype="AAAA"), "bad-number"),
        (change(AA="true"), "bad-flag"),
        (change(id__orig_h="nobody"), "bad-address"),
        (ROW.replace(b"\tudp", b""), "wrong-field-count"),
        (ROW.replace(b"WWW", b"\xff"), "bad-encoding"),
        (b"\n", "blank"),
    ],
)
def test_what_is_no_lookup_has_a_reason(line: bytes, reason: str) -> None:
    result = read(FORM, HEADER + ROW + line + ROW)
    assert [item for item in result.reasons() if item != "header"] == [reason]
    assert len(result.rows) == 2


def test_without_its_header_a_record_is_not_read() -> None:
    assert read(FORM, ROW).reasons() == ["no-header"]
    assert FORM.guess(Head(ROW)) is None


def test_records_of_other_logs_are_skipped() -> None:
    other = HEADER.replace(b"#path\tdns", b"#path\tconn")
    assert read(FORM, other + ROW).reasons()[-1] == "other-log"
    assert FORM.guess(Head(other + ROW)) is None


def test_a_header_holds_until_the_next() -> None:
    short = b"#separator |\n#path|dns\n#fields|ts|id.orig_h|id.orig_p|query\n5000000000.5|::1|7|b.example\n#close|x\n"
    data = HEADER + ROW + b"#close\t2026\n" + short + HEADER + ROW
    result = read(FORM, data)
    assert [(row["name"], row["port"]) for row in result.rows] == [
        ("www.example.com", 20000), ("b.example", 7), ("www.example.com", 20000)
    ]  # fmt: skip
    assert check_way_back(FORM, data) == 3


def test_an_escaped_octet_is_one_in_the_name() -> None:
    (row,) = read(FORM, HEADER + change(query="x\\x20y\\xff.example")).rows
    assert row["name"] == r"x\032y\255.example"


TEN = ["ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "query", "qtype", "rcode"]
LAYOUTS = st.just(FIELDS) | st.lists(st.sampled_from(FIELDS), unique=True).map(
    lambda some: [*some, *sorted(NEEDED.difference(some))]
)
VARIANTS = [
    ROW,
    change(rcode="-", rtt="-", answers="-", TTLs="-"),
    change(qtype="-", qclass="-"),
    change(id__resp_p="-"),
    change(AA="-"),
    change(id__orig_p="-"),
    change(id__orig_h="123456:1"),
    change(answers="a\\x2cb,c", TTLs="99999999.999999,1.000000"),
    change(answers="a,b", TTLs="1.000000,1.00000"),
    change(answers="a", TTLs="1.000000,2.000000"),
    change(ts="1795558147."),
    change(ts="1795558147.621051123"),
    change(ts="2026-11-24T22:13:33.621051Z"),
    change(uid="#"),
    change(query="(empty)"),
    change(query="."),
    change(query="a b"),
    change(query="x" * 64),
    change(query="x" * 60 + ".example"),
    change(query="x\\x20y"),
    change(query="end.dot."),
    change(query="-"),
    change(qtype="65280", qclass="3", rcode="23"),
    change(qtype="65536"),
    change(opcode="5", opcode_name="dynamic-update"),
    change(opcode="-", opcode_name="-"),
    change(opcode="70000"),
    change(opcode="00"),
    change(proto="icmp"),
    change(id__orig_h="2001:DB8::1"),
    change(id__orig_h="cafe"),
    change(id__orig_h="fe80::1%eth0"),
    change(ts="1795558147.6"),
    change(ts="999999999.621051"),
    change(answers="a,b,c"),
    change(answers="a,,b", TTLs="1.000000,2.000000,4294967296.000000"),
    change(answers="TXT 3 a b", TTLs="0.999999"),
    change(answers="a", TTLs="-"),
    change(answers="a", TTLs="12345678901.000000"),
    change(answers="-", TTLs="5.000000"),
    change(answers="(empty)", TTLs="(empty)"),
    change(answers=""),
    ROW.replace(b"\n", b"\r\n"),
    b"\n",
]


def cut_down(line: bytes, fields: list[str]) -> bytes:
    """The line with these of its fields alone; one that has not as many as the header has is left as it is."""
    parts = line.rstrip(b"\r\n").split(b"\t")
    if len(parts) != len(FIELDS):
        return line
    return b"\t".join(parts[FIELDS.index(name)] for name in fields) + line[len(line.rstrip(b"\r\n")) :]


def as_lists(batch: Batch) -> tuple[list[dict], list[dict]]:
    return batch.rows.to_pylist(), batch.rejects.to_pylist()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(VARIANTS), min_size=1, max_size=12), LAYOUTS, st.data())
@example(VARIANTS, FIELDS, None)
@example(VARIANTS, TEN, None)
@example([ROW[:-1]], FIELDS, None)
def test_columns_and_reference_agree_on_changed_lines(
    lines: list[bytes], fields: list[str], data: st.DataObject | None
) -> None:
    text = bytearray(b"".join(cut_down(line, fields) for line in lines))
    for _ in range(data.draw(st.integers(0, 6)) if data else 0):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] = data.draw(st.sampled_from(b"\n\r\t ,:()0129ANTFa.-\\\x00\x7f\xff") | st.integers(0, 255))
    run = Chunk(bytes(text), 1000, 50, len(text))
    layout = Layout(fields=tuple(fields))
    batch = read_piece((layout, run))
    assert as_lists(batch) == as_lists(read_lines(layout, run))
    Conservation().add(batch)


def test_usual_lines_are_read_as_columns() -> None:
    usual = [
        ROW,
        VARIANTS[1],
        VARIANTS[2],
        change(id__orig_h="2001:DB8::1"),
        change(answers="TXT 3 a b", TTLs="1.500000"),
        change(id__orig_p="-", AA="-", ts="1795558147.6"),
        change(opcode="-"),
    ]
    for fields in (FIELDS, TEN, sorted(NEEDED)):
        data = b"".join(cut_down(line, fields) for line in usual)
        rows, others, _, _ = zeek_columns.read(tuple(fields), Chunk(data, 0, 1, len(data)))
        assert (len(rows), others.tolist()) == (len(usual), [])


def test_a_mark_within_a_line_begins_no_header() -> None:
    lines = [change(query=f"n{number}#.example") for number in range(100)]
    result = read(FORM, HEADER + b"".join(lines) + HEADER + ROW)
    assert [row["line"] for row in result.rows] == [*range(8, 108), 115]


@pytest.mark.parametrize("places", [[0], [299], [0, 1, 150, 299]])
def test_a_few_unusual_lines_stand_in_their_places(places: list[int]) -> None:
    lines = [change(query=f"n{number}.example", answers="a", TTLs="1.000000") for number in range(300)]
    for place in places:
        lines[place] = change(query="x\\x20y.example", answers="a", TTLs="1.000000")
    run = Chunk(b"".join(lines), 0, 1, sum(map(len, lines)))
    layout = Layout(fields=tuple(FIELDS))
    assert as_lists(read_piece((layout, run))) == as_lists(read_lines(layout, run))


@pytest.mark.parametrize(
    "written", ["1795558147.6210512", "1795558147.", "1795558147.62105x", "2026-11-24T22:09:07Z", "-"]
)
def test_a_time_of_another_form_among_many_is_read_as_it_is_alone(written: str) -> None:
    lines = [ROW] * 200 + [change(ts=written)] + [ROW] * 200
    run = Chunk(b"".join(lines), 0, 1, sum(map(len, lines)))
    layout = Layout(fields=tuple(FIELDS))
    assert as_lists(read_piece((layout, run))) == as_lists(read_lines(layout, run))


def test_a_line_that_is_too_long_is_no_row() -> None:
    lines = [ROW, change(answers="TXT " + "a" * LONGEST_LINE, TTLs="1.000000"), ROW]
    run = Chunk(b"".join(lines), 0, 1, sum(map(len, lines)))
    batch = read_piece((Layout(fields=tuple(FIELDS)), run))
    assert (len(batch.rows), batch.rejects["reason"].to_pylist()) == (2, ["too-long"])


def test_each_of_thousands_of_lines_has_its_own_values() -> None:
    lines = [
        change(query=f"n{number}.example", id__orig_p=str(number), rcode=str(number % 3)) for number in range(2500)
    ]
    run = Chunk(b"".join(lines), 0, 1, sum(map(len, lines)))
    rows, others, _, _ = zeek_columns.read(tuple(FIELDS), run)
    assert (len(others), rows["port"].to_pylist()) == (0, [*range(2500)])
    assert rows["name"].to_pylist() == [f"n{number}.example" for number in range(2500)]


@pytest.mark.parametrize("last", [ROW[:-1], ROW[:-1] + b"\t", ROW[:-1] + b"\t\t"])
def test_a_last_line_without_its_newline_is_read_as_it_is_alone(last: bytes) -> None:
    run = Chunk(ROW * 3 + last, 0, 1, len(ROW) * 3 + len(last))
    layout = Layout(fields=tuple(FIELDS))
    assert as_lists(read_piece((layout, run))) == as_lists(read_lines(layout, run))
