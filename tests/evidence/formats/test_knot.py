"""Knot Resolver's request trace: a record is a block, wherever chunks are cut."""

from __future__ import annotations

import pytest

from evidence.formats import knot
from evidence.formats.registry import FORMATS
from evidence.reading.batch import Conservation
from evidence.reading.lines import Chunk
from tests.evidence.formats.readers import read

BLOCK = (
    b"[reqdbg][policy][04160.00] request packet:\n;; ->>HEADER<<- opcode: QUERY; status: NOERROR; id: 4160\n"
    b";; Flags: rd cd  QUERY: 1; ANSWER: 0; AUTHORITY: 0; ADDITIONAL: 1\n\n;; EDNS PSEUDOSECTION:\n"
    b";; Version: 0; flags: do; UDP size: 1232 B; ext-rcode: Unused\n\n;; QUESTION SECTION\n"
    b"x\\032Y.example.\t\tAAAA\n\n;; ADDITIONAL SECTION\n"
)
OWN = BLOCK.replace(b"04160", b"65536")


def test_values_are_normalised() -> None:
    row = knot.read_block(BLOCK)
    assert (row["name"], row["name_as_written"], row["type"], row["class"]) == (
        r"x\032y.example", "x\\032Y.example.", "AAAA", "IN"
    )  # fmt: skip
    assert (row["flags"], row["time"], row.get("client")) == ("RD CD EDNS0 DO", None, None)
    assert knot.read_block(BLOCK.replace(b"\t\tAAAA", b"\t\tCH\tTXT"))["class"] == "CH"


def test_what_is_no_request_has_a_reason() -> None:
    data = (
        b"[system] started\n\n"
        + OWN
        + BLOCK
        + BLOCK.replace(b"QUERY: 1", b"QUERY: 2")
        + BLOCK.replace(b"32Y", b"32..Y")
    )
    result = read(FORMATS["parse.knot_trace@1"], data)
    assert result.reasons() == ["outside-a-request", "blank", "own-request", "not-a-request", "bad-name"]
    assert [row["line"] for row in result.rows] == [14]


@pytest.mark.parametrize("size", [1, 7, 100, 500, 5000])
def test_blocks_are_whole_wherever_chunks_are_cut(size: int) -> None:
    data = b"note\n" + (OWN + BLOCK) * 3
    lines = data.splitlines(keepends=True)
    parts, at, line = [], 0, 1
    for start in range(0, len(lines), size):
        part = b"".join(lines[start : start + size])
        parts.append(Chunk(part, at, line, len(part)))
        at, line = at + len(part), line + part.count(b"\n")
    counted, rows = Conservation(), []
    for batch in knot._Reader().read(parts):
        counted.add(batch)
        rows += batch.rows.to_pylist()
    assert counted.bytes == len(data)
    assert [data[row["start"] : row["stop"]] for row in rows] == [BLOCK] * 3
