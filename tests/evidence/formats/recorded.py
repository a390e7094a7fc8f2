"""Binary recordings laid beside the traffic that was sent, and beside what the client saw of each answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence.reading.names import canonical_name

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parents[2] / "recordings"
MANIFEST = {entry["path"]: entry for entry in json.loads((HERE / "MANIFEST.json").read_bytes())["files"]}
TRAFFIC = json.loads((HERE / "traffic.json").read_bytes())
RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
FRAGMENTED = 54
"""The query whose answer comes in IP fragments."""


def bytes_of(path: str) -> bytes:
    return (HERE / path).read_bytes()


def counts_of(path: str) -> dict[str, int]:
    return {what: item["count"] for what, item in MANIFEST[path]["counts"].items()}


def seen_by(server: str) -> dict[int, dict[str, Any]]:
    """The last answer to each query."""
    return {row["sequence"]: row for row in json.loads((HERE / f"seen/{server}.json").read_bytes())}


def check_against_traffic(rows: Iterable[dict[str, Any]], server: str, *, is_snapped: bool = False) -> None:
    """Every query and response is the one that was sent, each as often as it was sent."""
    seen, met = seen_by(server), {"query": [0] * len(TRAFFIC), "response": [0] * len(TRAFFIC)}
    for row in rows:
        number = row["port"] - 20000
        query, answer = TRAFFIC[number], seen[number]
        met[row["event"]][number] += 1
        assert row["name"] == canonical_name(query["name_canonical"])
        assert (row["name_as_written"] is None) == (query["name"] == query["name_canonical"])
        assert (row["type"], row["class"], row["transport"]) == (query["type"], query["class"], query["transport"])
        assert row["client"] == query["client"].partition("%")[0]
        if row["event"] == "query":
            assert row["flags"] == sent_flags(query)
            assert (row["rcode"], row["answers"]) == (None, None)
        else:
            assert row["rcode"] == RCODES[answer["rcode"]]
            assert ("TC" in (row["flags"] or "").split()) == answer["truncated"]
            assert len(row["answers"] or ()) == answer["answers"]
        assert answer["asked"] - 30 < row["time"].timestamp() < answer["answered"] + 30
    if not is_snapped:
        assert met["query"] == [query["sent"] for query in TRAFFIC]


def sent_flags(query: dict[str, Any]) -> str | None:
    flags = query["flags"]
    words = [("RD", flags["RD"]), ("CD", flags["CD"]), ("EDNS0", flags["EDNS"]), ("DO", flags["DO"])]
    return " ".join(word for word, is_set in words if is_set) or None
