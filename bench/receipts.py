"""Small uploads through the running service: how many a second, and how long each waits for its receipt.

    .venv/bin/python bench/receipts.py [--rate 200] [--seconds 30] [--size 4096] [--threads 8]

Two processes of so many threads hand in files of random bytes by tus 1.0, each over a connection that is kept and in
one request a file (creation-with-upload), at the given rate together or as fast as the service takes them. The wait
lasts from the answer to the last byte until a signed checkpoint over the event of the ingestion can be read, from which
on the receipt is given out. It is taken from the database, so that no asking for receipts adds to the load.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


_TUS = {"Tus-Resumable": "1.0.0"}
UNSEALED = (
    "SELECT FROM archive_submission s LEFT JOIN archive_leaf l ON l.event_id = s.event_id "
    "WHERE l.index IS NULL OR l.index >= %(size)s LIMIT 1"
)
"""Whatever was acknowledged and is not sealed and under the checkpoint of that size."""
_OFFSET_STREAM = "application/offset+octet-stream"


class Uploader(threading.Thread):
    """Hands in one file after another, at its share of the rate; `acknowledged`: when each had arrived."""

    def __init__(self, port: int, token: str, said: argparse.Namespace) -> None:
        super().__init__()
        self._port, self._said = port, said
        self._headers = {**_TUS, "Authorization": f"Bearer {token}"}
        self.acknowledged: dict[str, float] = {}

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        begin, pause = time.monotonic(), 2 * self._said.threads / self._said.rate
        for n in range(int(self._said.seconds / pause)):
            if time.monotonic() > begin + self._said.seconds:
                break
            time.sleep(max(0.0, begin + n * pause - time.monotonic()))
            submission = self._hand_in(connection, os.urandom(self._said.size))
            self.acknowledged[submission] = time.monotonic()

    def _hand_in(self, connection: http.client.HTTPConnection, data: bytes) -> str:
        said = {"Upload-Metadata": "case YmVuY2g=", "Upload-Length": str(len(data))}  # "bench"
        headers = {**self._headers, **said, "Content-Type": _OFFSET_STREAM}
        connection.request("POST", "/api/v1/uploads", body=data, headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Upload-Offset"]) == (201, str(len(data))), answer.status
        return str(answer.headers["Location"].rsplit("/", 1)[1])


def upload(said: argparse.Namespace) -> None:
    """One process of uploaders; prints when each upload was acknowledged."""
    uploaders = [Uploader(said.port, os.environ["CUSTOS_TOKEN"], said) for _ in range(said.threads)]
    begin = time.monotonic()
    for each in uploaders:
        each.start()
    for each in uploaders:
        each.join()
    acknowledged = {key: when for each in uploaders for key, when in each.acknowledged.items()}
    print(json.dumps({"seconds": time.monotonic() - begin, "acknowledged": acknowledged}))


def report(said: list[dict[str, Any]], index: dict[str, int], seen: list[tuple[float, int]]) -> None:
    waits = sorted(
        next(when for when, size in seen if size > index[submission]) - arrived
        for each in said
        for submission, arrived in each["acknowledged"].items()
    )
    seconds = max(each["seconds"] for each in said)
    print(
        f"{len(waits):,} uploads at {len(waits) / seconds:,.0f}/s; wait for the receipt median "
        f"{statistics.median(waits):.2f} s, p99 {waits[int(0.99 * len(waits))]:.2f} s, longest {waits[-1]:.2f} s"
    )


def measure(said: argparse.Namespace) -> None:
    import psycopg

    from bench.checkpoints import watch
    from config.sockets import socket_folder
    from tests.journeys.service import Service

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        service = Service(place / "home").start()
        try:
            environment = {**service.environment, "CUSTOS_TOKEN": service.token("bench")}
            command = [sys.executable, __file__, "--port", str(service.port)]
            for name in ("rate", "seconds", "size", "threads"):
                command += [f"--{name}", str(getattr(said, name))]
            outputs = [place / f"{n}.json" for n in range(2)]
            uploaders = []
            for path in outputs:
                with path.open("w") as output:
                    uploaders.append(subprocess.Popen(command, env=environment, stdout=output))
            conninfo = f"host={socket_folder(place / 'home' / 'pg')} user=postgres dbname=custos"
            with psycopg.connect(conninfo, autocommit=True) as connection:
                seen = list(watch(connection, uploaders, UNSEALED))
                rows = connection.execute(
                    "SELECT s.id::text, l.index FROM archive_submission s JOIN archive_leaf l USING (event_id)"
                ).fetchall()
            report([json.loads(path.read_text()) for path in outputs], dict(rows), seen)
        finally:
            service.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.port:
        upload(said)
    else:
        measure(said)


if __name__ == "__main__":
    main()
