"""Knot Resolver's request trace: a record is a block, wherever chunks are cut."""

from __future__ import annotations

import pytest

from evidence.formats import knot
from evidence.formats.registry import FORMATS
from evidence.reading.batch import Conservation
from evidence.reading.lines import Chunk
from tests.evidence.formats.readers import check_way_back, read

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
    assert result.reasons() == ["other-message", "blank", "own-request", "not-a-request", "bad-name"]
    assert [row["line"] for row in result.rows] == [14]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_journal_indents_what_follows_the_first_line(end: bytes) -> None:
    first, *rest = BLOCK.splitlines()
    block = b"Nov 24 22:13:33 ns1 kresd[12]: " + first + end + b"".join(b" " * 31 + line + end for line in rest)
    result = read(FORMATS["parse.knot_trace@1"], (block + b"Nov 24 22:13:33 ns1 kresd[12]: [tls   ] x" + end) * 2)
    assert [row["stop"] - row["start"] for row in result.rows] == [len(block)] * 2
    assert {key: result.rows[0][key] for key in ("name", "type", "flags")} == {
        "name": r"x\032y.example", "type": "AAAA", "flags": "RD CD EDNS0 DO"
    }  # fmt: skip
    assert result.reasons() == ["other-message"] * 2


def test_other_messages_between_requests_cost_none_of_them() -> None:
    note = b"[tls   ] session resumed\n"
    result = read(
        FORMATS["parse.knot_trace@1"],
        BLOCK + note + BLOCK + b"answer\n" + BLOCK.replace(b"AAAA\n", b"A B\n") + note + BLOCK,
    )
    assert [row["stop"] - row["start"] for row in result.rows] == [len(BLOCK)] * 3
    assert result.reasons() == ["other-message", "outside-a-request", "not-a-request", "other-message"]


@pytest.mark.parametrize(
    ("how", "transport"), [(b"UDP", "udp"), (b"TCP", "tcp"), (b"TCP + TLS", "tls"), (b"TCP + TLS + HTTP", "https"), (b"UDP + XDP", "udp")]
)  # fmt: skip
def test_who_sent_a_request_stands_in_the_line_before_it(how: bytes, transport: str) -> None:
    """`policy.IPTRACE`, Knot Resolver 5.5 on."""
    arrival = b"[reqdbg][policy][04160.00] request packet arrived from ::1#37931 to 192.0.2.53#00853 (" + how + b")\n"
    form = FORMATS["parse.knot_trace@1"]
    other = arrival.replace(b"04160", b"04161")
    data = (
        arrival
        + BLOCK
        + other
        + BLOCK
        + arrival
        + b"[tls   ] x\n"
        + BLOCK
        + arrival.replace(b"37931", b"99999")
        + BLOCK
    )
    result = read(form, data)
    first, *rest = result.rows
    assert (first["client"], first["port"], first["server"], first["server_port"]) == ("::1", 37931, "192.0.2.53", 853)
    assert (first["transport"], first["earlier"]) == (transport, [{"start": 0, "stop": len(arrival)}])
    assert [row["client"] for row in rest] == [None] * 3
    assert result.reasons() == ["arrival"] * 3 + ["other-message", "arrival"]
    assert check_way_back(form, data) == 4


def test_what_arrived_from_the_resolver_itself_has_no_client() -> None:
    result = read(
        FORMATS["parse.knot_trace@1"], b"[reqdbg][policy][65536.00] request packet arrived internally\n" + OWN
    )
    assert result.reasons() == ["arrival", "own-request"]


@pytest.mark.parametrize("size", [1, 7, 100, 500, 5000])
def test_blocks_are_whole_wherever_chunks_are_cut(size: int) -> None:
    arrival = b"[reqdbg][policy][04160.00] request packet arrived from ::1#37931 to ::1#00053 (UDP)\n"
    data = b"note\n" + (OWN + arrival + BLOCK) * 3
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
    assert [row["client"] for row in rows] == ["::1"] * 3
