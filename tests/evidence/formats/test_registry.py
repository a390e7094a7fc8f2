"""Every format is in the docs and in the contract that keeps formats apart."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from evidence.formats import registry
from evidence.formats.registry import FORMATS
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


@pytest.mark.parametrize("procedure", UNRECORDED)
def test_each_row_is_made_again_from_its_own_bytes(procedure: str) -> None:
    data = b"".join(UNRECORDED[procedure] % b"n%d" % number for number in range(50)) + b"nonsense\n"
    assert check_way_back(FORMATS[procedure], data) == 50
