"""The sequencer: events integrated a second, time of a proof, and the wait for a receipt under load.

    .venv/bin/python bench/ledger.py [--leaves 1000000] [--events 50000] [--seconds 60] [--rate 200]

Integration is measured on top of a ledger of so many leaves, against COPY of the same rows into a bare table, with a
commit as often, by the same PostgreSQL (as embedded: synced commits). The wait is measured through the whole running
service: two processes record events, a transaction each, at the given rate together; the service's own worker places
them. It lasts from the commit until a checkpoint over the event can be read.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


BATCH = 5_000
EVENTS = """
INSERT INTO archive_custodyevent (id, type, time, outcome, text, salt, commitment)
SELECT gen_random_uuid(), 'access', now(), 'success', repeat('x', 400), sha256(n::text::bytea), sha256(n::text::bytea)
FROM generate_series(%s::int, %s::int) n
"""
LEAVES = """
INSERT INTO archive_leaf (index, event_id, hash)
SELECT row_number() OVER (ORDER BY id) - 1, id, sha256('\\x00'::bytea || commitment) FROM archive_custodyevent
"""
PENDING = """
INSERT INTO archive_pendingleaf (event_id) SELECT id FROM archive_custodyevent e
WHERE NOT EXISTS (SELECT FROM archive_leaf l WHERE l.event_id = e.id)
"""


def fill(leaves: int) -> None:
    """A ledger as if it had grown: leaves, tile roots, and a checkpoint."""
    from django.db import connection, transaction

    from archive.models import Leaf, TileRoot
    from archive.services import sequencing
    from evidence.log import tree

    with connection.cursor() as cursor:
        cursor.execute(EVENTS, [1, leaves])
        cursor.execute(LEAVES)
        edge = tree.Edge(0, ())
        rows = Leaf.objects.order_by("index").values_list("hash", flat=True).iterator(chunk_size=1 << 16)
        edge, full = tree.append(edge, [bytes(leaf) for leaf in rows])
        TileRoot.objects.bulk_create(TileRoot(level=t.level, index=t.index, hash=t.hash) for t in full)
        with transaction.atomic():
            sequencing._sign(edge)  # noqa: SLF001 -- a ledger is made up here, and not by its service
        cursor.execute("VACUUM ANALYZE")


def integrate(leaves: int, events: int) -> float:
    """Events a second, from waiting to signed."""
    from django.db import connection

    from archive.services import sequencing

    with connection.cursor() as cursor:
        cursor.execute(EVENTS, [leaves + 1, leaves + events])
        cursor.execute(PENDING)
    begin = time.perf_counter()
    placed = sequencing.sequence_pending()
    seconds = time.perf_counter() - begin
    assert placed == events
    return events / seconds


def copy(conninfo: str, leaves: int, events: int) -> float:
    """Rows a second: the same leaves into a bare table with the same keys."""
    import psycopg

    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute("CREATE TABLE bare (index bigint PRIMARY KEY, event uuid UNIQUE, hash bytea)")
        rows = connection.execute(
            "SELECT index, event_id, hash FROM archive_leaf WHERE index >= %s ORDER BY index LIMIT %s", [leaves, events]
        ).fetchall()
        begin = time.perf_counter()
        for start in range(0, len(rows), BATCH):
            with connection.transaction(), connection.cursor().copy("COPY bare FROM STDIN") as target:
                for row in rows[start : start + BATCH]:
                    target.write_row(row)
        return len(rows) / (time.perf_counter() - begin)


def proofs(leaves: int, count: int = 300) -> dict[str, float]:
    """Milliseconds for an inclusion proof of a leaf anywhere, and for a tile."""
    from archive.services import sequencing
    from evidence.log.proof import inclusion_proof

    size = sequencing.latest_checkpoint().size
    taken: dict[str, list[float]] = {"proof": [], "tile": []}
    for _ in range(count):
        index = random.randrange(leaves)
        begin = time.perf_counter()
        inclusion_proof(index, size, sequencing.Tiles(size).subtree_root)
        taken["proof"].append(time.perf_counter() - begin)
        start = index - index % 256
        begin = time.perf_counter()
        sequencing.level_hashes(0, start, min(start + 256, size))
        taken["tile"].append(time.perf_counter() - begin)
    return {
        f"{name} {quantile}": round(1000 * value, 2)
        for name, values in taken.items()
        for quantile, value in (("median", statistics.median(values)), ("p99", at(values, 0.99)))
    }


def at(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def ledger(leaves: int, events: int, rounds: int) -> None:
    """Runs in a process of its own, on an embedded server of its own."""
    from config.embedded import postgres

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        server = postgres.start(place / "pg")
        try:
            conninfo = server.conninfo("postgres")
            os.environ |= {"DATABASE_URL": conninfo, "CUSTOS_HOME": str(place / "home")}
            os.environ |= {"CELERY_BROKER_URL": "memory://"}
            from django.core.management import call_command

            import config.celery  # noqa: F401 -- sets Django up

            call_command("migrate", verbosity=0)
            call_command("make_keys", stdout=sys.stderr)
            fill(leaves)
            for number in range(1, rounds + 1):
                before = leaves + (number - 1) * events
                got, peer = integrate(before, events), copy(conninfo, before, events)
                print(
                    f"round {number}: on top of {before:,} leaves {got:,.0f} events/s; COPY {peer:,.0f} rows/s; "
                    f"ratio {got / peer:.2f}",
                    flush=True,
                )
            print(f"ms at {leaves + rounds * events:,} leaves: {proofs(leaves)}", flush=True)
        finally:
            server.stop()


def write(rate: float, seconds: float) -> None:
    """Record events at a rate; print when each was committed."""
    from django.db import transaction

    import config.celery  # noqa: F401 -- sets Django up, and is the app that nudges
    from archive.services import access
    from archive.services.custody import record_event

    who = access.principal_of(access.ensure_user(user_name="bench"))
    case = access.ensure_case(principal=who, reference="bench")
    committed: dict[str, float] = {}
    times: list[float] = []
    begin = time.monotonic()
    for n in range(int(rate * seconds)):
        time.sleep(max(0.0, begin + n / rate - time.monotonic()))
        with transaction.atomic():
            transaction.on_commit(lambda: times.append(time.monotonic()))
            event = record_event(case=case, type="access", objects=[], detail={"n": n}).event
        committed[str(event.pk)] = times[-1]
    print(json.dumps({"seconds": time.monotonic() - begin, "committed": committed}))


def wait(rate: float, seconds: float) -> None:
    """Through the running service; by two writers."""
    import psycopg

    from bench.checkpoints import watch
    from config.sockets import socket_folder
    from tests.journeys.service import Service

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        service = Service(place / "home").start()
        try:
            service.token("bench")
            command = [sys.executable, __file__, "--side", "write", "--rate", str(rate / 2), "--seconds", str(seconds)]
            outputs = [place / f"{n}.json" for n in range(2)]
            writers = []
            for path in outputs:
                with path.open("w") as output:
                    writers.append(subprocess.Popen(command, env=service.environment, stdout=output))
            conninfo = f"host={socket_folder(place / 'home' / 'pg')} user=postgres dbname=custos"
            with psycopg.connect(conninfo, autocommit=True) as connection:
                seen = list(watch(connection, writers, "SELECT FROM archive_pendingleaf LIMIT 1"))
                said = [json.loads(path.read_text().splitlines()[-1]) for path in outputs]
                rows = connection.execute("SELECT event_id::text, index FROM archive_leaf").fetchall()
            report(said, dict(rows), seen)
        finally:
            service.stop()


def report(said: list[dict[str, Any]], index: dict[str, int], seen: list[tuple[float, int]]) -> None:
    waits = []
    for each in said:
        for event, committed in each["committed"].items():
            readable = next(when for when, size in seen if size > index[event])
            waits.append(readable - committed)
    seconds = max(each["seconds"] for each in said)
    print(
        f"{len(waits):,} events at {len(waits) / seconds:,.0f}/s, {len(seen)} checkpoints in {seconds:.0f} s; "
        f"wait median {statistics.median(waits):.2f} s, p99 {at(waits, 0.99):.2f} s, longest {max(waits):.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--side", choices=("ledger", "write", "wait"))
    said = parser.parse_args()
    if said.side == "write":
        write(said.rate, said.seconds)
    if said.side in (None, "ledger"):
        ledger(said.leaves, said.events, said.rounds)
    if said.side in (None, "wait"):
        wait(said.rate, said.seconds)


if __name__ == "__main__":
    main()
