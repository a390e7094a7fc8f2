"""A server that is slow, endless, garbled, gone or sends elsewhere is named, and costs little."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import os
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from evidence.verify.trust import load_trust
from monitor.cli import main
from monitor.source import AddressError, FolderSource, HttpSource
from monitor.watch import Asked, watch
from tests.monitor.hostile import LOG, Server, ok

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evidence.verify.findings import Findings

pytestmark = pytest.mark.enable_socket

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
TRUST = load_trust(LOG.parent / "policy.txt", None)
TILE, CHECKPOINT = "/log/tile/0/000", "/log/checkpoint"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def look(url: str, silence: float = 20, patience: float = 60, keep: Path | None = None) -> Findings:
    with contextlib.closing(HttpSource(url, silence, patience)) as source:
        return watch(source, Asked(TRUST, NOW, keep=keep))


def said(findings: Findings) -> tuple[int, set[str]]:
    return findings.exit_status, {item.code for item in findings.said if item.level != "ok"}


def dripping(server: Server, first: bytes, piece: bytes, pause: float = 0.05):
    def drip() -> Iterator[bytes]:
        yield first
        while not server.is_over.wait(pause):
            yield piece

    return drip


def test_a_log_is_read_over_few_connections(server: Server, monkeypatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody is spoken to but the server
    assert said(look(server.url)) == (0, set())
    assert sorted(server.asked) == sorted({
        CHECKPOINT, TILE, "/log/tile/entries/000", "/log/tile/entries/001.p/44", "/log/tile/0/001.p/44",
        "/log/tile/1/000.p/1",
    })  # fmt: skip
    assert server.connections <= 5
    assert said(look(server.url + "/")) == (0, set())


def test_a_server_that_closes_each_connection_is_read_too(server: Server) -> None:
    for path in ("checkpoint", "tile/0/000", "tile/entries/000"):
        body = (LOG / path).read_bytes()
        server.answers[f"/log/{path}"] = [b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" + body]
    assert said(look(server.url)) == (0, set())


def test_only_what_is_new_is_asked_for(server: Server, tmp_path: Path) -> None:
    server.answers[CHECKPOINT] = [ok((LOG / "checkpoint.256").read_bytes()), ok((LOG / "checkpoint").read_bytes())]
    assert said(look(server.url, keep=tmp_path)) == (0, set())
    first = len(server.asked)
    assert said(look(server.url, keep=tmp_path)) == (0, set())
    assert sorted(server.asked[first:]) == [CHECKPOINT, "/log/tile/0/001.p/44", "/log/tile/entries/001.p/44"]


def test_a_redirect_is_not_followed(server: Server) -> None:
    with Server() as other:
        for path in (CHECKPOINT, TILE):
            server.answers = {path: [b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"
                                     % f"{other.url}/{path}".encode()]}  # fmt: skip
            status, codes = said(look(server.url))
            assert status == 3 and "answer-status" in codes
        assert other.asked == []


def test_a_log_without_a_checkpoint(server: Server) -> None:
    server.answers[CHECKPOINT] = [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]
    assert said(look(server.url)) == (3, {"answer-none"})


def test_a_tile_that_is_not_served(server: Server) -> None:
    server.answers["/log/tile/1/000.p/1"] = [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]
    assert said(look(server.url)) == (1, {"tile-missing"})


def test_an_error_of_the_server_is_not_held_against_the_log(server: Server, tmp_path: Path) -> None:
    server.answers[TILE] = [b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"]
    assert said(look(server.url, keep=tmp_path)) == (3, {"answer-status", "log-root"})
    assert not (tmp_path / "seen.json").exists()


def test_a_server_that_is_busy_is_asked_again(server: Server) -> None:
    server.answers[TILE] = [b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", ok((LOG / "tile/0/000").read_bytes())]
    assert said(look(server.url)) == (0, set())
    assert server.asked.count(TILE) == 2


@pytest.mark.parametrize("path", [CHECKPOINT, TILE])
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_an_endless_answer_is_cut(server: Server, path: str, head: bytes) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n" if b"chunked" in head else b"x" * 0x10000
    server.answers[path] = [dripping(server, head, chunk, pause=0)]
    status, codes = said(look(server.url))
    assert status == 1 and "answer-too-large" in codes
    assert server.sent < 64 << 20


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b""),  # silence
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),  # headers without end, fewer than a client refuses within the time
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"x"),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"x"),
    ],
)
def test_an_answer_that_drips_is_ended(server: Server, first: bytes, piece: bytes) -> None:
    server.answers[CHECKPOINT] = [dripping(server, first, piece)]
    assert said(look(server.url, silence=1, patience=2)) == (3, {"answer-slow"})


def test_a_slow_tile_leaves_the_root_open(server: Server) -> None:
    server.answers[TILE] = [dripping(server, b"", b"")]
    assert said(look(server.url, silence=5, patience=10)) == (3, {"answer-slow", "log-root"})


@pytest.mark.parametrize(
    "answer",
    [
        b"close\x00\xff\xfe not HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nConnection: close\r\n\r\nearly",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 two OK\r\nConnection: close\r\n\r\n",
    ],
)
def test_an_answer_that_is_garbled(server: Server, answer: bytes) -> None:
    server.answers[CHECKPOINT] = [answer]
    assert said(look(server.url)) == (3, {"answer-garbled"})


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert said(look(f"http://127.0.0.1:{port}/log")) == (3, {"answer-none"})


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = tmp_path / "tls.pem"
    file.write_bytes(
        made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return file


def test_https_needs_a_certificate_that_is_trusted(certificate: Path, monkeypatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Server(context) as server:
        assert said(look(server.url)) == (3, {"answer-garbled"})
        assert server.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert said(look(server.url)) == (0, set())
        assert said(look(server.url.replace("127.0.0.1", "localhost"))) == (3, {"answer-garbled"})


def test_a_handshake_that_does_not_come_is_ended(server: Server) -> None:
    assert said(look(server.url.replace("http:", "https:"), silence=1, patience=2))[0] == 3


@pytest.mark.parametrize(
    "url",
    ["http://", "http://a:b@host/log", "http://host/log?x=1", "http://host/log#x", "http://host:99999/log",
     "http://[::1/log", "http://host/l og", "http://h\u00f6st/log", "https:///log"],
)  # fmt: skip
def test_an_address_that_is_none(url: str, capsys) -> None:
    with pytest.raises(AddressError):
        HttpSource(url)
    assert main(["log", url]) == 2
    assert "custos-verify log:" in capsys.readouterr().err


def test_a_folder_with_links_pipes_and_holes(tmp_path: Path, capsys) -> None:
    assert main(["log", str(tmp_path / "nothing")]) == 2
    assert "neither a folder nor an address" in capsys.readouterr().err
    assert said(watch(FolderSource(tmp_path), Asked(TRUST, NOW))) == (3, {"answer-none"})
    (tmp_path / "checkpoint").symlink_to(LOG / "checkpoint")
    assert said(watch(FolderSource(tmp_path), Asked(TRUST, NOW))) == (3, {"answer-none"})
    (tmp_path / "checkpoint").unlink()
    os.mkfifo(tmp_path / "checkpoint")
    assert said(watch(FolderSource(tmp_path), Asked(TRUST, NOW))) == (3, {"answer-garbled"})
