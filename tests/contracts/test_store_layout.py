"""docs/store-layout.md run as it stands: files are found and checked with sha256sum alone, in a folder and from S3."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from typing import TYPE_CHECKING

import boto3
import pytest

from archive import wiring
from tests.archive.conftest import home
from tests.archive.services.conftest import ann, hand_in
from tests.scratch import ROOT

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ann", "hand_in", "home"]
pytestmark = [pytest.mark.xdist_group("ceph"), pytest.mark.enable_socket, pytest.mark.django_db]
COMMANDS = re.findall(r"(?:^    .+\n)+", (ROOT / "docs/store-layout.md").read_text(), re.MULTILINE)


@pytest.fixture(params=["file", "s3"])
def sealed(request, hand_in, settings, tmp_path: Path):
    """A store with two submissions, as a folder on this machine; and the first of the two."""
    folder = tmp_path / "top"
    if request.param == "s3":
        for name, value in request.getfixturevalue("ceph").environment.items():
            request.getfixturevalue("monkeypatch").setenv(name, value)
    prefix = f"layout-{secrets.token_hex(4)}"
    settings.CUSTOS_STORE = f"s3://custos-tests/{prefix}" if request.param == "s3" else f"file:{folder}"
    wiring.store.cache_clear()
    row = hand_in(b"abc\n", file_name="secret-name.log", note="from a friend")
    hand_in(os.urandom(100_000))
    if request.param == "s3":
        sync("custos-tests", f"{prefix}/", folder)
    else:
        (folder / row.blob.place).with_name(f".{'0' * 16}").write_bytes(b"ab")  # as a process that was killed leaves it
    return folder, row


def sync(bucket: str, prefix: str, folder: Path) -> None:
    """What `aws s3 sync` does."""
    client = boto3.client("s3")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page["Contents"]:
            path = folder / item["Key"].removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-euc", command], cwd=folder, capture_output=True, text=True, check=False)


def test_every_command_of_the_document_does_what_it_says(sealed, tmp_path: Path) -> None:
    folder, row = sealed
    (tmp_path / "mine").write_bytes(b"abc\n")
    assert len(COMMANDS) == 4
    said = [
        run(command.replace("<id>", str(row.pk)).replace("FILE", str(tmp_path / "mine")), folder)
        for command in COMMANDS
    ]
    assert [done.returncode for done in said] == [0] * 4, [done.stderr for done in said]
    assert [done.stdout.count(": OK\n") for done in (said[0], said[1], said[3])][:2] == [1, 2]
    assert said[2].stdout.strip() == f"sha256/{row.blob_id[7:9]}/{row.blob_id[9:11]}/{row.blob_id[7:]}"
    assert said[3].stdout.count(": OK\n") == len(list((folder / "sha256").glob("*/*/[!.]*")))


def test_a_changed_file_is_found_by_each_check(sealed) -> None:
    folder, row = sealed
    path = next((folder / "sha256").rglob(row.blob_id.removeprefix("sha256:")))
    path.chmod(0o644)
    path.write_bytes(b"abd\n")
    for number in (0, 1, 3):
        done = run(COMMANDS[number].replace("<id>", str(row.pk)), folder)
        assert (done.returncode, ": FAILED" in done.stdout) == (1, True)


def test_nothing_in_a_store_names_the_source(sealed) -> None:
    folder, _row = sealed
    names = " ".join(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    texts = " ".join(path.read_text() for path in (folder / "submissions").iterdir())
    assert "secret-name" not in names + texts
    assert "friend" not in names + texts
