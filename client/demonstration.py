"""`custos demo`: the founding case as a reconstruction, filed like anybody's, fetched and checked offline."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from client.api import ClientError, Server
from client.fetch import fetch
from client.upload import upload, wait
from evidence import reconstruction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CASE = "founding-case-reconstruction"
PATIENCE = 600.0
WANTED = {"lookups": 3570, "client-1": 2820, "client-2": 714, "sightings": 2, "matched": 2, "unmatched": 0}
TIME_CODES = {"timestamp-absent", "timestamp-authority"}


@dataclass(slots=True)
class Demonstration:
    """What the demonstration found; `verified` only if every number was followed to its bytes."""

    case: str
    submissions: dict[str, str] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    shares: dict[str, str] = field(default_factory=dict)
    verifications: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def is_undated(self) -> bool:
        """Whether a check found no timestamp that it could verify."""
        found = (item for said in self.verifications for item in said["findings"] if item["level"] != "ok")
        return any(item["code"] in TIME_CODES for item in found)


def demonstrate(server: Server, folder: Path, policy: Path, say: Callable[[str], None]) -> Demonstration:
    """Everything from the files to the check. Raises `ClientError` if the server or a step fails."""
    folder.mkdir(parents=True, exist_ok=True)
    done = Demonstration(case=_case(server))
    for key, name, data in (
        ("log", "reconstruction-queries.log", b"".join(reconstruction.query_log())),
        ("sightings", "reconstruction-sightings.csv", reconstruction.sightings_csv()),
    ):
        path = folder / name
        path.write_bytes(data)
        say(f"uploading {name} ({len(data):,} bytes, synthetic)")
        about = {
            "case": done.case,
            "note": "reconstruction of the founding case; synthetic",
            "names": reconstruction.NAME,
        }
        done.submissions[key] = upload(server, path, about, lambda _: None, folder / f"{name}.receipt.json").submission
    for submission in (*done.submissions.values(), *done.submissions.values()):
        wait(server, submission, PATIENCE)
    _results(server, done)
    for key, result in done.results.items():
        target = folder / key
        fetch(server, result, target)
        _verify(target, policy, done)
    done.problems += [
        f"{key}: got {done.counts.get(key)}, wanted {value}"
        for key, value in WANTED.items()
        if done.counts.get(key) != value
    ]
    return done


def _case(server: Server) -> str:
    """Its id; founded as a reconstruction, which every page about it then says. Raises `ClientError`."""
    about = {"slug": CASE, "title": "The founding case, reconstructed", "reconstruction": True}
    found: dict[str, Any] = server.request("POST", "/api/v1/cases", json=about).json()
    return str(found["id"])


def _results(server: Server, done: Demonstration) -> None:
    found = server.json(f"/api/v1/results?submission={done.submissions['log']}")["results"]
    for key, procedure in (("concentration", "querier_concentration@1"), ("crosscheck", "sighting_match@1")):
        matching = [item for item in found if item["procedure"] == procedure and item["result"]]
        if not matching:
            raise ClientError(f"no result of {procedure} came about: {[item['problem'] for item in found]}")
        done.results[key] = matching[-1]["id"]
        value = server.json(matching[-1]["result"])
        done.answers.append(value["answer"])
        for item in value["findings"]:
            done.counts[item["name"]] = item["value"]
            if "share" in item:
                done.shares[item["name"]] = item["share"]["percent"]


def _verify(folder: Path, policy: Path, done: Demonstration) -> None:
    """In a process of its own that has no server, no network and no database to ask."""
    command = [sys.executable, "-m", "evidence", str(folder), "--policy", str(policy), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        said: dict[str, Any] = json.loads(ran.stdout)
    except ValueError as error:
        raise ClientError(f"custos-verify said nothing that can be read: {ran.stderr[-1000:]}") from error
    done.verifications.append(said)
    open_findings = [item for item in said["findings"] if item["level"] != "ok"]
    for item in open_findings:
        if item["level"] == "wrong" or item["code"] not in TIME_CODES:
            done.problems.append(f"{folder.name}: {item['code']}: {item['message']}")
    if ran.returncode not in (0, 3):
        done.problems.append(f"custos-verify {folder} ended with {ran.returncode}")
    numbers = {item["finding"]: item for item in said["numbers"]}
    result = json.loads(next(folder.glob("*.result.json")).read_bytes())
    for finding in result["findings"]:
        got = numbers.get(finding["name"], {}).get("ranges")
        if got != finding["value"]:
            done.problems.append(f"{folder.name}: {finding['name']} has {got} byte ranges, wanted {finding['value']}")
