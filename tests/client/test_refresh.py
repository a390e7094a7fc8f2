"""Refreshing a receipt over HTTP: what may change does, and what may not leaves the file as it was."""

from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING

import pytest

from client.api import ClientError, Server
from client.refresh import refresh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.enable_socket
OLD = {
    "format": "custos/receipt@1", "event": '{"id":"0198a7c0-0000-7000-8000-000000000101"}', "salt": "AAAA",
    "proof": "head\n\nnote\n\n— a b\n", "timestamps": [], "disclosures": ["mine"], "policy": "",
}  # fmt: skip
STAMP = {"authority": "First", "response": "AAAA"}


def proof(size: int, *names: str) -> str:
    """The text of a proof under a checkpoint of that size, signed by each name."""
    lines = "".join(f"\u2014 {name} AAAAAAAA\n" for name in names)
    return f"c2sp.org/tlog-proof@v1\nindex 0\n\nlog\n{size}\n{'A' * 43}=\n\n{lines}"


@pytest.fixture
def answering() -> Iterator[dict[str, object]]:
    said: dict[str, object] = {"asked": []}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said["asked"].append(self.path)  # type: ignore[attr-defined]
            body = json.dumps(said["receipt"]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said["url"] = f"http://127.0.0.1:{server.server_address[1]}"
    yield said
    server.shutdown()
    server.server_close()


def asked(answering, path: Path):
    with Server(answering["url"], "token") as server:
        return refresh(server, path)


def test_newer_signatures_and_tokens_come_in_and_disclosures_stay(answering, tmp_path) -> None:
    path = tmp_path / "a.receipt.json"
    path.write_text(json.dumps(OLD))
    answering["receipt"] = OLD | {"proof": "head\n\nnote\n\n— a b\n— c d\n", "timestamps": [{}], "disclosures": []}
    assert asked(answering, path) == {"receipt": str(path), "signatures": 2, "timestamps": 1}
    assert json.loads(path.read_text()) == answering["receipt"] | {"disclosures": ["mine"]}
    assert answering["asked"] == ["/api/v1/events/0198a7c0-0000-7000-8000-000000000101/receipt"]
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "without",
    [
        {"timestamps": []},
        {"timestamps": [STAMP | {"response": "BBBB"}]},  # the same authority, at another time
        {"timestamps": [STAMP | {"authority": "Second"}]},
        {"proof": proof(9, "log", "other")},
    ],
)
def test_what_the_new_receipt_lacks_is_never_lost(without, answering, tmp_path) -> None:
    path, beside = tmp_path / "a.receipt.json", tmp_path / "a.size-9.receipt.json"
    old = OLD | {"proof": proof(4, "log", "witness"), "timestamps": [STAMP]}
    path.write_text(json.dumps(old))
    answering["receipt"] = OLD | {"proof": proof(9, "log", "witness"), "timestamps": [STAMP]} | without
    said = asked(answering, path)
    assert (said["receipt"], said["kept"]) == (str(beside), str(path))
    assert json.loads(path.read_text()) == old
    assert json.loads(beside.read_text()) == answering["receipt"]
    added = STAMP | {"authority": "Third"}
    answering["receipt"] |= {"timestamps": [*answering["receipt"]["timestamps"], added]}
    assert asked(answering, path)["receipt"] == str(beside)
    assert json.loads(beside.read_text())["timestamps"][-1] == added
    answering["receipt"] |= {"timestamps": []}
    with pytest.raises(ClientError, match="lacks the token by"):
        asked(answering, path)
    assert json.loads(path.read_text()) == old
    assert json.loads(beside.read_text())["timestamps"][-1] == added
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted([path.name, beside.name])


@pytest.mark.parametrize("change", [{"event": '{"id":"other"}'}, {"salt": "BBBB"}, {"format": "custos/receipt@2"}])
def test_another_event_changes_nothing(change, answering, tmp_path) -> None:
    path = tmp_path / "a.receipt.json"
    path.write_text(json.dumps(OLD))
    answering["receipt"] = OLD | change
    with pytest.raises(ClientError):
        asked(answering, path)
    assert json.loads(path.read_text()) == OLD
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_what_is_no_receipt_is_refused_before_anybody_is_asked(answering, tmp_path) -> None:
    path = tmp_path / "a.receipt.json"
    path.write_text("[]")
    with pytest.raises(ClientError, match="not a receipt"):
        asked(answering, path)
    assert answering["asked"] == []
