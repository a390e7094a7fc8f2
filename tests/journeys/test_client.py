"""The command `custos` against the running service: good ways and wrong turns."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.journeys.service import Service, free_port

pytestmark = [pytest.mark.xdist_group("journeys"), pytest.mark.timeout(300)]
LINE = b"04-May-2016 00:00:12.345 queries: info: client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"


def test_a_file_goes_in_and_a_receipt_that_verifies_comes_out(service: Service, folder: Path) -> None:
    path = folder / "ü queries.log"
    path.write_bytes(LINE * 5)
    token = service.token("carla")
    said = service.json("custos", "upload", str(path), "--case", "carlas-case", "--name", "a.example", token=token)
    assert said["digest"] == f"sha256:{hashlib.sha256(LINE * 5).hexdigest()}"
    assert said["size"] == len(LINE) * 5
    assert Path(said["receipt"]) == folder / "ü queries.log.receipt.json"
    check = service.run(
        "custos-verify", str(path), said["receipt"], "--policy", str(service.home / "policy.txt"), check=False
    )
    assert check.returncode == 3, check.stdout
    row = service.json("custos", "wait", said["submission"], token=token)
    assert [run["procedure"] for run in row["runs"]] == ["parse.bind@2", "querier_concentration@1"]
    result = row["runs"][1]["result"].rsplit("/", 1)[1]
    service.run("custos", "fetch", result, str(folder / "got"), CUSTOS_TOKEN=token)
    whole = service.run("custos-verify", str(folder / "got"), "--policy", str(service.home / "policy.txt"), check=False)
    assert whole.returncode == 3
    assert "5 lines counted" in whole.stdout


def test_a_second_receipt_does_not_write_over_the_first(service: Service, folder: Path) -> None:
    path = folder / "a.log"
    path.write_bytes(b"x")
    token = service.token("carla")
    first, second = (service.json("custos", "upload", str(path), "--case", "carlas-case", token=token) for _ in "ab")
    assert first["receipt"] != second["receipt"]
    assert first["digest"] == second["digest"]


def test_wrong_turns_are_told_in_a_sentence(service: Service, folder: Path) -> None:
    path = folder / "a.log"
    path.write_bytes(b"x")
    token = service.token("carla")

    def refused(*command: str, **environment: str) -> str:
        done = service.run("custos", *command, check=False, **{"CUSTOS_TOKEN": token, **environment})
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr

    upload = ("upload", str(path), "--case", "carlas-case")
    assert "cannot be read" in refused("upload", str(folder / "absent"), "--case", "a")
    assert "CUSTOS_TOKEN is not set" in refused(*upload, CUSTOS_TOKEN="")
    assert "the token is not known" in refused(*upload, CUSTOS_TOKEN="wrong")
    assert "nobody answers" in refused(*upload, CUSTOS_URL=f"http://127.0.0.1:{free_port()}")
    assert "lower-case letters" in refused("upload", str(path), "--case", "No Slug")
    assert "was declared" in refused(*upload, "--digest", "sha256:" + "0" * 64)
    other = "00000000-0000-0000-0000-000000000000"
    assert "not a member of a case" in refused("upload", str(path), "--case", other, CUSTOS_TOKEN=service.token("dora"))
    assert "404" in refused("wait", "00000000-0000-0000-0000-000000000000")
    assert "write time=" in refused(*upload, "--columns", "time")


def test_a_cut_connection_loses_nothing_that_arrived(service: Service, folder: Path) -> None:
    token, size = service.token("carla"), 40 << 20
    data = os.urandom(1 << 20) * 40
    headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    with httpx.Client(base_url=service.url, headers=headers, trust_env=False) as http:
        begun = http.post(
            "/api/v1/uploads", headers={"Upload-Length": str(size), "Upload-Metadata": "case Y2FybGFzLWNhc2U="}
        )
        location = begun.headers["Location"]
        with socket.create_connection(("127.0.0.1", service.port)) as raw:
            raw.sendall(
                f"PATCH {location} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nTus-Resumable: 1.0.0\r\n"
                f"Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\nContent-Length: {size}\r\n\r\n".encode()
                + data[: 25 << 20]
            )
        offset, deadline = 0, time.monotonic() + 30
        while offset < 20 << 20 and time.monotonic() < deadline:
            time.sleep(0.1)
            offset = int(http.head(location).headers["Upload-Offset"])
        assert 20 << 20 <= offset <= 25 << 20
        rest = http.patch(
            location, content=data[offset:], timeout=60,
            headers={"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"},
        )  # fmt: skip
        assert rest.status_code == 204, rest.text
    row = service.json("custos", "wait", location.rsplit("/", 1)[1], token=token)
    assert row["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x00\xff" * 500, "zwei\nZeilen".encode("utf-16"), b"x" * 10_000_000, bytes(4096),
        b"Dear all,\nthe minutes of Monday's meeting follow.\n\nRegards\n",
    ],
)  # fmt: skip
def test_odd_bytes_are_kept_with_a_receipt(service: Service, folder: Path, data: bytes) -> None:
    path = folder / "odd"
    path.write_bytes(data)
    token = service.token("carla")
    said = service.json("custos", "upload", str(path), "--case", "carlas-case", token=token)
    row = service.json("custos", "wait", said["submission"], token=token)
    assert (row["state"], row["read_as"]) == ("sealed", "none")
    assert row["read_reason"]
    assert json.loads(Path(said["receipt"]).read_bytes())["format"] == "custos/receipt@1"


def test_a_gzip_that_is_cut_off_is_kept_and_what_is_wrong_is_told(service: Service, folder: Path) -> None:
    path = folder / "cut.gz"
    path.write_bytes(b"\x1f\x8b\x08cut")
    token = service.token("carla")
    said = service.json("custos", "upload", str(path), "--case", "carlas-case", token=token)
    done = service.run("custos", "wait", said["submission"], "--json", check=False, CUSTOS_TOKEN=token)
    row = json.loads(done.stdout)
    assert (done.returncode, row["state"], row["read_as"]) == (1, "sealed", "extract.gzip@1")
    assert "compare the file with its origin" in row["runs"][0]["problem"]
    assert json.loads(Path(said["receipt"]).read_bytes())["format"] == "custos/receipt@1"


def test_a_line_with_nul_bytes_is_a_reject_among_rows_and_a_name_that_commands_terminals_is_text(
    service: Service, folder: Path
) -> None:
    line = b"04-May-2016 00:00:12.345 queries: info: client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"
    path = folder / "queries\x1b[31m\n.log"
    path.write_bytes(line + line[:40] + b"\x00\x00" + line[42:] + line)
    token = service.token("carla")
    said = service.json("custos", "upload", str(path), "--case", "carlas-case", "--name", "a.example", token=token)
    row = service.json("custos", "wait", said["submission"], token=token)
    assert {run["state"] for run in row["runs"]} == {"succeeded"}
    assert row["file_name"] == path.name
    (concentration,) = (run for run in row["runs"] if run["procedure"].startswith("querier_concentration"))
    bearer = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=service.url, trust_env=False, headers=bearer) as http:
        result = http.get(concentration["result"]).json()
        sources = http.get(f"{concentration['result']}/findings/lookups/sources").text
    assert {item["name"]: item["value"] for item in result["findings"]}["lookups"] == 2
    assert [json.loads(each)["start"] for each in sources.splitlines()] == [0, 2 * len(line)]
