"""The command's own words: what it refuses before it speaks to anybody, and whom it never speaks to."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import httpx
import pytest

from client import cli, fetch
from client.api import ClientError, Server

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUSTOS_URL", URL)
    monkeypatch.setenv("CUSTOS_TOKEN", "t")
    monkeypatch.setenv("CUSTOS_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CUSTOS_URL", "localhost", "is no address"),
        ("CUSTOS_URL", "http://[::", "is no address"),
        ("CUSTOS_URL", URL, "nobody answers at http://127.0.0.1:9; start the server"),
        ("CUSTOS_TOKEN", "ü", "characters that no token has"),
        ("CUSTOS_TOKEN", "", "CUSTOS_TOKEN is not set; make a token"),
    ],
)
def test_a_wrong_environment_is_one_sentence(monkeypatch, capsys, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    assert cli.main(["wait", "x"]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_folder_that_cannot_be_made_is_one_sentence(capsys) -> None:
    assert cli.main(["fetch", "x", "/proc/none/folder"]) == 1
    assert "/proc/none" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["upload"], ["upload", "a"], ["sing"]])
def test_usage_ends_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2


def test_no_token_of_this_machine_is_made_for_a_server_elsewhere(monkeypatch, tmp_path: Path, capsys) -> None:
    (tmp_path / "home/keys").mkdir(parents=True)
    monkeypatch.setenv("CUSTOS_URL", "https://archive.example")
    monkeypatch.delenv("CUSTOS_TOKEN")
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("a token was made"))
    assert cli.main(["demo", "--folder", str(tmp_path / "demo")]) == 1
    assert "CUSTOS_TOKEN is not set" in capsys.readouterr().err


def served(path: Path, *names: str) -> Server:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"data")
    return Server(URL, "t", httpx.MockTransport(lambda _: httpx.Response(200, content=path.read_bytes())))


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/b"])
def test_a_server_cannot_write_outside_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ClientError, match="nothing outside"):
        fetch.fetch(served(tmp_path / "zip", name), "x", tmp_path / "got")
    assert {path.name for path in tmp_path.rglob("*")} == {"zip", "got", "bundle.zip"}


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(ClientError, match="is not empty"):
        fetch.fetch(served(tmp_path / "zip", "a"), "x", tmp_path)


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    server = Server(URL, "t", httpx.MockTransport(lambda _: httpx.Response(200, content=b"<html>")))
    with pytest.raises(ClientError, match="is no archive"):
        fetch.fetch(server, "x", tmp_path / "got")


def test_a_fetched_folder_holds_what_was_in_the_archive(tmp_path: Path) -> None:
    written = fetch.fetch(served(tmp_path / "zip", "a.json", "b.raw"), "x", tmp_path / "got")
    assert sorted(path.name for path in (tmp_path / "got").iterdir()) == sorted(path.name for path in written)


@pytest.fixture
def sent(monkeypatch, tmp_path: Path) -> dict[str, str]:
    """What an upload of `log` says of it; nothing is sent."""
    said: dict[str, str] = {}

    def upload(server: Server, path: Path, metadata: dict[str, str], *_: object, **__: object) -> None:
        said.update(metadata)
        raise ClientError("far enough")

    monkeypatch.setattr(cli, "upload", upload)
    (tmp_path / "log").write_bytes(b"abc")
    return said


def test_what_is_known_of_earlier_holders_is_sent_as_a_statement(sent: dict[str, str], tmp_path: Path) -> None:
    said = "captured by X at Y, handed over on 3 May by Z"
    assert cli.main(["upload", str(tmp_path / "log"), "--case", "a", "--stated-custody", said]) == 1
    assert sent["stated_custody"] == said


def test_how_a_log_is_to_be_read_is_sent_with_it(sent: dict[str, str], tmp_path: Path) -> None:
    said = ["--dates", "dmy", "--zone", "Europe/Berlin", "--year", "2016"]
    assert cli.main(["upload", str(tmp_path / "log"), "--case", "a", *said]) == 1
    assert json.loads(sent["reading"]) == {"dates": "dmy", "zone": "Europe/Berlin", "year": 2016}
