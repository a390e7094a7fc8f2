"""Upload to receipt over loopback, against `cp` and `openssl dgst -sha256` on the same disk in the same run.

Ours are on the disk when the receipt is there; so besides is said what the peer takes with `sync` of the copy.

    .venv/bin/python bench/upload.py [--mib 1024] [--rounds 2] [--memory]

--memory besides uploads a sparse file of 4 GiB and says by how much the web processes grew.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.journeys.service import Service


def peer(path: Path, target: Path) -> tuple[float, float]:
    """Seconds without and with the copy synced."""
    begin = time.perf_counter()
    subprocess.run(["cp", str(path), str(target)], check=True)
    subprocess.run(["openssl", "dgst", "-sha256", str(target)], check=True, capture_output=True)
    plain = time.perf_counter() - begin
    subprocess.run(["sync", str(target)], check=True)
    synced = time.perf_counter() - begin
    target.unlink()
    return plain, synced


def ours(service: Service, path: Path, token: str) -> float:
    begin = time.perf_counter()
    service.json("custos", "upload", str(path), "--case", "bench", token=token)
    return time.perf_counter() - begin


def web_memory(service: Service) -> int:
    """The largest resident set of a web process, in KiB."""
    sizes = [0]
    for line in service.processes():
        if "gunicorn" in line:
            status = Path(f"/proc/{line.split()[0]}/status").read_text()
            sizes += [int(row.split()[1]) for row in status.splitlines() if row.startswith("VmHWM")]
    return max(sizes)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--memory", action="store_true")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        service = Service(place / "home").start()
        try:
            token = service.token("bench")
            for number in range(1, said.rounds + 1):
                path = place / f"{number}.raw"
                with path.open("wb") as file:
                    for _ in range(said.mib):
                        file.write(os.urandom(1 << 20))
                os.sync()
                plain, synced = peer(path, place / "copy")
                got = ours(service, path, token)
                print(
                    f"round {number}: {said.mib} MiB {got:.2f} s; cp + openssl {plain:.2f} s, ratio {got / plain:.2f}; "
                    f"with sync {synced:.2f} s, ratio {got / synced:.2f}",
                    flush=True,
                )
                path.unlink()
            if said.memory:
                before = web_memory(service)
                path = place / "sparse.raw"
                with path.open("wb") as file:
                    file.truncate(4 << 30)
                seconds = ours(service, path, token)
                print(f"4 GiB in {seconds:.1f} s; web process grew by {(web_memory(service) - before) / 1024:.1f} MiB")
        finally:
            service.stop()


if __name__ == "__main__":
    main()
