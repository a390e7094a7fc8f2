"""What is streamed into a file, from a server that breaks off."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from client.api import BROKEN, UNREACHED, ClientError, Server
from client.fetch import fetch
from tests.answering import answering

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.enable_socket


def bundle() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a.json", b"{}")
    return held.getvalue()


def test_what_broke_off_leaves_nothing_so_that_the_same_command_works_again(tmp_path: Path) -> None:
    whole = bundle()
    with answering(200, "application/zip", whole[:40], lacking=len(whole) - 40) as url, Server(url, "t") as server:
        with pytest.raises(ClientError, match=r"/bundle\?raw=1 broke off: .*Ask again") as broken:
            fetch(server, "x", tmp_path)
        assert broken.value.status == BROKEN
    assert list(tmp_path.iterdir()) == []
    with answering(200, "application/zip", whole) as url, Server(url, "t") as server:
        assert fetch(server, "x", tmp_path) == [tmp_path / "a.json"]


def test_a_file_that_was_there_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"before")
    with answering(200, "text/plain", b"af", lacking=3) as url:
        server = Server(url, "t")
        with pytest.raises(ClientError, match="broke off"):
            server.save("/x", tmp_path / "kept")
    with server, pytest.raises(ClientError, match="nobody answers at") as refused:
        server.save("/x", tmp_path / "kept")
    assert refused.value.status == UNREACHED
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("kept", b"before")]
