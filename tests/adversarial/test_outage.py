"""A short round of `outage.py`: S3 is gone under a running service, and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adversarial.outage import LEAST, WAYS, outage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ceph import Ceph

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(900), pytest.mark.xdist_group("ceph")]


@pytest.mark.parametrize("how", WAYS)
def test_what_was_taken_while_the_store_was_gone_is_sealed_afterwards(tmp_path: Path, ceph: Ceph, how: str) -> None:
    figures = outage(tmp_path, ceph, how=how, seconds=8, prefix=how)
    found = figures.found
    assert found.problems == [], str(figures)
    assert figures.during >= LEAST
    assert found.acknowledged >= figures.before + figures.during
    assert found.receipts == found.acknowledged + found.in_the_storm
    assert figures.said.readyz["store"].startswith(f"s3://custos-outage/{how} cannot be reached: ")
    assert {part for part, said in figures.said.readyz.items() if said != "ok"} == {"store"}
    if how == "killed":
        assert figures.said.waiting.startswith(
            f"not sealed yet, and tried again by itself: s3://custos-outage/{how} cannot keep"
        )
        assert figures.said.reading.startswith(f"503 s3://custos-outage/{how} cannot read")
