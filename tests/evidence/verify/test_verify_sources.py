"""Sources files have one form, and only that."""

from __future__ import annotations

import pytest

from evidence.digest import Digest
from evidence.verify.findings import Findings
from evidence.verify.sources import read_sources

A, B = (str(Digest.of(name)) for name in (b"a", b"b"))
A, B = sorted((A, B))


def line(blob: str = A, number: int = 1, start: int = 0, stop: int = 4) -> bytes:
    return f'{{"blob":"{blob}","line":{number},"start":{start},"stop":{stop}}}\n'.encode()


def read(tmp_path, content: bytes):
    path = tmp_path / "x.sources.ndjson"
    path.write_bytes(content)
    findings = Findings()
    return read_sources(path, findings), [finding.message for finding in findings.of("wrong")]


def test_ranges_are_read_by_blob(tmp_path) -> None:
    content = line() + line(number=2, start=4, stop=9) + line(blob=B, number=7, start=0, stop=2)
    source, wrong = read(tmp_path, content)
    assert wrong == []
    assert (source.digest, source.size, source.count) == (Digest.of(content), len(content), 3)
    assert {blob: list(ranges.stops) for blob, ranges in source.blobs.items()} == {A: [4, 9], B: [2]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (line()[:-1], "line 1: a line is not in canonical form"),
        (line().replace(b":1,", b":01,"), "line 1: a line is not in canonical form"),
        (line().replace(b",", b", "), "line 1: a line is not in canonical form"),
        (line().replace(b"}", b',"x":1}'), "line 1: a line is not in canonical form"),
        (line() + b"\n", "line 2: a line is not in canonical form"),
        (b"x" * 5000, "line 1: a line is not in canonical form"),
        (line(start=4), "line 1: a range is empty or runs backward"),
        (line() + line(), "line 2: ranges are not ascending or overlap"),
        (line() + line(start=3), "line 2: ranges are not ascending or overlap"),
        (line(blob=B) + line(blob=A), "line 2: ranges are not ascending or overlap"),
    ],
)
def test_anything_else_is_wrong_and_the_first_such_line_is_named(tmp_path, content, message) -> None:
    source, wrong = read(tmp_path, content)
    assert wrong == [message]
    assert source.digest == Digest.of(content)


def test_an_empty_file_has_no_ranges(tmp_path) -> None:
    source, wrong = read(tmp_path, b"")
    assert (source.count, source.blobs, wrong) == (0, {}, [])
