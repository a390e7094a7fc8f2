"""The recordings are the files that MANIFEST.json describes, and the tools that counted in them still count the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.recordings import manifest, traffic

HERE = Path(__file__).parent
FILES = {entry["path"]: entry for entry in json.loads((HERE / "MANIFEST.json").read_bytes())["files"]}
SENT = sum(query.sent for query in traffic.QUERIES)


def test_every_file_is_described_with_its_digest_and_size():
    assert manifest.files() == set(FILES)
    for path, entry in FILES.items():
        data = (HERE / path).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (entry["sha256"], entry["size"]), path


def test_the_recordings_stay_small():
    assert sum(entry["size"] for entry in FILES.values()) < 2_000_000


@pytest.mark.parametrize("path", sorted(FILES))
def test_independent_tools_count_what_the_manifest_says(path):
    """awk, grep, jq, tshark and dnstap: none of them shares code with our readers."""
    counts = FILES[path]["counts"]
    assert counts
    assert {what: manifest.count(of["command"]) for what, of in counts.items()} == {
        what: of["count"] for what, of in counts.items()
    }


def test_the_truth_is_the_traffic_that_the_script_sends():
    assert json.loads((HERE / "traffic.json").read_bytes()) == traffic.truth()


@pytest.mark.parametrize("path", sorted(path for path in FILES if path.startswith(("bind/query", "dnsmasq/"))))
def test_each_message_sent_is_one_lookup_in_the_log(path):
    assert FILES[path]["counts"]["lookups"]["count"] == SENT


def test_the_capture_has_each_message_and_each_answer():
    counts = FILES["pcap/ethernet.pcap"]["counts"]
    over_tcp = sum(query.sent for query in traffic.QUERIES if query.transport == "tcp")
    assert [counts[what]["count"] for what in ("lookups", "responses", "lookups over TCP")] == [SENT, SENT, over_tcp]


def test_answers_are_those_that_the_truth_expects_where_the_server_has_the_data():
    for row in json.loads((HERE / "seen/bind.json").read_bytes()):
        query = traffic.QUERIES[row["sequence"]]
        assert (row["rcode"], row["truncated"]) == (traffic.RCODES[query.rcode], query.truncated), query
