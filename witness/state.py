"""What a witness keeps in a folder: its name and keys, the logs that it follows, and their last checkpoints."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from typing import TYPE_CHECKING

from evidence.errors import EvidenceError, FormatError
from evidence.keys import Ed25519Signer, MlDsa44Signer
from evidence.log.checkpoint import parse_checkpoint
from evidence.log.note import Vkey, parse_note, parse_vkey
from evidence.log.witness import WitnessKeys

if TYPE_CHECKING:
    from io import TextIOWrapper
    from pathlib import Path

    from evidence.log.checkpoint import Checkpoint

KEYS = ("ed25519", "ml-dsa-44")


class WitnessError(EvidenceError):
    """The folder cannot be used; the text says why and what to do."""


def found(folder: Path, name: str) -> WitnessKeys:
    """Make a new witness. Raises `WitnessError` where one is already."""
    if any(char.isspace() or char == "+" for char in name) or not name:
        raise WitnessError(f"the name {name!r}: write a URL without its scheme, without spaces and plus signs")
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError as error:
        raise WitnessError(f"{folder} is there already; a witness is made in a new folder") from error
    (folder / "logs").write_text("")
    for key in KEYS:
        _write(folder / key, secrets.token_hex(32) + "\n")
    _write(folder / "name", f"{name}\n")
    return open_keys(folder)


def open_keys(folder: Path) -> WitnessKeys:
    """Raises `WitnessError` for keys that are missing, damaged or open to others."""
    try:
        name = (folder / "name").read_text().strip()
        plain, quantum = (_seed(folder / key) for key in KEYS)
    except (OSError, ValueError) as error:
        raise WitnessError(f"{folder} holds no whole witness ({error}); make one with custos-witness init") from error
    return WitnessKeys(name, Ed25519Signer(plain), MlDsa44Signer(quantum))


def _seed(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise WitnessError(f"the key {path} may be read by others: chmod 600 it")
    seed = bytes.fromhex(path.read_text().strip())
    if len(seed) != 32:
        raise ValueError(f"{path.name} has {len(seed)} bytes, wanted 32")
    return seed


def follow(folder: Path, vkeys: list[str]) -> None:
    """Follow a log, by all its verifier keys. Raises `WitnessError` or `FormatError`."""
    keys = [parse_vkey(text) for text in vkeys]
    if len({key.name for key in keys}) != 1:
        raise WitnessError("give the keys of one log at a time; all of them carry its origin as their name")
    known = followed(folder)
    if any(key.name == keys[0].name for key in known):
        raise WitnessError(f"{keys[0].name} is followed already; edit {folder / 'logs'} by hand if its keys changed")
    _write(folder / "logs", "".join(f"{key}\n" for key in (*known, *keys)))


def followed(folder: Path) -> tuple[Vkey, ...]:
    """Raises `WitnessError`."""
    try:
        return tuple(parse_vkey(line) for line in (folder / "logs").read_text().split("\n") if line)
    except (OSError, FormatError) as error:
        raise WitnessError(f"{folder / 'logs'}: {error}") from error


def claim(folder: Path) -> TextIOWrapper:
    """Hold the folder for this process alone, as long as the file is open. Raises `WitnessError`."""
    lock = (folder / "lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise WitnessError(f"another witness runs in {folder}; two of them could cosign two histories") from error
    return lock


def memory(folder: Path, origin: str) -> Path:
    return folder / f"{hashlib.sha256(origin.encode()).hexdigest()}.checkpoint"


def remembered(folder: Path, origin: str) -> Checkpoint | None:
    """What was cosigned last of a log. Raises `WitnessError` if it is damaged: then nothing may be cosigned."""
    path = memory(folder, origin)
    try:
        return parse_checkpoint(parse_note(path.read_bytes()).text)
    except FileNotFoundError:
        return None
    except (OSError, EvidenceError) as error:
        raise WitnessError(f"{path} is damaged ({error}); put back what it was, it must not be forgotten") from error


def remember(folder: Path, origin: str, note: str) -> None:
    """On the disk, whole, when this returns."""
    _write(memory(folder, origin), note)


def _write(path: Path, text: str) -> None:
    staged = path.with_name(f".{path.name}.next")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    staged.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
