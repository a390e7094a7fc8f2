"""Sending a file through cuts, restarts and refusals, against a server that keeps the protocol and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.api import UNREACHED, ClientError, Server
from client.upload import _keep, upload, wait

ID = "11111111-2222-3333-4444-555555555555"
DATA = bytes(range(256)) * 12_000


class TusServer(httpx.BaseTransport):
    """Holds one upload. `troubles` are met in order: bytes until the line is cut, or a status, or None for nobody."""

    def __init__(self, *troubles: int | tuple[int, str] | None) -> None:
        self.troubles = list(troubles)
        self.kept = bytearray()
        self.length = 0
        self.begun = 0
        self.heads = 0
        self.metadata = ""
        self.takes_along: int | None = None  # so many bytes that come with the request that begins the upload

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.begun += 1
            self.length = int(request.headers["Upload-Length"])
            self.metadata = request.headers["Upload-Metadata"]
            headers = {"Location": f"/api/v1/uploads/{ID}"}
            if self.takes_along is not None:
                assert request.headers["Content-Type"] == "application/offset+octet-stream"
                self.kept += request.read()[: self.takes_along]
                headers["Upload-Offset"] = str(len(self.kept))
            return httpx.Response(201, headers=headers)
        if request.method == "HEAD":
            self.heads += 1
            self._meet(request, None)
            return httpx.Response(200, headers={"Upload-Offset": str(len(self.kept))})
        if request.method == "PATCH":
            return self._append(request)
        if request.url.path.endswith("/receipt"):
            return httpx.Response(200, content=b'{"receipt":1}')
        digest = f"sha256:{hashlib.sha256(self.kept).hexdigest()}" if len(self.kept) == self.length else None
        row = {"state": "sealed", "digest": digest, "length": self.length, "done": True, "runs": [], "problem": ""}
        return httpx.Response(200, json=row)

    def _meet(self, request: httpx.Request, only: object) -> None:
        if self.troubles and self.troubles[0] is only:
            self.troubles.pop(0)
            raise httpx.ConnectError("refused", request=request)

    def _append(self, request: httpx.Request) -> httpx.Response:
        assert int(request.headers["Upload-Offset"]) == len(self.kept)
        self._meet(request, None)
        trouble = self.troubles.pop(0) if self.troubles else None
        if isinstance(trouble, tuple):
            return httpx.Response(trouble[0], json={"detail": trouble[1]})
        for piece in request.stream:
            self.kept += piece
            if trouble is not None and len(self.kept) >= trouble:
                del self.kept[trouble:]
                raise httpx.WriteError("cut", request=request)
        return httpx.Response(204, headers={"Upload-Offset": str(len(self.kept))})


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


def send(server: TusServer, path: Path, resume: str = ""):
    return upload(Server("http://custos", "t", server), path, {"case": "a"}, lambda _: None, resume=resume)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.log"
    file.write_bytes(DATA)
    return file


@pytest.mark.parametrize(
    "troubles",
    [
        (),
        (1_500_000,),
        (1_048_576, 2_000_000),
        (0,),
        (len(DATA),),
        (None, None),
        (2_000_000, None, None, None),
        ((503, ""),),
    ],
)
def test_the_digest_is_of_the_whole_file_however_often_the_line_is_cut(path: Path, troubles) -> None:
    server = TusServer(*troubles)
    outcome = send(server, path)
    assert bytes(server.kept) == DATA
    assert outcome.digest == f"sha256:{hashlib.sha256(DATA).hexdigest()}"
    assert server.begun == 1
    assert server.heads >= min(len(troubles), 1)


@given(st.lists(st.integers(0, len(DATA) - 1), max_size=6))
def test_cuts_at_any_places_lose_nothing(tmp_path_factory, cuts: list[int]) -> None:
    path = tmp_path_factory.mktemp("cut") / "a.log"
    path.write_bytes(DATA)
    server = TusServer(*sorted(cuts))
    assert send(server, path).digest == f"sha256:{hashlib.sha256(DATA).hexdigest()}"
    assert bytes(server.kept) == DATA


def test_a_server_that_stays_away_is_given_up_with_the_way_to_go_on(path: Path) -> None:
    server = TusServer(1_000_000, *[None] * 40)
    with pytest.raises(ClientError, match=f"nobody answers at http://custos.*--resume {ID}") as caught:
        send(server, path)
    assert caught.value.status == UNREACHED
    server.troubles.clear()
    again = send(server, path, resume=ID)
    assert again.digest == f"sha256:{hashlib.sha256(DATA).hexdigest()}"
    assert server.begun == 1


def test_a_full_disk_is_told_at_once_and_not_tried_again(path: Path) -> None:
    server = TusServer((507, "no space is left for this upload; 0 bytes are kept. Free some, then resume"))
    with pytest.raises(ClientError, match=f"507: no space is left.*--resume {ID}"):
        send(server, path)
    assert server.heads == 0


def test_going_on_with_another_file_is_refused(path: Path) -> None:
    server = TusServer(1_000_000, (507, "full"))
    server.troubles = [(507, "full")]
    with pytest.raises(ClientError, match="507"):
        send(server, path)
    path.write_bytes(DATA + b"more")
    with pytest.raises(ClientError, match=f"is of a file of {len(DATA)} bytes, this one has {len(DATA) + 4}"):
        send(server, path, resume=ID)


def test_a_file_that_was_changed_before_going_on_is_noticed(path: Path) -> None:
    server = TusServer(1_000_000, *[None] * 40)
    with pytest.raises(ClientError, match="--resume"):
        send(server, path)
    server.troubles.clear()
    path.write_bytes(b"?" + DATA[1:])
    with pytest.raises(ClientError, match="changed while it was sent"):
        send(server, path, resume=ID)


def test_a_log_that_grows_is_taken_as_it_stood(path: Path) -> None:
    class Growing(TusServer):
        def _append(self, request: httpx.Request) -> httpx.Response:
            with path.open("ab") as file:
                file.write(b"later")
            return super()._append(request)

    server = Growing()
    assert send(server, path).size == len(DATA)
    assert bytes(server.kept) == DATA


def test_a_file_that_shrinks_is_told(path: Path) -> None:
    class Shrinking(TusServer):
        def _append(self, request: httpx.Request) -> httpx.Response:
            path.write_bytes(DATA[:100])
            return super()._append(request)

    with pytest.raises(ClientError, match=f"became shorter while it was sent: 100 of {len(DATA)} bytes"):
        send(Shrinking(), path)


@pytest.mark.parametrize("taken", [6, 2, 0, None])
def test_a_small_file_comes_along_and_what_was_not_taken_follows(tmp_path: Path, taken: int | None) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"abcdef")
    server = TusServer(*[(500, "nothing should come here")] * (taken == 6))
    server.takes_along = taken
    seen: list[int] = []
    outcome = upload(Server("http://custos", "t", server), path, {"case": "a"}, seen.append)
    assert outcome.digest == f"sha256:{hashlib.sha256(b'abcdef').hexdigest()}"
    assert (bytes(server.kept), seen[-1], server.heads) == (b"abcdef", 6, 0)


def test_an_empty_file_needs_no_body(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert send(TusServer((500, "nothing should come here")), path).size == 0


def test_the_same_receipt_is_kept_once_and_another_one_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "a.log.receipt.json"
    assert _keep(b"one", target) == target
    assert _keep(b"one", target) == target
    assert _keep(b"two", target) == tmp_path / "a.log-2.receipt.json"
    assert (target.read_bytes(), len(list(tmp_path.iterdir()))) == (b"one", 2)


def test_a_folder_that_takes_no_receipt_leaves_it_in_the_current_one(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _keep(b"one", Path("/proc/none/a.receipt.json")) == Path("a.receipt.json")
    assert (tmp_path / "a.receipt.json").read_bytes() == b"one"


def test_waiting_outlasts_a_restart() -> None:
    class Restarting(httpx.BaseTransport):
        answers = iter([{"done": False, "runs": []}, None, 503, {"done": True, "runs": []}])

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = next(self.answers)
            if answer is None:
                raise httpx.ConnectError("refused", request=request)
            return httpx.Response(answer) if isinstance(answer, int) else httpx.Response(200, json=answer)

    assert wait(Server("http://custos", "t", Restarting()), ID, 60)["done"] is True


@pytest.mark.parametrize("body", [b"<html>", json.dumps({}).encode()])
def test_another_program_at_the_address_is_told(path: Path, body: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    with pytest.raises(ClientError, match="is not Custos; set CUSTOS_URL"):
        upload(Server("http://custos", "t", transport), path, {"case": "a"}, lambda _: None)


def test_a_name_that_is_no_text_is_sent_with_escapes(tmp_path: Path) -> None:
    server = TusServer()
    path = tmp_path / os.fsdecode(b"bad\xff[red].log")
    path.write_bytes(DATA)
    upload(Server("http://custos", "t", server), path, {"case": "a"}, lambda _: None)
    said = dict(pair.split(" ") for pair in server.metadata.split(","))
    assert base64.b64decode(said["filename"]) == rb"bad\xff[red].log"
