"""A short round of `kills.py`, whose long one is `make kills`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adversarial.kills import storm

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ceph import Ceph

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(900)]


@pytest.mark.xdist_group("lifecycle")
def test_nothing_acknowledged_is_lost_when_processes_are_killed(tmp_path: Path) -> None:
    figures = storm(tmp_path, kills=12, seed=4)
    assert figures.found.problems == [], str(figures)
    assert figures.kills.total() == 12
    assert figures.found.acknowledged > 0
    assert figures.found.receipts == figures.found.acknowledged + figures.found.in_the_storm


@pytest.mark.xdist_group("ceph")
def test_nor_when_the_bytes_lie_in_s3(tmp_path: Path, ceph: Ceph) -> None:
    figures = storm(tmp_path, kills=4, seed=5, **ceph.environment, CUSTOS_STORE="s3://custos-kills/short")
    assert figures.found.problems == [], str(figures)
    assert figures.kills.total() == 4
    assert figures.found.acknowledged > 0
