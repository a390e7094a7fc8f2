"""Public captures beside the project, where they are: read as tshark reads them, or it is known why not.

The recordings of the project hold the readers always; these are more of the same, of other origin.
"""

from __future__ import annotations

import json
from pathlib import Path

from evidence.formats.registry import FORMATS
from evidence.reading.format import Head
from tests.evidence.formats.readers import check_way_back, read

FOLDER = Path(__file__).parents[4] / "shared/data/pcap"
TRUTH = json.loads((FOLDER / "truth.json").read_bytes())["files"] if FOLDER.is_dir() else {}
FORMAT = FORMATS["parse.pcap@1"]
OTHERWISE = {
    "dns-answer-emptydata.pcap": {"opcode-update": 2},
    "dns-opcode-dns-notify.pcap": {"opcode-notify": 2},
    "dns-forward-pointer.pcap": {"bad-pointer": 1},
    "dns-incomplete.pcap": {"other-port": 18},
}
"""What tshark counts too: messages that are no lookups, a pointer forward (RFC 1035 §4.1.4), DNS on TCP port 5353."""


def test_public_captures_are_read_as_tshark_reads_them(capsys) -> None:
    with capsys.disabled():
        print(f" {len(TRUTH)} public captures found", end="")  # noqa: T201
    assert len(TRUTH) in (0, 29)
    for name, truth in TRUTH.items():
        data = (FOLDER / name).read_bytes()
        result = read(FORMAT, data)
        guess = FORMAT.guess(Head(data))
        assert guess and guess.confidence == 1.0
        different = OTHERWISE.get(name, {})
        assert different.items() <= result.counted.reasons.items()
        assert max(row["line"] for row in [*result.rows, *result.rejects]) == truth["packets"]
        queries = [row for row in result.rows if row["event"] == "query"]
        responses = len(result.rows) - len(queries)
        if not different:
            assert (len(queries), responses) == (truth["queries"], truth["frames_with_responses"]), name
            check_rows(queries, truth["query_rows"])
        else:
            assert len(queries) <= truth["queries"] and responses <= truth["frames_with_responses"]
        assert check_way_back(FORMAT, data) == len(result.rows)


def check_rows(queries: list[dict], wanted: list[list[str]]) -> None:
    """Frame, time, who asked from where, names and types, as far as they are written down."""
    for frame, time, ipv4, ipv6, udp, tcp, _, names, types in wanted:
        found = [row for row in queries if row["line"] == int(frame)]
        assert [row["name"] for row in found] == names.lower().split(",")
        assert {(row["client"], row["port"]) for row in found} == {(ipv4 or ipv6, int(udp or tcp))}
        seconds, _, fraction = time.partition(".")
        assert {int(row["time"].timestamp()) for row in found} == {int(seconds)}
        assert {row["time"].microsecond for row in found} == {int(fraction[:6])}
        assert len(types.split(",")) == len(found)
