"""What the API gives out: exact bytes, ranges, proofs; and nothing to those who are not in the case."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from openapi_spec_validator import validate

from archive import wiring
from archive.api.urls import _V1
from archive.models import Blob, Checkpoint, CustodyEvent, Leaf, Run
from archive.services import access, bundles
from evidence.log.hashing import leaf_hash, tree_root
from evidence.log.note import COSIGNATURE_V1, Vkey
from evidence.log.tile import parse_bundle
from evidence.verify.cli import main as verify

if TYPE_CHECKING:
    from pathlib import Path

LINE = b"04-May-2016 00:00:12.345 queries: info: client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"

pytestmark = pytest.mark.django_db


def addresses(row) -> list[str]:
    result = Run.objects.get(procedure="querier_concentration@1").pk
    parse = Run.objects.get(procedure="parse.bind@2").pk
    return [
        "/api/v1/cases/case-a", f"/api/v1/submissions/{row.pk}", f"/api/v1/submissions/{row.pk}/receipt",
        f"/api/v1/submissions/{row.pk}/content", f"/api/v1/blobs/{row.blob_id}", f"/api/v1/blobs/{row.blob_id}/content",
        f"/api/v1/events/{row.event_id}/receipt", f"/api/v1/results/{result}", f"/api/v1/results/{result}/attestation",
        f"/api/v1/results/{result}/receipt", f"/api/v1/results/{result}/bundle",
        f"/api/v1/results/{result}/findings/client-1/sources", f"/api/v1/results/{result}/findings/client-1/lines",
        f"/api/v1/runs/{parse}", f"/api/v1/runs/{parse}/attestation", f"/api/v1/runs/{parse}/receipt",
        f"/api/v1/runs/{parse}/outputs/report.json",
    ]  # fmt: skip


def test_members_and_auditors_see_and_nobody_else_learns_that_it_exists(filled, ann, caller) -> None:
    auditor, outsider, anonymous = caller("eve", "audit"), caller("bob", "upload", "read"), Client()
    for address in addresses(filled):
        statuses = [who.get(address).status_code for who in (ann, auditor, outsider, anonymous)]
        assert statuses == [200, 200, 404, 401], address
    for address in ("/api/v1/cases", "/api/v1/submissions", "/api/v1/results"):
        seen = [len(json.dumps(who.get(address).json())) for who in (ann, auditor)]
        empty = outsider.get(address).json()
        assert empty in ([], {"count": 0, "next": None, "previous": None, "results": []})
        assert min(seen) > 60


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("results/{run}", ["result.json"]), ("results/{run}/attestation", ["statement"]),
        ("results/{run}/findings/client-1/sources", ["client-1.sources.ndjson"]),
        ("runs/{run}/outputs/result.json", ["result.json"]), ("runs/{run}/attestation", ["statement"]),
    ],
)  # fmt: skip
def test_whoever_is_given_sealed_bytes_of_a_result_has_read_them(filled, ann, address: str, names: list[str]) -> None:
    run = Run.objects.get(procedure="querier_concentration@1")
    sealed = {output.name: output.blob_id for output in run.outputs.all()} | {"statement": run.statement_id}
    assert ann.get(f"/api/v1/{address.format(run=run.pk)}").status_code == 200
    read = CustodyEvent.objects.filter(type="access", case=run.case).values_list("objects_named__digest", flat=True)
    assert set(read) == {sealed[name] for name in names}


@pytest.mark.parametrize("query", ["", "?raw=1"])
def test_whoever_takes_a_bundle_has_read_each_sealed_file_in_it(filled, ann, query: str) -> None:
    run, parse = (Run.objects.get(procedure=name) for name in ("querier_concentration@1", "parse.bind@2"))
    answer = ann.get(f"/api/v1/results/{run.pk}/bundle{query}")
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as bundle:
        held = {f"sha256:{hashlib.sha256(bundle.read(name)).hexdigest()}" for name in bundle.namelist()}
    read = set(CustodyEvent.objects.filter(type="access").values_list("objects_named__digest", flat=True))
    assert read == held & set(Blob.objects.values_list("digest", flat=True))
    assert {run.statement_id, parse.statement_id} <= read
    assert (filled.blob_id in read) == bool(query)


def test_a_bundle_that_cannot_be_made_yet_is_said_and_not_read(filled, ann, monkeypatch) -> None:
    monkeypatch.setattr(bundles, "common_size", lambda _events: None)
    run = Run.objects.get(procedure="querier_concentration@1").pk
    answer = ann.get(f"/api/v1/results/{run}/bundle")
    assert (answer.status_code, "no checkpoint" in answer.json()["detail"]) == (409, True)
    assert not CustodyEvent.objects.filter(type="access").exists()


def test_what_only_says_that_there_is_a_result_is_no_reading(filled, ann) -> None:
    run = Run.objects.get(procedure="querier_concentration@1").pk
    for address in ("results", f"runs/{run}", f"results/{run}/receipt", f"submissions/{filled.pk}"):
        assert ann.get(f"/api/v1/{address}").status_code == 200
    assert not CustodyEvent.objects.filter(type="access").exists()


def test_a_checkpoint_says_whether_it_has_its_quorum(filled, ann, settings, tmp_path) -> None:
    address = f"/api/v1/blobs/{filled.blob_id}"
    assert ann.get(address).json()["checkpoint"]["quorum"] == "none asked"
    witness = Vkey("w.example/w", COSIGNATURE_V1, bytes(32))
    (tmp_path / "witnesses.txt").write_text(f"witness w {witness}\nquorum w\n")
    settings.CUSTOS_WITNESSES = str(tmp_path / "witnesses.txt")
    wiring.witnesses.cache_clear()
    assert ann.get(address).json()["checkpoint"]["quorum"] == "below"


def test_a_token_to_read_cannot_audit_and_one_to_upload_cannot_read(filled, caller) -> None:
    address = f"/api/v1/submissions/{filled.pk}"
    access.ensure_user(user_name="eve", auditor=True)
    assert caller("eve", "read").get(address).status_code == 404
    assert caller("ann", "upload").get(address).status_code == 404
    assert Client(headers={"Authorization": "Bearer wrong"}).get(address).status_code == 401


def test_bytes_are_exact_in_whole_and_in_ranges(filled, ann) -> None:
    address, data = f"/api/v1/submissions/{filled.pk}/content", LINE * 3
    whole = ann.get(address)
    assert (whole.getvalue(), whole["ETag"]) == (data, f'"{filled.blob_id}"')
    for asked, start, stop in (
        ("bytes=0-9", 0, 10),
        ("bytes=100-", 100, len(data)),
        ("bytes=-7", len(data) - 7, len(data)),
    ):
        part = ann.get(address, headers={"Range": asked})
        assert (part.status_code, part.getvalue()) == (206, data[start:stop])
        assert part["Content-Range"] == f"bytes {start}-{stop - 1}/{len(data)}"
    beyond = ann.get(address, headers={"Range": f"bytes={len(data)}-"})
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{len(data)}")
    assert ann.get(address, headers={"If-None-Match": whole["ETag"]}).status_code == 304
    assert ann.get(address, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200
    name = whole["Content-Disposition"]
    assert name.startswith("attachment; ") and "\r" not in name and "../" not in name


def test_a_result_is_served_as_the_bytes_that_were_attested(filled, ann) -> None:
    result = Run.objects.get(procedure="querier_concentration@1")
    answer = ann.get(f"/api/v1/results/{result.pk}")
    data = answer.getvalue()
    assert f'"sha256:{hashlib.sha256(data).hexdigest()}"' == answer["ETag"]
    finding = {item["name"]: item for item in json.loads(data)["findings"]}["client-1"]
    sources = ann.get(f"/api/v1/results/{result.pk}/findings/client-1/sources")
    assert sources["Content-Type"] == "application/x-ndjson"
    assert f"sha256:{hashlib.sha256(sources.getvalue()).hexdigest()}" == finding["sources"]["digest"]
    assert ann.get(f"/api/v1/results/{result.pk}/findings/absent/sources").status_code == 404
    lines = ann.get(f"/api/v1/results/{result.pk}/findings/client-1/lines?offset=1&limit=1").json()
    assert [(line["line"], line["text"]) for line in lines] == [(2, LINE.decode().strip())]


def test_what_the_api_serves_is_enough_for_a_stranger(filled, ann, tmp_path: Path, capsys) -> None:
    result = Run.objects.get(procedure="querier_concentration@1")
    archive = b"".join(ann.get(f"/api/v1/results/{result.pk}/bundle?raw=1").streaming_content)
    zipfile.ZipFile(io.BytesIO(archive)).extractall(tmp_path / "got")
    policy = tmp_path / "policy.txt"
    policy.write_text(Client().get("/.well-known/custos-keys.json").json()["policy"])
    assert verify([str(tmp_path / "got"), "--policy", str(policy), "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert {item["code"] for item in said["findings"] if item["level"] != "ok"} == {"timestamp-absent"}
    assert {item["finding"]: item["ranges"] for item in said["numbers"]} == {"lookups": 3, "client-1": 3}
    for path in sorted((tmp_path / "got").iterdir()):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :])
        assert verify([str(tmp_path / "got"), "--policy", str(policy), "--json"]) == 1, path.name
        said = json.loads(capsys.readouterr().out)
        assert any(path.name in json.dumps(item) for item in said["findings"] if item["level"] == "wrong"), path.name
        path.write_bytes(data)


def test_the_ledger_is_public_and_says_nothing_but_hashes(filled, client) -> None:
    size = Checkpoint.objects.last().size
    checkpoint = client.get("/log/checkpoint")
    assert checkpoint["Content-Type"] == "text/plain; charset=utf-8"
    assert checkpoint.content.decode() == Checkpoint.objects.last().note
    entries = parse_bundle(client.get(f"/log/tile/entries/000.p/{size}").content)
    assert entries == [
        bytes(e) for e in CustodyEvent.objects.order_by("leaf__index").values_list("commitment", flat=True)
    ]
    tile = client.get(f"/log/tile/0/000.p/{size}")
    assert tile.content == b"".join(leaf_hash(entry) for entry in entries)
    assert "immutable" in tile["Cache-Control"]
    assert tree_root([bytes(leaf.hash) for leaf in Leaf.objects.order_by("index")]) == bytes(
        Checkpoint.objects.last().root
    )
    for path in (f"0/000.p/{size + 1}", "0/000", "0/0", "x/000", "entries/001.p/1", "0/000.p/0"):
        assert client.get(f"/log/tile/{path}").status_code == 404


def test_the_schema_describes_every_address(client) -> None:
    schema = client.get("/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    value = json.loads(schema.content)
    assert value["openapi"].startswith("3.1")
    validate(value)
    described = {re.sub(r"\{\w+\}", "{}", path) for path in value["paths"]}
    for route in _V1:
        assert re.sub(r"<[^>]+>", "{}", f"/api/v1/{route.pattern}") in described
    schemes = value["components"]["securitySchemes"]
    assert (schemes["bearerAuth"]["type"], schemes["bearerAuth"]["scheme"]) == ("http", "bearer")
    operations = [said for path in value["paths"].values() for said in path.values() if "operationId" in said]
    assert [said["operationId"] for said in operations if {"bearerAuth": []} not in said["security"]] == []


def test_health_readiness_and_metrics_answer(client, filled) -> None:
    assert client.get("/healthz").content == b"ok\n"
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["checks"]["database"] == ready.json()["checks"]["store"] == "ok"
    assert "celery" in ready.json()["checks"]["worker"]
    assert "--queues ledger" in ready.json()["checks"]["sequencer"]
    text = client.get("/metrics").content.decode()
    assert 'custos_submissions{state="sealed"} 1.0' in text
    assert "custos_ledger_size" in text


def test_odd_requests_are_problems_in_words(filled, ann) -> None:
    for address, status in (
        ("/api/v1/submissions/not-an-id", 404), ("/api/v1/blobs/md5:x", 404), ("/api/v1/nothing", 404),
        (f"/api/v1/submissions/{filled.pk}/receipt?size=x", 400), (f"/api/v1/submissions/{filled.pk}/receipt?size=999", 400),
        ("/api/v1/results?submission=x", 400),
    ):  # fmt: skip
        answer = ann.get(address)
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), address
        assert answer.json()["detail"]
        assert answer.json()["instance"] == address.partition("?")[0]
    answer = ann.post("/api/v1/cases", b"{", content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_a_case_is_made_watched_and_listed(ann, filled) -> None:
    made = ann.post("/api/v1/cases", {"slug": "new-case", "names": ["B.example."]}, content_type="application/json")
    assert (made.status_code, made.json()["names"]) == (201, ["b.example"])
    assert {case["slug"] for case in ann.get("/api/v1/cases").json()} == {"case-a", "new-case"}
    watched = ann.post("/api/v1/cases/case-a/names", {"names": ["c.example"]}, content_type="application/json")
    assert watched.json()["names"] == ["a.example", "c.example"]
    assert Run.objects.filter(parameters={"name": "c.example"}, state="pending").exists()
