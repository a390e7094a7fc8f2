"""Every format is in the docs and in the contract that keeps formats apart."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from evidence.formats import registry
from evidence.formats.registry import FORMATS
from evidence.recognition import recognise
from tests.evidence.formats.readers import check_way_back

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("procedure", FORMATS)
def test_a_format_is_described(procedure: str) -> None:
    assert f"`{procedure}`" in (ROOT / "docs/formats.md").read_text()


def test_no_format_may_import_another() -> None:
    contract = (
        (ROOT / ".importlinter").read_text().partition("[importlinter:contract:formats]")[2].partition("[import")[0]
    )
    named = {line.strip() for line in contract.splitlines() if line.strip().startswith("evidence.formats.")}
    assert {value.__name__ for value in vars(registry).values() if isinstance(value, ModuleType)} == named


UNRECORDED = {
    "parse.dnsmasq_dated@1": b"2026-11-24T22:11:57+01:00 gw dnsmasq[1]: query[A] %b.example from ::1\n",
    "parse.powerdns_dated@1": b"2026-11-24T22:11:57Z gw pdns[1]: Remote ::1 wants '%b.example|A', do = 0, bufsize = 512\n",
    "parse.dnsdist_undated@1": b"Nov 24 22:11:57 Got query for %b.example|A from 192.0.2.17:53, relayed to 192.0.2.1:53\n",
    "parse.dnsdist_dated@1": b"Nov 24 22:11:57 gw dnsdist[1]: [1795558373.8] Packet from [::1]:53 for %b. A with id 1\n",
    "parse.lookup_lines@1": b"2016-05-04 04:09:51 %b.example A 192.0.2.17\n",
}
"""Formats of which no recording is at hand."""


VARIANTS = [
    ("parse.bind@2", b"24-Nov-2006 22:13:33.627 client 192.0.2.1#53: view v: query: %b.example IN A -SE\n"),
    ("parse.bind@2", b"24-Nov-2026 22:13:33.627 client @0x7f 192.0.2.1#53 (a): query: %b.example IN A +E(0)SV (::1#53)\n"),
    ("parse.bind_syslog_dated@1", b"Nov 24 22:13:33 ns1 named[1]: 24-Nov-2026 22:13:33.627 queries: info: client ::1#5 (a): query: %b.example IN A +\n"),
    ("parse.coredns@1", b'::1 - [30/Mar/2018:12:49:00 +0200] 29008 "A IN %b.example. udp 41 false 4096" NOERROR qr,rd 68 1.5ms\n'),
    ("parse.coredns@1", b'2026-11-24T22:13:33.627662001Z stdout F [INFO] [::1]:5 - 2 "A IN %b.example. udp 41 true 4096" NOERROR qr 68 1s\n'),
    ("parse.dnsdist@1", b"Packet cache hit for query for %b.example|A from [::1]:20014 (DoTCP, 33 bytes)\n"),
    ("parse.dnsdist@1", b"Query from 127.0.0.11:20014 for %b.example. dropped because of dynamic block\n"),
    ("parse.dnsmasq@1", b"dnsmasq[1]: query[A] %b.example from 172.17.0.3\n"),
    ("parse.unbound@1", b"[1795558240] edge-1[7:0] info: 127.0.0.11 %b.example. A IN\n"),
    ("parse.lookup_lines@1", b"2016-05-04 04:09:51,%b.example,A,192.0.2.17\n"),
]  # fmt: skip
"""Lines as other releases and other surroundings write them than those that are recorded."""


@pytest.mark.parametrize(("procedure", "line"), VARIANTS)
def test_each_row_of_a_variant_is_made_again_from_its_own_bytes(procedure: str, line: bytes) -> None:
    data = b"".join(line % b"n%d" % number for number in range(20)) + b"nonsense\n"
    assert recognise(data).procedure == procedure
    assert check_way_back(FORMATS[procedure], data) == 20


@pytest.mark.parametrize("procedure", UNRECORDED)
def test_each_row_is_made_again_from_its_own_bytes(procedure: str) -> None:
    data = b"".join(UNRECORDED[procedure] % b"n%d" % number for number in range(50)) + b"nonsense\n"
    assert check_way_back(FORMATS[procedure], data) == 50
