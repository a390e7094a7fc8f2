"""What is left after the storm: everything that was acknowledged, once, whole, provable, and nothing by halves."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

from client.api import ClientError, Server
from evidence.log.checkpoint import parse_checkpoint
from evidence.log.hashing import leaf_hash, tree_root
from evidence.log.note import parse_note
from evidence.log.tile import WIDTH, Tile, parse_bundle
from evidence.log.tlogproof import parse_tlog_proof
from evidence.opening import commitment, parse_receipt
from tests.journeys.service import PROGRAMS, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.adversarial.clients import Ledger, Upload
    from tests.journeys.service import Service

SETTLED_WITHIN = 600.0
HALVES = {
    "sealed without blob or event": "SELECT id FROM archive_submission WHERE state = 'sealed' AND"
    " (blob_id IS NULL OR event_id IS NULL)",
    "with blob or event but not sealed": "SELECT id FROM archive_submission WHERE state <> 'sealed' AND"
    " (blob_id IS NOT NULL OR event_id IS NOT NULL)",
    "received and never sealed": "SELECT id FROM archive_submission WHERE state = 'received'",
    "event of no submission": "SELECT id FROM archive_custodyevent WHERE type = 'ingestion' AND id NOT IN"
    " (SELECT event_id FROM archive_submission WHERE event_id IS NOT NULL)",
    "event that no checkpoint covers": "SELECT e.id FROM archive_custodyevent e LEFT JOIN archive_leaf l"
    " ON l.event_id = e.id WHERE l.index IS NULL OR l.index >= (SELECT max(size) FROM archive_checkpoint)",
}
BUSY = "SELECT 1 FROM archive_run WHERE state IN ('pending', 'running') UNION ALL SELECT 1 FROM archive_pendingleaf LIMIT 1"
DOUBLED = {
    "ingestion": "SELECT text::jsonb #>> '{detail,submission}' FROM archive_custodyevent WHERE type = 'ingestion'"
    " GROUP BY 1 HAVING count(*) > 1",
    "derivation": "SELECT text::jsonb #>> '{detail,run}' FROM archive_custodyevent WHERE type = 'creation'"
    " GROUP BY 1 HAVING count(*) > 1",
    "digest calculation": "SELECT 'digest calculations' WHERE (SELECT count(*) FROM archive_custodyevent WHERE"
    " type = 'message digest calculation' AND NOT text::jsonb->'detail' ? 'unit_tree') <> (SELECT count(*) FROM archive_submission WHERE state = 'sealed')",
    "unit tree": "SELECT o.digest FROM archive_custodyevent e JOIN archive_custodyobject o ON o.event_id = e.id"
    " WHERE e.text::jsonb->'detail' ? 'unit_tree' GROUP BY o.digest, e.case_id HAVING count(*) > 1",
    "commitment": "SELECT encode(commitment, 'hex') FROM archive_custodyevent GROUP BY commitment HAVING count(*) > 1",
}


@dataclass(slots=True)
class Reckoning:
    """Figures, and each thing that is not as it must be."""

    acknowledged: int = 0
    receipts: int = 0
    in_the_storm: int = 0
    leaves: int = 0
    lost: list[str] = field(default_factory=list)
    halves: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        return [*self.lost, *self.halves, *self.doubled, *self.broken]


def reckon(service: Service, token: str, conninfo: str, ledger: Ledger, folder: Path) -> Reckoning:
    """To be called when nothing is killed any more and the service is up."""
    found = Reckoning(lost=list(ledger.taken_back), broken=list(ledger.faults))
    uploads = [upload for upload in ledger.uploads if upload.acknowledged]
    found.acknowledged = len(uploads)
    with Server(service.url, token) as server:
        final = [(upload, receipt) for upload in uploads if (receipt := _kept(server, upload, found))]
        _one_history(server, ledger, found)
    _rows(conninfo, found)
    for name, said in (("check_ledger", "all fit"), ("fixity", "are accounted for")):
        done = _manage(service, name)
        if said not in done.stdout:
            found.broken.append(f"manage.py {name}: {done.stdout[-500:]}{done.stderr[-2000:]}")
    early = [(upload, upload.receipt) for upload in uploads if upload.receipt]
    found.in_the_storm = len(early)
    for name, pairs in (("final", final), ("early", early)):
        _verify(service, pairs, folder / name, found)
    return found


def _kept(server: Server, upload: Upload, found: Reckoning) -> bytes | None:
    """Sealed, read back equal, and its receipt; None if one of these is wanting."""
    path = f"/api/v1/submissions/{upload.submission}"
    deadline = time.monotonic() + SETTLED_WITHIN
    row: dict[str, Any] = server.steady(path)
    while row["state"] != "sealed" and time.monotonic() < deadline:
        time.sleep(0.2)
        row = server.steady(path)
    if (row["state"], row["digest"], row["size"]) != ("sealed", upload.digest, len(upload.data)):
        found.lost.append(f"{upload.submission} is {row['state']} ({row['problem']}), digest {row['digest']}")
        return None
    try:
        if server.request("GET", f"{path}/content").content != upload.data:
            found.lost.append(f"{upload.submission}: other bytes are read than were handed in")
        return server.when_ready(f"{path}/receipt", SETTLED_WITHIN)
    except ClientError as error:
        found.lost.append(f"{upload.submission}: {error}")
        return None


def _one_history(server: Server, ledger: Ledger, found: Reckoning) -> None:
    """The public entries have the root of the last checkpoint, and of every earlier one that a client was shown."""
    newest = parse_checkpoint(parse_note(server.request("GET", "/log/checkpoint").text).text)
    entries: list[bytes] = []
    for index in range(-(-newest.size // WIDTH)):
        tile = Tile(None, index, min(WIDTH, newest.size - index * WIDTH))
        entries += parse_bundle(server.request("GET", f"/log/{tile.path}").content)
    leaves = [leaf_hash(entry) for entry in entries]
    found.leaves = len(leaves)
    shown = {newest.size: newest.root}
    for upload in filter(lambda upload: upload.receipt, ledger.uploads):
        receipt = parse_receipt(upload.receipt or b"")
        proof = parse_tlog_proof(receipt.proof)
        checkpoint = parse_checkpoint(parse_note(proof.checkpoint).text)
        if shown.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            found.broken.append(f"two roots were shown for size {checkpoint.size}")
        if entries[proof.index : proof.index + 1] != [commitment(receipt.salt, receipt.event_text.encode())]:
            found.lost.append(f"{upload.submission}: leaf {proof.index} is not what its receipt of the storm says")
    forked = [size for size, root in shown.items() if size > len(leaves) or tree_root(leaves[:size]) != root]
    found.broken += [f"the checkpoint of size {size} is not of the final log" for size in forked]


def _rows(conninfo: str, found: Reckoning) -> None:
    deadline = time.monotonic() + SETTLED_WITHIN
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while connection.execute(BUSY.encode()).fetchone() and time.monotonic() < deadline:
            time.sleep(0.2)
        for name, query in HALVES.items():
            found.halves += [f"{name}: {row[0]}" for row in connection.execute(query.encode()).fetchall()]
        for name, query in DOUBLED.items():
            found.doubled += [f"doubled {name}: {row[0]}" for row in connection.execute(query.encode()).fetchall()]


def _manage(service: Service, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), name]
    return subprocess.run(command, env=service.environment, cwd=ROOT, text=True, capture_output=True, check=False)


def _verify(service: Service, pairs: list[tuple[Upload, bytes]], folder: Path, found: Reckoning) -> None:
    """By the program that strangers use, with the files beside the receipts."""
    if not pairs:
        return
    folder.mkdir(parents=True)
    for number, (upload, receipt) in enumerate(pairs):
        (folder / f"{number}.log").write_bytes(upload.data)
        (folder / f"{number}.receipt.json").write_bytes(receipt)
    done = subprocess.run(
        [str(PROGRAMS / "custos-verify"), str(folder), "--policy", str(service.home / "policy.txt"), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    report = json.loads(done.stdout)
    codes = [(item["code"], item["level"]) for item in report["findings"]]
    found.receipts += codes.count(("receipt-inclusion", "ok"))
    if done.returncode not in (0, 3) or codes.count(("receipt-inclusion", "ok")) != len(pairs):
        wrong = [item for item in report["findings"] if item["level"] == "wrong"]
        found.broken.append(f"custos-verify ended with {done.returncode} in {folder}: {wrong[:5]}")
