"""Stores of each kind, and what is put into them."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import TYPE_CHECKING

import pytest

from archive.storage.replicated import ReplicatedStore
from archive.storage.s3 import S3Store
from archive.storage.store import Keeping
from archive.storage.worm import FileStore
from evidence.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path

    from archive.storage.store import BlobStore


@pytest.fixture
def s3(ceph, tmp_path: Path, monkeypatch) -> S3Store:
    for name, value in ceph.environment.items():
        monkeypatch.setenv(name, value)
    store = S3Store("custos-tests", f"run-{secrets.token_hex(4)}", tmp_path)
    store.prepare()
    return store


@pytest.fixture
def store(request, tmp_path: Path) -> BlobStore:
    parts = []
    for number, kind in enumerate(request.param.split("+")):
        parts.append(
            request.getfixturevalue("s3")
            if kind == "s3"
            else FileStore(tmp_path / f"store-{number}", linking="+" not in request.param)
        )
    return parts[0] if len(parts) == 1 else ReplicatedStore(parts)


def soon(days: int = 1) -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=days)


def put(store: BlobStore, folder: Path, data: bytes, keeping: Keeping | None = None) -> str:
    source = folder / secrets.token_hex(4)
    source.write_bytes(data)
    locator = store.put(source, Digest.of(data), keeping or Keeping(until=soon()))
    source.unlink()
    return locator


def read(store: BlobStore, locator: str) -> bytes:
    return b"".join(store.open_range(locator, 0, store.stat(locator).size))
