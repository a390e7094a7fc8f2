"""The service's keys: 32-byte seeds in files of mode 0600, made once and never replaced."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evidence.errors import SignatureError
from evidence.keys import Ed25519Signer, MlDsa44Signer, Signer

if TYPE_CHECKING:
    from pathlib import Path

KEY_NAMES = ("log-ed25519", "log-ml-dsa-44", "dsse-ed25519", "dsse-ml-dsa-44")
_PRIVATE = 0o600
_SEED = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class LogSigners:
    """The two keys with which the log signs every checkpoint."""

    ed25519: Signer
    ml_dsa_44: Signer


def make_keys(folder: Path, origin: str) -> list[str]:
    """Make what is missing; the names of what was made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    values = {name: secrets.token_hex(32) for name in KEY_NAMES} | {"origin": origin}
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


def log_keys(folder: Path) -> LogSigners:
    """Raises `SignatureError` if a key is missing, damaged or open to others."""
    return LogSigners(Ed25519Signer(_seed(folder / "log-ed25519")), MlDsa44Signer(_seed(folder / "log-ml-dsa-44")))


def dsse_keys(folder: Path) -> tuple[Signer, Signer]:
    """Raises `SignatureError` if a key is missing, damaged or open to others."""
    return Ed25519Signer(_seed(folder / "dsse-ed25519")), MlDsa44Signer(_seed(folder / "dsse-ml-dsa-44"))


def _seed(path: Path) -> bytes:
    try:
        mode, text = path.stat().st_mode & 0o777, path.read_text()
    except OSError as error:
        raise SignatureError(
            f"the key {path} cannot be read ({error.strerror}); make it with manage.py make_keys"
        ) from error
    if mode & 0o077:
        raise SignatureError(f"the key {path} has mode {mode:04o}; nobody else may read it: chmod 600 it")
    if not _SEED.fullmatch(text.strip()):
        raise SignatureError(f"the key {path} is damaged: it is not 64 hexadecimal digits; put its backup there")
    return bytes.fromhex(text.strip())
