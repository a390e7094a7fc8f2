"""A whole copy of a blob, for whoever reads all of it: the next one where the first is damaged or its store is away.

Where bytes are handed on as they are read there is no next one, but they do not end as if they were whole.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from archive import wiring
from archive.services import fixity
from archive.services.following import read_blob
from archive.storage.store import PIECE, StoreError, WrongBytesError
from evidence.digest import Digest, hash_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archive.models import Blob


@contextmanager
def local_whole_copy(blob: Blob) -> Iterator[Path]:
    """A file with the blob's bytes, hashed just now, for as long as the context lasts. Raises `StoreError`.

    That another copy is damaged is at once fixity's: it tells it and mends it.
    """
    with ExitStack() as stack:
        path, damaged = _found(blob, stack)
        if damaged:
            fixity.check_blob(blob, lambda _: None)
        yield path


def _found(blob: Blob, stack: ExitStack) -> tuple[Path, bool]:
    """The first whole copy, and whether one before it is damaged."""
    problems: list[str] = []
    damaged = False
    for locator in blob.place.split(" "):
        try:
            path = stack.enter_context(wiring.store().local_path(locator))
            digest = str(hash_file(path)[0])
        except (StoreError, OSError) as error:
            problems.append(str(error))
            continue
        if digest == blob.digest:
            return path, damaged
        damaged = True
        problems.append(f"the store's copy of {blob.digest} has the digest {digest}; run manage.py fixity, then again")
    raise StoreError("; ".join(problems))


def read_whole(blob: Blob) -> Iterator[bytes]:
    """All bytes of a blob, hashed on their way; the last of them come only if all are the blob's.

    Raises `WrongBytesError` instead, so that whoever hands them on breaks off, and fixity looks at this blob next. Of a
    blob of one piece that is raised here, before anything is handed on. Raises `StoreError`.
    """
    pieces = _proved(blob, read_blob(blob))
    return pieces if blob.size > PIECE else iter(tuple(pieces))


def _proved(blob: Blob, pieces: Iterator[bytes]) -> Iterator[bytes]:
    state, held = hashlib.sha256(), b""
    for piece in pieces:
        if held:
            yield held
        state.update(piece)
        held = piece
    found = str(Digest(state.hexdigest()))
    if found != blob.digest:
        said = f"bytes read for {blob.digest} have the digest {found} and were not given out whole; fixity looks next"
        fixity.suspect(blob, said)
        raise WrongBytesError(said)
    if held:
        yield held
