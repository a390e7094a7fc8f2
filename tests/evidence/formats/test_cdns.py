"""C-DNS files: samples against another decoder and the traffic that was sent; parts of a file, and files that are broken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.formats import cdns, cdns_tables
from evidence.reading import source
from evidence.reading.format import Head
from evidence.reading.names import canonical_name
from evidence.recognition import recognise
from evidence.wire import cbor
from tests.evidence.formats.cdns_files import (
    FORMAT,
    ITEM,
    PREAMBLE,
    STORED,
    TABLES,
    block,
    encoded,
    file,
    refused,
)
from tests.evidence.formats.packets import changed, name
from tests.evidence.formats.readers import Read, check_way_back, read
from tests.evidence.formats.recorded import MANIFEST, RCODES, bytes_of, counts_of, sent_flags
from tests.recordings import compacted

SAMPLES = sorted(path for path in MANIFEST if path.endswith(".cdns"))
WHOLE = [path for path in SAMPLES if "prefixes" not in path]


def test_the_samples_are_those_that_the_script_makes(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacted, "FOLDER", tmp_path)
    compacted.compact()
    assert {f"documentation/{path.name}": path.read_bytes() for path in tmp_path.iterdir()} == {
        path: bytes_of(path) for path in SAMPLES
    }


@pytest.mark.parametrize("path", SAMPLES)
def test_a_sample_is_told_and_counted_as_another_decoder_counts_it(path: str) -> None:
    result, stated = read(FORMAT, bytes_of(path)), counts_of(path)
    found = recognise(bytes_of(path))
    assert (found.procedure, found.confidence, found.others) == (FORMAT.procedure, 1.0, ())
    assert len({row["start"] for row in result.rows}) == stated["query/response items"]
    assert result.counted.counts()["queries"] == result.counted.counts()["responses"] == len(result.rows) // 2
    reasons = result.counted.reasons
    assert (reasons["address-event"], reasons["malformed-message"]) == (stated["address events"], stated["malformed messages"])  # fmt: skip
    assert reasons["block-tables"] == stated["blocks"]


@pytest.mark.parametrize("path", SAMPLES)
def test_rows_agree_with_the_traffic_that_was_sent(path: str) -> None:
    seen, found = compacted.exchanges(), read(FORMAT, bytes_of(path)).rows
    if "two-blocks" in path:
        seen.sort(key=lambda both: both[0]["transport"] == "tcp")
    for (query, answer), asked, answered in zip(seen, found[::2], found[1::2], strict=True):
        assert (asked["event"], answered["event"]) == ("query", "response")
        assert {(row["type"], row["class"], row["transport"]) for row in (asked, answered)} == {(query["type"], "IN", query["transport"])}  # fmt: skip
        assert asked["name"] == answered["name"] == canonical_name(query["name_canonical"])
        assert (asked["flags"], answered["rcode"]) == (sent_flags(query), RCODES[answer["rcode"]])
        assert ("TC" in (answered["flags"] or "").split()) == answer["truncated"]
        if path in WHOLE:
            assert (asked["client"], asked["port"]) == (query["client"].partition("%")[0], 20000 + query["sequence"])
            assert abs(asked["time"].timestamp() - answer["asked"]) < 1e-5
            assert abs(answered["time"].timestamp() - answer["answered"]) < 1e-5


@pytest.mark.parametrize("path", SAMPLES)
def test_each_row_is_made_again_from_its_own_bytes(path: str) -> None:
    assert check_way_back(FORMAT, bytes_of(path)) == 148


def test_prefixes_are_written_as_prefixes() -> None:
    result = read(FORMAT, bytes_of("documentation/cdns-prefixes.cdns"))
    assert {row["client"] for row in result.rows} >= {"127.0.0.0/24", "::/60"}
    assert result.notes == ["The source says that its data were anonymized (prefixes)."]
    assert {(row["port"], row["time_digits"]) for row in result.rows} == {(None, 3), (None, None)}


@pytest.mark.parametrize("is_open", [False, True])
def test_parts_of_a_block_by_their_names(is_open: bool) -> None:
    made = {0: PREAMBLE, 1: {0: 2}, -5: "own", 2: TABLES, 4: [{0: 0, 2: 0, 4: 1}], 3: [ITEM], 5: [{3: 0}, {3: 1}]}
    result = read(FORMAT, file(made, made, is_open=is_open))
    once = ["block-head", "block-preamble", "block-statistics", "other-member", "block-tables", "address-event-counts", "address-event",
            "query-responses", "malformed-messages", "malformed-message", "malformed-message"]  # fmt: skip
    assert [reason for reason in result.reasons() if reason != "break"] == ["file-preamble", *once, *once]
    assert ("break" in result.reasons()) == is_open
    assert {reject["kind"] for reject in result.rejects if reject["reason"] == "malformed-message"} == {"reject"}
    assert [reject["kind"] for reject in result.rejects].count("context") == 1
    assert check_way_back(FORMAT, file(made, made, is_open=is_open)) == 4


def test_items_before_their_tables_are_not_read() -> None:
    result = read(FORMAT, file({0: PREAMBLE, 3: [ITEM], 2: TABLES}))
    assert (result.rows, result.reasons()[-2:]) == ([], ["bad-index", "block-tables"])


def test_members_that_are_not_what_they_should_be() -> None:
    result = read(FORMAT, file({0: 5, 2: [1], 3: "x", 9: 1, 4: {}, 5: 1}, {0: {0: 1}, 2: TABLES, 3: [ITEM]}))
    assert result.reasons() == [
        "file-preamble", "block-head", "bad-item", "bad-item", "bad-item", "other-member", "bad-item", "bad-item",
        "block-head", "bad-time", "block-tables", "query-responses",
    ]  # fmt: skip
    assert [row["time"] for row in result.rows] == [None, None]


def test_the_tables_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdns_tables, "MOST_ENTRIES", 4)
    assert refused(ITEM) == ("reject", "bad-index")
    assert "too-many-entries" in read(FORMAT, file(block(ITEM))).reasons()
    for tables in (b"\xa1\x00\x01", b"\xa1\x41a\x80", b"\xa2\x00\x80\x00\x80"):
        data = file({0: PREAMBLE, 2: 77, 3: [ITEM]}).replace(b"\x02\x18\x4d", b"\x02" + tables)
        assert "bad-item" in read(FORMAT, data).reasons()


def test_storage_flags_are_said() -> None:
    stored = STORED | {5: 7, 10: "1 in 10"}
    assert read(FORMAT, file(block(ITEM), block(ITEM), stored=stored)).notes == [
        "The source says that its data were anonymized.",
        "The source says that it is a sample of the traffic (1 in 10).",
        "The source says that its names were normalized: how they were written is lost.",
    ]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (file(version=2), "other-version"), (encoded(["C-DNS", {1: 0}, []]), "other-version"), (encoded(["C-DNS", 5, []]), "bad-item"), (encoded(["X-DNS", {0: 1}, []]), "bad-item"),
        (encoded(["C-DNS", {0: 1}]), "bad-item"), (encoded(["C-DNS", {0: 1}, {}]), "bad-item"), (b"junk", "bad-item"), (b"\xff", "bad-cbor"),
        (file(5), "bad-item"), (file(block(ITEM))[:-1] + b"\x1c", "bad-cbor"), (b"\x83" * 100, "too-long"), (b"\x83\x65C-DN", "truncated-record"),
        (encoded(["C-DNS", {0: 1}, [], 5], is_open=True), "bad-item"), (encoded(["C-DNS", {0: 1, 9: b"x" * (1 << 20)}, []]), "too-long"),
    ],
)  # fmt: skip
def test_what_is_no_file_is_one_reject_from_there(data: bytes, why: str) -> None:
    result = read(FORMAT, data)
    assert (result.rejects[-1]["kind"], result.rejects[-1]["reason"], result.rejects[-1]["stop"]) == (
        "reject",
        why,
        len(data),
    )


def test_bytes_behind_the_file_are_one_reject() -> None:
    result = read(FORMAT, file(block(ITEM)) + file(block(ITEM)))
    assert (len(result.rows), result.reasons()[-1]) == (2, "trailing-bytes")


def test_an_empty_file_and_one_without_blocks() -> None:
    assert (read(FORMAT, b"").reasons(), read(FORMAT, file()).reasons()) == ([], ["file-preamble"])
    assert read(FORMAT, file(is_open=True, parameters=[])).reasons() == ["file-preamble", "break"]
    assert read(FORMAT, file(block(ITEM), parameters=5)).reasons()[-1] == "bad-parameters"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SAMPLES), st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_off_keeps_what_is_whole(path: str, share: float) -> None:
    data = bytes_of(path)
    cut, whole = data[: int(share * len(data))], read(FORMAT, data).rows
    result = read(FORMAT, cut)
    assert result.rows == [row for row in whole if row["stop"] <= len(cut)]
    assert set(result.reasons()) & {"truncated-record"} or result.counted.reject_bytes < 20
    assert not cut or result.notes[-1] == "The file is cut off: it ends before its last array does."


@pytest.mark.parametrize(
    "data",
    [
        file(block(ITEM))[:-1] + b"\x9b" + b"\xff" * 8, file()[:-1] + b"\x9b" + b"\xff" * 8 + b"\xbb" + b"\xff" * 8,
        file()[:-1] + b"\x81\xa1\x03\x9b" + b"\xff" * 8 + b"\xa0" * 50, file()[:-1] + b"\x81\xa1\x02" + b"\x5b" + b"\xff" * 8,
        file()[:-1] + b"\x81\xa1\x02" + b"\x81" * 5000, file()[:-1] + b"\x81\xa1\x03\x81" + b"\x9f" * 5000, file()[:-1] + b"\x81\xa1\x02\xa1\x02\x9b\x7f" + bytes(7),
    ],
)  # fmt: skip
def test_lengths_and_depths_that_cannot_be_true(data: bytes) -> None:
    result: Read = read(FORMAT, data)
    assert "bad-cbor" in result.reasons() or result.notes == [
        "The file is cut off: it ends before its last array does."
    ]


def test_rows_are_the_same_wherever_the_source_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in SAMPLES:
        data = bytes_of(path)
        whole = read(FORMAT, data)
        for module, limit, value in (
            (source, "BLOCK", 100),
            (cdns, "MOST_HELD", 50),
            (cdns, "_MOST_RECORDS", 10),
            (cdns_tables, "_MOST_KEPT", 1),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(module, limit, value)
                found = read(FORMAT, data)
            assert (found.rows, found.rejects) == (whole.rows, whole.rejects)


def test_what_is_longer_than_is_held_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BLOCK", 64)
    monkeypatch.setattr(cbor, "LONGEST", 1000)
    result = read(FORMAT, file(block(ITEM), block(ITEM, names=[name(b"a"), b"x" * 5000])))
    assert (len(result.rows), result.reasons()[-1]) == (2, "too-long")


def test_other_first_bytes_are_not_told() -> None:
    for data in (b"", b"\x83", b"\x82\x65C-DNS", b"\x83\x65X-DNS", b"C-DNS"):
        assert FORMAT.guess(Head(data)) is None


@settings(max_examples=300, deadline=None)
@given(changed([bytes_of(path) for path in SAMPLES]))
def test_no_change_of_a_file_loses_a_byte(data: bytes) -> None:
    result = read(FORMAT, data)
    assert all(row["stop"] > row["start"] for row in [*result.rows, *result.rejects])
