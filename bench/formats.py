"""Zeek (TSV and JSON) and EVE to Arrow with provenance beside BIND's log, in the same run.

EVE comes twice: with records that differ in numbers alone, and with as many other events among records that differ in
which members and how many answers they have.

    .venv/bin/python bench/formats.py [--records 400000] [--rounds 2]

Records a second of wall-clock time (two threads) and of processor time; the file is hashed, nothing is written.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PART = 20_000
BIND = "04-May-2016 00:00:12.345 queries: info: client @0x7f11 10.0.{n}.7#53124 ({q}): query: {q} IN A +E(0)K (::1)\n"
FIELDS = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto trans_id rtt query qclass qclass_name qtype qtype_name rcode "
    "rcode_name AA TC RD RA Z answers TTLs rejected"
)
HEADER = "#separator \\x09\n#path\tdns\n#fields\t" + FIELDS.replace(" ", "\t") + "\n"
ZEEK = (
    "1795558147.{n:06} C1 10.0.{n}.7 53124 10.0.0.53 53 udp 7 0.000212 {q} 1 C_INTERNET 1 A 0 NOERROR F F T T 0 "
    "192.0.2.1,192.0.2.2 300.000000,300.000000 F\n"
)
TYPES = {
    name: float if name in ("ts", "rtt") else int
    for name in ("ts", "rtt", "id.orig_p", "id.resp_p", "trans_id", "qclass", "qtype", "rcode", "Z")
}
HEAD = {
    "timestamp": "2026-11-24T22:13:33.621051+0000", "flow_id": 1541494925358816, "in_iface": "eth0",
    "event_type": "dns", "src_ip": "10.0.1.7", "src_port": 53124, "dest_ip": "10.0.0.53", "dest_port": 53,
    "proto": "UDP",
}  # fmt: skip


def bind(number: int) -> str:
    return BIND.format(n=number % 200, q=f"host{number}.example.com")


def zeek(number: int) -> str:
    return ZEEK.format(n=number % 200, q=f"host{number}.example.com").replace(" ", "\t")


def zeek_json(number: int) -> str:
    """The record of `zeek` as Zeek's JSON writer makes it."""
    return json.dumps(dict(map(_member, FIELDS.split(), zeek(number).split())), separators=(",", ":")) + "\n"


def _member(name: str, written: str) -> tuple[str, object]:
    if name in ("answers", "TTLs"):
        return name, [written if name == "answers" else float(written) for written in written.split(",")]
    return name, written == "T" if written in ("T", "F") else TYPES.get(name, str)(written)


def eve(number: int) -> str:
    asked = {"rrname": f"host{number}.example.com", "rrtype": "A"}
    dns = {"type": "query", "id": number, **asked, "tx_id": 0, "opcode": 0}
    if number % 2:
        answers = [{**asked, "ttl": 300, "rdata": f"192.0.2.{at}"} for at in range(1 + number % 3)]
        dns = {
            "version": 2,
            "type": "answer",
            "flags": "8180",
            "qr": True,
            **asked,
            "rcode": "NOERROR",
            "answers": answers,
        }
    return json.dumps({**HEAD, "dns": dns}, separators=(",", ":")) + "\n"


def varied(number: int) -> str:
    """One record of `eve` with members and answers by chance, and one event of another type."""
    chance = random.Random(number)
    asked = {
        "rrname": f"{chance.getrandbits(40):x}.b-{number % 5000}.example",
        "rrtype": chance.choice(["A", "AAAA", "MX"]),
    }
    dns = {"type": "query", "id": number, **asked, "tx_id": 0, "opcode": 0}
    if number % 2:
        flags = {flag: True for flag in ("aa", "rd", "ra") if chance.random() < 0.7}
        answers = [
            {**asked, "ttl": chance.randrange(3600), "rdata": f"192.0.2.{at}"} for at in range(chance.randrange(1, 9))
        ]
        dns = {"version": 2, "type": "answer", "flags": "8180", "qr": True, **flags, **asked, "rcode": "NOERROR"}
        dns |= {"answers": answers} | ({"grouped": {"A": ["192.0.2.1"]}} if chance.random() < 0.5 else {})
    head = HEAD | {"src_ip": f"10.0.{chance.randrange(200)}.{number % 250}", "src_port": chance.randrange(1024, 65536)}
    more = chance.choice([
        {"event_type": "flow", "flow": {"bytes_toserver": number, "age": 1, "state": "new", "alerted": False}},
        {"event_type": "http", "http": {"url": f"/a/{number}", "status": 200, "length": number}},
        {"event_type": "tls", "tls": {"sni": f"x{number}.example", "version": "TLS 1.3"}},
    ])  # fmt: skip
    written = (json.dumps(event, separators=(",", ":")) for event in (head | {"dns": dns}, head | more))
    return "".join(f"{event}\n".replace("/", "\\/") for event in written)


def generate(path: Path, line: object, records: int, head: str = "") -> None:
    part = "".join(line(number) for number in range(PART)).encode()
    with path.open("wb") as file:
        file.write(head.encode())
        for _ in range(records // PART):
            file.write(part)


def rate(procedure: str, path: Path) -> tuple[int, int]:
    from evidence.formats.registry import FORMATS
    from evidence.reading.source import Source

    descriptor = os.open(path, os.O_RDONLY)
    try:
        begin, used = time.perf_counter(), time.process_time()
        rows = sum(len(batch.rows) for batch in FORMATS[procedure].read(Source(descriptor), {}).batches)
        return round(rows / (time.perf_counter() - begin)), round(rows / (time.process_time() - used))
    finally:
        os.close(descriptor)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=2)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = {f"parse.{name}": Path(folder, name) for name in ("bind@2", "zeek@1", "zeek_json@1", "eve@1")}
        generate(files["parse.bind@2"], bind, said.records)
        generate(files["parse.zeek@1"], zeek, said.records, HEADER)
        generate(files["parse.zeek_json@1"], zeek_json, said.records)
        generate(files["parse.eve@1"], eve, said.records)
        generate(mixed := Path(folder, "varied"), varied, said.records)
        for _ in range(said.rounds):
            rates = {procedure: rate(procedure, path) for procedure, path in files.items()}
            print(rates | {"parse.eve@1, varied": rate("parse.eve@1", mixed)})


if __name__ == "__main__":
    main()
