"""Uploading a file: hashed while it is sent, resumed after a cut, and done when its receipt is in hand."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from client.api import ClientError, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PIECE = 1 << 20
ATTEMPTS = 8
SEALED_WITHIN = 600.0


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
    server: Server, path: Path, metadata: dict[str, str], progress: Callable[[int], None], receipt: Path | None = None
) -> Outcome:
    """Send the file, wait until it is sealed, compare the digests, keep the receipt. Raises `ClientError`."""
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise ClientError(f"{path} cannot be read ({error.strerror}); check the name") from error
    location = server.begin(size, {"filename": path.name, **metadata})
    submission = location.rsplit("/", 1)[1]
    ours = _send(server, location, path, size, progress)
    theirs = _wait_until_sealed(server, submission)
    if theirs != ours:
        raise ClientError(
            f"the server sealed {theirs}, but {path} has {ours}: the file changed while it was sent; send it again"
        )
    data = server.when_ready(f"/api/v1/submissions/{submission}/receipt", SEALED_WITHIN)
    return Outcome(submission, theirs, size, _keep(data, receipt or path.with_name(path.name + ".receipt.json")))


def _send(server: Server, location: str, path: Path, size: int, progress: Callable[[int], None]) -> str:
    """All bytes from where the upload stands; the file's digest."""
    state, attempt, offset = hashlib.sha256(), 0, 0
    while offset < size:
        try:
            offset = server.append(location, offset, size - offset, _pieces(path, offset, state, progress))
        except ClientError as error:
            attempt += 1
            if attempt == ATTEMPTS or error.status not in (-1, 409, 423, 502, 503):
                raise
            time.sleep(min(10.0, 0.2 * 2**attempt))
            offset = server.offset(location)
            state = _hash_up_to(path, offset)
    return f"sha256:{state.hexdigest()}"


def _pieces(path: Path, offset: int, state: Any, progress: Callable[[int], None]) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while piece := file.read(PIECE):
            state.update(piece)
            offset += len(piece)
            progress(offset)
            yield piece


def _hash_up_to(path: Path, offset: int) -> Any:
    state = hashlib.sha256()
    with path.open("rb") as file:
        while file.tell() < offset and (piece := file.read(min(PIECE, offset - file.tell()))):
            state.update(piece)
    return state


def _wait_until_sealed(server: Server, submission: str) -> str:
    deadline = time.monotonic() + SEALED_WITHIN
    while time.monotonic() < deadline:
        row = server.json(f"/api/v1/submissions/{submission}")
        if row["state"] == "refused":
            raise ClientError(f"the server refused the file: {row['problem']}")
        if row["digest"]:
            return str(row["digest"])
        time.sleep(0.05)
    raise ClientError(
        f"submission {submission} was not sealed in {SEALED_WITHIN:.0f} s; ask again with custos wait {submission}"
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
    while True:
        row: dict[str, Any] = server.json(f"/api/v1/submissions/{submission}")
        if row["done"]:
            return row
        if time.monotonic() > deadline:
            states = json.dumps({run["procedure"]: run["state"] for run in row["runs"]})
            raise ClientError(
                f"submission {submission} is not done after {patience:.0f} s: {row['state']}, runs {states}"
            )
        time.sleep(0.2)
