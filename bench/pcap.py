"""A capture to Parquet with provenance, against `tshark -T fields` of the same fields, in the same run.

    .venv/bin/python bench/pcap.py [--packets 1000000] [--rounds 2]

Two captures: plain UDP, and one in which every fifth answer begins with an alias and every fiftieth exchange goes over
TCP. Packets a second are of wall-clock time; seconds of processor time stand beside, for a machine that others use too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.evidence.formats.packets import (
    ACK,
    FIN,
    SERVER,
    SYN,
    ethernet,
    framed,
    ip,
    message,
    name,
    question,
    record,
    tcp,
    udp,
)

FIELDS = (
    "frame.number", "frame.time_epoch", "ip.src", "udp.srcport", "dns.qry.name", "dns.qry.type", "dns.flags.rcode",
    "dns.a",
)  # fmt: skip
OPT = b"\0" + struct.pack(">HHIH", 41, 1232, 0x8000, 0)
PART = 50_000
"""So many packets are made; the rest repeats them at later times."""


def generate(path: Path, packets: int, *, is_mixed: bool) -> None:
    chance, made = random.Random(5), []
    while len(made) < min(PART, packets):
        made += _exchange(chance, len(made), is_mixed=is_mixed)
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(packets):
            packet = made[number % len(made)]
            stamp = divmod(1_700_000_000_000_000 + 20 * number, 1_000_000)
            file.write(struct.pack("<IIII", *stamp, len(packet), len(packet)) + packet)


def _exchange(chance: random.Random, number: int, *, is_mixed: bool) -> list[bytes]:
    asked = name(chance.choice([b"www", b"mail", b"api"]), b"host%d" % chance.randrange(20000), b"example", b"com")
    client, port = (
        f"10.{chance.randrange(4)}.{chance.randrange(256)}.{chance.randrange(1, 255)}",
        chance.randrange(1024, 65536),
    )
    more = [OPT] if chance.random() < 0.5 else []
    records = [
        record(b"\xc0\x0c", 1, bytes(chance.randrange(256) for _ in range(4))) for _ in range(chance.randrange(3))
    ]
    if is_mixed and chance.random() < 0.2:
        records = [record(b"\xc0\x0c", 5, name(b"alias", b"example", b"net")), *records]
    query = message([question(asked)], additional=more, number=number & 0xFFFF)
    answer = message([question(asked)], records, additional=more, flags=0x8180, number=number & 0xFFFF)
    if is_mixed and chance.random() < 0.02:
        sides = (
            [tcp(b"", 99, SYN, port), tcp(framed(query), 100, FIN | ACK, port)],
            [tcp(b"", 499, SYN | ACK, 53, port), tcp(framed(answer), 500, FIN | ACK, 53, port)],
        )
        return [_sent(part, client, 6) for part in sides[0]] + [_sent(part, client, 6, back=True) for part in sides[1]]
    return [_sent(udp(query, port), client, 17), _sent(udp(answer, 53, port), client, 17, back=True)]


def _sent(part: bytes, client: str, protocol: int, *, back: bool = False) -> bytes:
    ends = (SERVER, client) if back else (client, SERVER)
    return ethernet(ip(part, protocol, *ends))


def ours(path: Path, folder: Path) -> None:
    from evidence.digest import Digest, hash_stream
    from evidence.procedures import PROCEDURES

    with path.open("rb") as file:
        digest, _ = hash_stream(iter(lambda: file.read(1 << 20), b""))
    begin, used = time.perf_counter(), time.process_time()
    PROCEDURES[f"parse.{path.suffix[1:]}@1"].run({"source": path}, {"source": Digest(digest.hex)}, {}, folder)
    report(begin, time.process_time() - used, resource.RUSAGE_SELF)


def peer(path: Path, folder: Path) -> None:
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", *(part for field in FIELDS for part in ("-e", field))]
    begin = time.perf_counter()
    with (folder / "fields.txt").open("wb") as out:
        subprocess.run(command, check=True, stdout=out, stderr=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    report(begin, used.ru_utime + used.ru_stime, resource.RUSAGE_CHILDREN)


def report(begin: float, used: float, whose: int) -> None:
    peak = resource.getrusage(whose).ru_maxrss / 1024
    print(json.dumps({"seconds": time.perf_counter() - begin, "used": used, "peak_mib": peak}))


def measure(side: str, path: Path) -> dict[str, float]:
    """Our side has the environment of the archive's reader process."""
    from evidence.sandbox import ENVIRONMENT

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--side", side, "--path", str(path), "--folder", folder]
        environment = os.environ | (ENVIRONMENT if side == "ours" else {})
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def compare(path: Path, packets: int, rounds: int) -> None:
    for number in range(1, rounds + 1):
        got = {side: measure(side, path) for side in ("ours", "peer")}
        rate = {side: packets / value["seconds"] for side, value in got.items()}
        print(
            f"round {number}: "
            + "; ".join(
                f"{side} {rate[side]:,.0f} packets/s, {value['used']:.1f} s of processor, {value['peak_mib']:,.0f} MiB"
                for side, value in got.items()
            )
            + f"; ratio {rate['ours'] / rate['peer']:.1f}, of processor {got['peer']['used'] / got['ours']['used']:.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--side")
    parser.add_argument("--path", type=Path)
    parser.add_argument("--folder", type=Path)
    said = parser.parse_args()
    if said.side:
        {"ours": ours, "peer": peer}[said.side](said.path, said.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("plain", "mixed"):
            path = Path(folder) / f"{kind}.pcap"
            generate(path, said.packets, is_mixed=kind == "mixed")
            print(f"{kind}: {said.packets:,} packets, {path.stat().st_size / 1e6:,.0f} MB")
            compare(path, said.packets, said.rounds)


if __name__ == "__main__":
    main()
