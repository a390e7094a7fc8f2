"""A store gives other bytes than were sealed: over HTTP no transfer of them ends as if they were whole."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.monitor.serving import served
from tests.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(600)]
LARGE, SMALL = 5 << 20, 100
SEAL = """
import random
from archive.services import access, intake, sealing
ann = access.principal_of(access.ensure_user(user_name="ann"))
for size in ({sizes}):
    data = random.Random(size).randbytes(size)
    row = intake.begin_submission(principal=ann, case_reference="case-a", length=size)
    intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=[data])
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    print(row.blob_id, row.blob.place)
print(access.create_token(user_name="ann", scopes=["read"])[0])
"""


@pytest.fixture
def scratch(tmp_path: Path):
    with Scratch(tmp_path / "home") as made:
        made.environment["CUSTOS_STORE"] = f"file:{tmp_path / 'store'}"
        made.with_log(2)
        yield made


def received(url: str, token: str, asked: str = "") -> tuple[int, bytes, bool]:
    """Status, bytes, and whether the transfer came to its end."""
    got = bytearray()
    headers = {"Authorization": f"Bearer {token}"} | ({"Range": asked} if asked else {})
    with httpx.stream("GET", url, headers=headers, timeout=60) as answer:
        try:
            for piece in answer.iter_raw():
                got += piece
        except httpx.TransportError:
            return answer.status_code, bytes(got), False
    return answer.status_code, bytes(got), True


def test_a_transfer_of_wrong_bytes_is_broken_off_told_and_looked_at_next(scratch: Scratch, tmp_path: Path) -> None:
    *sealed, token = scratch.python(SEAL.format(sizes=f"{LARGE}, {SMALL}")).splitlines()
    places = dict(line.split(" ") for line in sealed)
    with served(scratch) as log:
        at = [f"{log.removesuffix('/log')}/api/v1/blobs/{digest}/content" for digest in places]
        for url, size in zip(at, (LARGE, SMALL), strict=True):
            assert received(url, token) == (200, random.Random(size).randbytes(size), True)
        for place in places.values():
            path = tmp_path / "store" / place
            data = bytearray(path.read_bytes())
            data[3] ^= 1
            path.chmod(0o644)
            path.write_bytes(data)
        status, got, is_ended = received(at[0], token)
        assert (status, is_ended) == (200, False)
        assert 0 < len(got) < LARGE
        assert received(at[0], token, "bytes=0-99")[::2] == (206, True)
        status, got, _ = received(at[1], token)
        assert (status, b"have the digest" in got) == (503, True)
    assert scratch.rows("SELECT kind, subject FROM archive_alarm WHERE ended IS NULL ORDER BY raised") == [
        ("damage", digest) for digest in places
    ]
    said = scratch.refused("fixity", "--older-than-days", "30")
    assert "2 of 2 blobs are not whole" in said
