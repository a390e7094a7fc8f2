"""The service's private keys: 32-byte seeds in files of mode 0600, made once and never replaced, or an external signer.

The signer is a command that is started for each request, gets one line of JSON and answers one (docs/keys.md).
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import subprocess
from typing import TYPE_CHECKING, Any

from evidence.errors import SignatureError
from evidence.keys import ED25519, ML_DSA_44, Ed25519Signer, MlDsa44Signer, Signer, verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

ALGORITHMS = (ED25519, ML_DSA_44)
KEY_NAMES = ("log-ed25519", "log-ml-dsa-44", "dsse-ed25519", "dsse-ml-dsa-44")
_PRIVATE = 0o600
_SEED = re.compile(r"[0-9a-f]{64}")
_ANSWER_LIMIT = 1 << 16
_TIMEOUT = 10.0  # four requests in a row end before the sequencer counts as frozen


def make_keys(folder: Path, origin: str, names: Iterable[str] = KEY_NAMES) -> list[str]:
    """Make what is missing; the names of what was made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    values = {name: secrets.token_hex(32) for name in names} | {"origin": origin}
    return [name for name, value in values.items() if _write_once(folder / name, value)]


def _write_once(path: Path, value: str) -> bool:
    """Under its name only when it is whole and on the disk; a name that is there already stays as it is."""
    if path.exists():
        return False
    staged = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        with os.fdopen(descriptor, "w") as file:
            file.write(value + "\n")
            file.flush()
            os.fsync(descriptor)
        os.link(staged, path)
    except FileExistsError:
        return False
    finally:
        staged.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def open_file(folder: Path, name: str, algorithm: str) -> Signer:
    """Raises `SignatureError` if the key is missing, damaged or open to others."""
    seed = _seed(folder / name)
    return Ed25519Signer(seed) if algorithm == ED25519 else MlDsa44Signer(seed)


def _seed(path: Path) -> bytes:
    try:
        mode, text = path.stat().st_mode & 0o777, path.read_text()
    except OSError as error:
        raise SignatureError(
            f"the key {path} cannot be read ({error.strerror}); put its backup there, or make the first keys with "
            "manage.py make_keys"
        ) from error
    if mode & 0o077:
        raise SignatureError(f"the key {path} has mode {mode:04o}; nobody else may read it: chmod 600 it")
    if not _SEED.fullmatch(text.strip()):
        raise SignatureError(f"the key {path} is damaged: it is not 64 hexadecimal digits; put its backup there")
    return bytes.fromhex(text.strip())


class CommandSigner:
    """A key that only an external signer can use. Every signature is verified before anybody else sees it."""

    def __init__(self, command: Sequence[str], name: str, algorithm: str) -> None:
        self._command, self._name, self.algorithm = list(command), name, algorithm
        self.public = self._ask("public", {})

    def sign(self, message: bytes) -> bytes:
        signature = self._ask("signature", {"message": base64.b64encode(message).decode()})
        try:
            verify(self.algorithm, self.public, signature, message)
        except SignatureError as error:
            raise self._refusal(f"gave a signature that does not hold: {error}") from error
        return signature

    def _ask(self, wanted: str, more: dict[str, str]) -> bytes:
        """The answer's one member, decoded. Raises `SignatureError`."""
        request = {"want": wanted, "key": self._name, "algorithm": self.algorithm, **more}
        answer = self._run(json.dumps(request) + "\n")
        if "error" in answer:
            raise self._refusal(f"says {str(answer['error'])[:300]!r}")
        try:
            return base64.b64decode(answer[wanted], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise self._refusal(f"answers without a {wanted} in base64: {str(answer)[:200]}") from error

    def _run(self, line: str) -> dict[str, Any]:
        try:
            done = subprocess.run(
                self._command, input=line.encode(), capture_output=True, timeout=_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise self._refusal(f"gave no answer in {_TIMEOUT:.0f} seconds; see whether its device is there") from error
        except OSError as error:
            raise self._refusal(f"cannot be started: {error.strerror}") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()[-300:] or "nothing"
            raise self._refusal(f"ended with {done.returncode} and said: {said}")
        try:
            answer: Any = json.loads(done.stdout[: _ANSWER_LIMIT + 1])
        except ValueError as error:
            raise self._refusal(f"answers no JSON: {done.stdout[:100]!r}") from error
        if not isinstance(answer, dict):
            raise self._refusal(f"answers no JSON object: {done.stdout[:100]!r}")
        return answer

    def _refusal(self, what: str) -> SignatureError:
        return SignatureError(f"the signer {self._command[0]} {what} (key {self._name}; CUSTOS_SIGNER, docs/keys.md)")
