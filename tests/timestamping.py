"""OpenSSL's own timestamp authority behind a small HTTP server, which can also be made to misbehave."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

CONFIGURATION = """
[req]
distinguished_name = dn
prompt = no
x509_extensions = ext
[dn]
CN = {name}
[ext]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
basicConstraints = critical,CA:FALSE
[tsa]
default_tsa = t
[t]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


class Authority:
    """Answers each query by `openssl ts -reply`; `manner` says how it behaves from now on."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name, self.manner = folder / name.replace(" ", "-"), name, "well"
        self.asked = self.refused = 0
        self.folder.mkdir(parents=True)
        (self.folder / "serial").write_text("01\n")
        (self.folder / "tsa.cnf").write_text(CONFIGURATION.format(name=name))
        self._openssl("req -x509 -newkey rsa:2048 -nodes -days 3650 -config tsa.cnf -keyout tsa.key -out tsa.pem")
        self.pem = self.folder / "tsa.pem"
        self._lock = threading.Lock()

    def be_issued(self) -> None:
        """Another key and certificate, by `root`: made once, and not in the tokens."""
        make, self.root = "req -x509 -newkey rsa:2048 -nodes -days 3650", self.folder / "root.pem"
        if not self.root.exists():
            self._openssl(f"{make} -subj /CN=Root -addext keyUsage=critical,keyCertSign -keyout root.key -out root.pem")
        self._openssl(f"{make} -config tsa.cnf -CA root.pem -CAkey root.key -keyout tsa.key -out tsa.pem")

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"authority": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/tsr"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, query: bytes) -> bytes:
        with self._lock:
            self.asked += 1
            if self.manner == "about other data":
                (self.folder / "other").write_text("other")
                self._openssl("ts -query -data other -sha256 -cert -out query.tsq")
            else:
                (self.folder / "query.tsq").write_bytes(query)
            self._openssl("ts -reply -config tsa.cnf -queryfile query.tsq -out reply.tsr")
            return (self.folder / "reply.tsr").read_bytes()

    def _openssl(self, arguments: str) -> None:
        subprocess.run(["openssl", *arguments.split()], cwd=self.folder, check=True, capture_output=True)


class _Handler(BaseHTTPRequestHandler):
    authority: Authority

    def do_POST(self) -> None:
        query = self.rfile.read(int(self.headers["Content-Length"]))
        manner = self.authority.manner
        if manner == "with an error":
            self.authority.refused += 1
            self._answer(500, "text/plain", b"out of order")
        elif manner == "with junk":
            self._answer(200, "application/timestamp-reply", b"junk")
        elif manner == "with a page":
            self._answer(200, "text/html", b"<p>pay here</p>")
        elif manner == "without end":
            self._answer(200, "application/timestamp-reply", b"x" * (1 << 20))
        elif manner == "with a refusal":
            self._answer(200, "application/timestamp-reply", bytes.fromhex("30053003020102"))
        else:
            self._answer(200, "application/timestamp-reply", self.authority.reply(query))

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # it was cut off, as it should be

    def log_message(self, *_: object) -> None:
        """Quiet."""


def openssl_accepts(note: str, response: bytes, pem: Path) -> bool:
    """Whether `openssl ts -verify` takes the token over the note text."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "note").write_text(note)
        (Path(folder) / "token.tsr").write_bytes(response)
        command = ["openssl", "ts", "-verify", "-data", "note", "-in", "token.tsr", "-CAfile", str(pem)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        return done.returncode == 0 and "Verification: OK" in done.stdout + done.stderr
