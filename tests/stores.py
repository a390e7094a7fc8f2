"""A pytest plugin: which store the tests run on. `--store=file`, `ceph` (real, with Object Lock) or `replicated` (both).

One Ceph serves a whole run; the workers of xdist and the processes that tests start inherit its environment. What needs
a store of a certain kind, as damage that only the owner of a folder can do, names that store itself.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path

import boto3
import pytest

from tests.ceph import Ceph

KINDS = ("file", "ceph", "replicated")
BUCKET = "custos-suite"
_KIND = "CUSTOS_TEST_STORE"
_SERVERS: list[Ceph] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", choices=KINDS, default="file", help="the store that the tests run on")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    if _KIND in os.environ:
        return
    os.environ[_KIND] = kind = early_config.known_args_namespace.store
    if kind != "file":
        server = Ceph(Path(tempfile.mkdtemp(prefix="custos-ceph-")), size=4 << 30)
        _SERVERS.append(server)
        os.environ |= server.start().environment
        boto3.client("s3").create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    for server in _SERVERS:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


def store_for(folder: Path) -> str:
    """CUSTOS_STORE of an installation whose state lies in this folder; files, where no test run said otherwise."""
    files, bucket = f"file:{folder / 'store'}", f"s3://{BUCKET}/{secrets.token_hex(6)}"
    return {"file": files, "ceph": bucket, "replicated": f"{files} {bucket}"}[os.environ.get(_KIND, "file")]
