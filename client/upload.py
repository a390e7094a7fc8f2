"""Uploading a file: hashed while it is sent, resumed after a cut, and done when its receipt is in hand."""

from __future__ import annotations

import hashlib
import json
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from client.api import ATTEMPTS, PASSING, ClientError, Server, pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PIECE, SMALL = 1 << 20, 1 << 16
SEALED_WITHIN = 600.0
SEALED_PER_SECOND = 20 << 20  # a slow disk reads as much, so a large file is given longer
WRONG_OFFSET, BUSY = 409, 423


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an upload left."""

    submission: str
    digest: str
    size: int
    receipt: Path

    def value(self) -> dict[str, Any]:
        return {
            "submission": self.submission, "digest": self.digest, "size": self.size, "receipt": str(self.receipt)
        }  # fmt: skip


def upload(
    server: Server,
    path: Path,
    metadata: dict[str, str],
    progress: Callable[[int], None],
    receipt: Path | None = None,
    *,
    resume: str = "",
) -> Outcome:
    """Send the file, wait until it is sealed, compare the digests, keep the receipt. Raises `ClientError`.

    `resume` is a submission that was begun before: the file is sent from where it stands.
    """
    size = _size(path)
    begun = {"filename": _spelled(path), **metadata}
    location, stands = _resumed(server, resume, size) if resume else server.begin(size, begun, _small(path, size))
    submission = location.rsplit("/", 1)[1]
    try:
        ours = _send(server, location, path, size, progress, stands=stands)
    except ClientError as error:
        raise ClientError(f"{error} (to go on with what has arrived: --resume {submission})", error.status) from error
    patience = SEALED_WITHIN + size / SEALED_PER_SECOND
    theirs = _wait_until_sealed(server, submission, patience)
    if theirs != ours:
        raise ClientError(
            f"the server sealed {theirs}, but {path} has {ours}: the file changed while it was sent; send it again"
        )
    data = server.when_ready(f"/api/v1/submissions/{submission}/receipt", patience)
    return Outcome(submission, theirs, size, _keep(data, receipt or path.with_name(path.name + ".receipt.json")))


def _spelled(path: Path) -> str:
    """Its name; octets that are no UTF-8 as escapes, for a name is only text."""
    return os.fsencode(path.name).decode(errors="backslashreplace")


def _size(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ClientError(f"{path} cannot be read ({error.strerror}); check the name") from error


def _small(path: Path, size: int) -> bytes:
    """All of a file that goes with the request that begins its upload; of a larger one nothing."""
    if size > SMALL:
        return b""
    with path.open("rb") as file:
        return file.read(size)


def _resumed(server: Server, submission: str, size: int) -> tuple[str, None]:
    row = server.json(f"/api/v1/submissions/{quote(submission, safe='')}")
    if row["length"] != size:
        raise ClientError(
            f"submission {submission} is of a file of {row['length']} bytes, this one has {size}; name that file"
        )
    return f"/api/v1/uploads/{submission}", None


def _send(
    server: Server, location: str, path: Path, size: int, progress: Callable[[int], None], *, stands: int | None
) -> str:
    """All bytes from where the upload stands, as far as that is known; the file's digest.

    A cut or a restart is waited for and resumed.
    """
    offset, attempt, known = stands or 0, 0, stands is not None
    state = _hash_up_to(path, offset)
    progress(offset)
    while True:
        try:
            if not known:
                stands = server.offset(location)
                attempt = attempt if stands <= offset else 0
                offset, state, known = stands, _hash_up_to(path, stands), True
            if offset == size:
                return f"sha256:{state.hexdigest()}"
            offset = server.append(location, offset, size - offset, _pieces(path, offset, size, state, progress))
        except ClientError as error:
            if attempt == ATTEMPTS or error.status not in (WRONG_OFFSET, BUSY, *PASSING):
                raise
            pause(attempt)
            attempt, known = attempt + 1, False


def _pieces(path: Path, offset: int, size: int, state: Any, progress: Callable[[int], None]) -> Iterator[bytes]:
    """The file's bytes up to the size it had, hashed beside their being sent; a growing log is taken as it stood."""
    hashing: Future[None] | None = None
    with path.open("rb") as file, ThreadPoolExecutor(1) as hasher:
        file.seek(offset)
        while offset < size:
            piece = file.read(min(PIECE, size - offset))
            if not piece:
                raise ClientError(f"{path} became shorter while it was sent: {offset} of {size} bytes; send it again")
            if hashing is not None:
                hashing.result()
            hashing = hasher.submit(state.update, piece)
            offset += len(piece)
            progress(offset)
            yield piece


def _hash_up_to(path: Path, offset: int) -> Any:
    state = hashlib.sha256()
    with path.open("rb") as file:
        while file.tell() < offset and (piece := file.read(min(PIECE, offset - file.tell()))):
            state.update(piece)
    return state


def _wait_until_sealed(server: Server, submission: str, patience: float) -> str:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        row = server.steady(f"/api/v1/submissions/{submission}")
        if row["state"] == "refused":
            raise ClientError(f"the server refused the file: {row['problem']}")
        if row["digest"]:
            return str(row["digest"])
        time.sleep(0.05)
    raise ClientError(
        f"submission {submission} was not sealed in {patience:.0f} s; ask again with custos wait {submission}"
    )


def _keep(data: bytes, target: Path) -> Path:
    """The receipt beside the file; another name if one stands there already, the current folder if need be."""
    for number in range(1, 1000):
        name = (
            target if number == 1 else target.with_name(target.name.replace(".receipt.json", f"-{number}.receipt.json"))
        )
        try:
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            if name.is_file() and name.read_bytes() == data:
                return name
            continue
        except OSError:
            return _keep(data, type(target)(target.name)) if target.parent != type(target)() else _refuse(target)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        return name
    return _refuse(target)


def _refuse(target: Path) -> Path:
    raise ClientError(f"the receipt cannot be written as {target} nor in the current folder; it can be fetched again")


def wait(server: Server, submission: str, patience: float) -> dict[str, Any]:
    """The submission when nothing more happens to it by itself. Raises `ClientError`."""
    deadline = time.monotonic() + patience
    path = f"/api/v1/submissions/{quote(submission, safe='')}"
    row: dict[str, Any] = server.json(path)
    while not row["done"]:
        if time.monotonic() > deadline:
            states = json.dumps({run["procedure"]: f"{run['state']} {run['problem']}".strip() for run in row["runs"]})
            raise ClientError(
                f"submission {submission} is not done after {patience:.0f} s: {row['state']}, runs {states}"
            )
        time.sleep(0.2)
        row = server.steady(path)
    return row
