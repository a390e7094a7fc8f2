"""What it costs to hash a file while it is given out: whole, and in a range that leaves out its last byte, in turn.

    .venv/bin/python bench/transfer.py [--mib 512] [--rounds 6]

A range is not hashed, so both go the same way through the same web process but for that. Processor time of the web
processes alone, user and system; the reader is another process, the bytes are in the page cache.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.installation import installation
from tests.monitor.serving import served

if TYPE_CHECKING:
    from tests.scratch import Scratch

SEAL = """
import io, os
from archive.services import access, intake, sealing
ann = access.principal_of(access.ensure_user(user_name="ann"))
size = {mib} << 20
row = intake.begin_submission(principal=ann, case_reference="bench", length=size)
pieces = (os.urandom(1 << 20) for _ in range({mib}))
intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=pieces)
sealing.seal_submission(row.pk)
row.refresh_from_db()
print(row.blob_id, access.create_token(user_name="ann", scopes=["read"])[0])
"""


def processor_seconds(parent: int) -> float:
    """Of all children of a process, user and system."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def web_master() -> int:
    """The web server that this process started."""
    command = ["pgrep", "-P", str(os.getpid()), "-f", "gunicorn"]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0])


def spent(url: str, token: str, asked: str) -> float:
    master = web_master()
    before = processor_seconds(master)
    command = ["curl", "-fsS", "-o", "/dev/null", "-H", f"Authorization: Bearer {token}", "-H", f"Range: {asked}", url]
    subprocess.run(command, check=True)
    return processor_seconds(master) - before


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=6)
    said = parser.parse_args()
    with installation() as (scratch, _folder):
        compare(scratch, said.mib, said.rounds)


def compare(scratch: Scratch, mib: int, rounds: int) -> None:
    scratch.with_log(2)
    digest, token = scratch.python(SEAL.format(mib=mib)).split()
    last, ratios = (mib << 20) - 1, []
    with served(scratch) as log:
        url = f"{log.removesuffix('/log')}/api/v1/blobs/{digest}/content"
        spent(url, token, "bytes=0-9")
        for number in range(rounds):
            asked = [f"bytes=0-{last}", f"bytes=0-{last - 1}"]
            seconds = {each: spent(url, token, each) for each in (asked if number % 2 else asked[::-1])}
            whole, part = (seconds[each] / mib * 1000 for each in asked)
            ratios.append(whole / part)
            print(f"hashed {whole:.2f} ms a MiB, not hashed {part:.2f}, ratio {ratios[-1]:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
