"""The main job, end to end: bytes in, numbers out, checked by somebody who trusts none of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.journeys.service import Service

pytestmark = [pytest.mark.xdist_group("journeys"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def demo(service: Service, tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("demo") / "files"
    return json.loads(service.run("custos", "demo", "--json", "--folder", str(folder)).stdout)


def verify(folder: Path, policy: Path) -> tuple[int, dict]:
    """In a process that has no server to ask: an empty environment, another folder."""
    done = subprocess.run(
        [sys.executable, "-I", "-m", "evidence", str(folder), "--policy", str(policy), "--json"],
        cwd=folder.parent, env={"PATH": "/nonexistent"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout)


def test_the_numbers_are_the_published_ones_and_all_verified(demo) -> None:
    assert demo["verified"] is True
    counts = demo["counts"]
    assert (counts["client-1"], counts["client-2"], counts["lookups"]) == (2820, 714, 3570)
    assert (counts["sightings"], counts["matched"], counts["unmatched"]) == (2, 2, 0)
    assert (demo["shares"]["client-1"], demo["shares"]["client-2"]) == ("78.99", "20.00")


@pytest.mark.parametrize("part", ["concentration", "crosscheck"])
def test_each_number_is_followed_to_its_byte_ranges_elsewhere_and_one_flipped_byte_is_found(
    demo, service: Service, tmp_path: Path, part: str
) -> None:
    folder, policy = tmp_path / "elsewhere" / part, tmp_path / "policy.txt"
    shutil.copytree(Path(demo["folder"]) / part, folder)
    shutil.copy(service.home / "policy.txt", policy)
    status, said = verify(folder, policy)
    assert status == 3
    assert {item["code"] for item in said["findings"] if item["level"] != "ok"} == {"timestamp-absent"}
    ranges = {item["finding"]: item["ranges"] for item in said["numbers"]}
    assert ranges.items() <= {**demo["counts"]}.items()
    assert len(ranges) > 4
    for path in sorted(folder.iterdir()):
        data = bytearray(path.read_bytes())
        if not data:
            continue
        data[len(data) * 2 // 3] ^= 0x04
        path.write_bytes(data)
        status, said = verify(folder, policy)
        assert status == 1, path.name
        wrong = [item for item in said["findings"] if item["level"] == "wrong"]
        assert any(path.name in json.dumps(item) for item in wrong), path.name
        data[len(data) * 2 // 3] ^= 0x04
        path.write_bytes(data)


def test_filing_it_again_keeps_the_bytes_once(demo, service: Service, tmp_path: Path) -> None:
    again = json.loads(service.run("custos", "demo", "--json", "--folder", str(tmp_path / "again")).stdout)
    assert again["verified"] is True
    assert again["submissions"]["log"] != demo["submissions"]["log"]
    assert again["results"] == demo["results"]
