"""The parts this installation runs with: the only reader of Django's settings on this floor."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

import evidence
from archive.signing import LogSigners, dsse_keys, log_keys
from archive.storage.store import BlobStore, StoreError
from archive.storage.worm import FileStore
from evidence.digest import Digest
from evidence.log.note import ED25519, ML_DSA_44, Vkey
from evidence.log.policy import policy_text

if TYPE_CHECKING:
    from evidence.keys import Signer


@functools.cache
def store() -> BlobStore:
    """The store that `CUSTOS_STORE` names. Raises `StoreError`."""
    kind, _, place = str(settings.CUSTOS_STORE).partition(":")
    if kind != "file" or not place:
        raise StoreError(
            f"CUSTOS_STORE={settings.CUSTOS_STORE!r}: write file:/a/folder (s3://… comes with a later version)"
        )
    return FileStore(Path(place))


def home() -> Path:
    return Path(settings.CUSTOS_HOME)


def staging() -> Path:
    """Where unfinished bytes lie: on the store's own volume, so that sealing is a link and not a copy."""
    folder = home() / "staging"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def keys_folder() -> Path:
    return home() / "keys"


@functools.cache
def origin() -> str:
    """The log's name, fixed when its keys were made."""
    return (keys_folder() / "origin").read_text().strip()


def wanted_origin() -> str:
    return str(settings.CUSTOS_ORIGIN)


@functools.cache
def log_signers() -> LogSigners:
    return log_keys(keys_folder())


@functools.cache
def dsse_signers() -> tuple[Signer, Signer]:
    return dsse_keys(keys_folder())


@functools.cache
def policy() -> str:
    """What the archive claims its log keys are, as a tlog-policy."""
    signers = log_signers()
    return policy_text(
        [Vkey(origin(), ED25519, signers.ed25519.public), Vkey(origin(), ML_DSA_44, signers.ml_dsa_44.public)]
    )


def public_url() -> str:
    return str(settings.CUSTOS_PUBLIC_URL)


def software() -> str:
    return str(settings.CUSTOS_SOFTWARE)


@functools.cache
def code_digest() -> Digest:
    """Digest of the code that decides: every module of `evidence`, by path and content."""
    root = Path(evidence.__path__[0])
    state = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        state.update(f"{path.relative_to(root).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return Digest(state.hexdigest())
