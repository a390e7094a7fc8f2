"""A real bucket that lets objects be changed: nothing is put into it, whoever started the process that would."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import boto3
import httpx
import pytest
from django.test import Client

from archive import wiring
from archive.models import Alarm, Blob, Submission
from archive.services import access, intake, sealing, worm_check
from archive.storage.store import UnsafeStoreError
from tests.archive.conftest import home
from tests.ceph import free_ports
from tests.scratch import ROOT, Scratch

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["home"]
pytestmark = [pytest.mark.xdist_group("ceph"), pytest.mark.enable_socket]


@pytest.fixture
def plain(ceph, monkeypatch) -> str:
    """CUSTOS_STORE for a bucket that keeps versions and takes no locks."""
    for name, value in ceph.environment.items():
        monkeypatch.setenv(name, value)
    bucket = f"unlocked-{secrets.token_hex(4)}"
    client = boto3.client("s3")
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return f"s3://{bucket}"


@pytest.fixture
def use(settings):
    def store(text: str) -> None:
        settings.CUSTOS_STORE = text
        wiring.store.cache_clear()

    return store


def begin(client: Client) -> httpx.Response:
    said = ",".join(f"{key} {base64.b64encode(value).decode()}" for key, value in {"case": b"case-a"}.items())
    return client.post("/api/v1/uploads", HTTP_TUS_RESUMABLE="1.0.0", HTTP_UPLOAD_LENGTH="3", HTTP_UPLOAD_METADATA=said)


@pytest.mark.django_db
def test_an_upload_into_it_is_refused_until_the_store_is_another_one(plain: str, use) -> None:
    text, _ = access.create_token(user_name="ann", scopes=["upload", "read"])
    client = Client(headers={"Authorization": f"Bearer {text}"})
    before = begin(client)["Location"]
    use(plain)
    for answer in (
        begin(client),
        client.patch(before, b"abc", "application/offset+octet-stream", HTTP_TUS_RESUMABLE="1.0.0",
                     HTTP_UPLOAD_OFFSET="0"),
    ):  # fmt: skip
        assert answer.status_code == 503
        said = answer.json()
        assert said["title"] == "The store does not hold"
        assert plain in said["detail"]
        assert "manage.py check_worm" in said["detail"]
    ready = client.get("/readyz")
    assert (ready.status_code, plain in ready.json()["checks"]["store"]) == (503, True)
    assert Alarm.objects.get(ended=None).subject == plain
    use(f"s3://locked-{secrets.token_hex(4)}")
    assert begin(client).status_code == 201
    assert client.get("/readyz").json()["checks"]["store"] == "ok"


@pytest.mark.django_db
def test_what_was_received_before_waits_and_is_not_put_into_it(plain: str, use) -> None:
    ann = access.principal_of(access.ensure_user(user_name="ann"))
    row = intake.begin_submission(principal=ann, case_reference="case-a", length=3)
    intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=[b"abc"])
    good = wiring.store().name
    use(plain)
    with pytest.raises(UnsafeStoreError):
        sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert (row.state, "tried again by itself" in row.problem) == (Submission.State.RECEIVED, True)
    assert not Blob.objects.exists()
    assert boto3.client("s3").list_object_versions(Bucket=plain.removeprefix("s3://")).get("Versions", []) == []
    use(good)
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert (row.state, row.problem) == (Submission.State.SEALED, "")


@pytest.mark.django_db
def test_stores_that_nobody_tried_for_long_are_tried_before_they_are_used(monkeypatch) -> None:
    tried: list[bool] = []
    honest = worm_check.try_stores
    monkeypatch.setattr(worm_check, "try_stores", lambda: [tried.append(True), honest()])
    for expected in (1, 1):
        worm_check.ensure_stores_hold()
        assert len(tried) == expected
    monkeypatch.setattr(worm_check, "TRIED_WITHIN", worm_check.TRIED_WITHIN * 0)
    worm_check.ensure_stores_hold()
    assert len(tried) == 2


def test_a_web_process_that_gunicorn_started_alone_is_not_ready_on_it(plain: str, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with Scratch(tmp_path / "home") as scratch:
        scratch.manage("migrate", "--verbosity", "0")
        scratch.manage("make_keys")
        scratch.environment["CUSTOS_STORE"] = plain
        command = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
        web = subprocess.Popen(
            command, env=scratch.environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            answer = answered(f"http://127.0.0.1:{port}/readyz")
            assert answer.status_code == 503
            assert plain in json.loads(answer.text)["checks"]["store"]
            assert scratch.rows("SELECT subject FROM archive_alarm WHERE ended IS NULL") == [(plain,)]
            assert "must not be put into it" in scratch.refused("check_worm")
        finally:
            web.terminate()
            web.wait(60)


def answered(url: str) -> httpx.Response:
    """What the process says as soon as it answers; a wait on a condition, with patience."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            return httpx.get(url, timeout=60)
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"{url} did not answer in 120 s")
