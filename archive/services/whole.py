"""A whole copy of a blob, for whoever reads all of it: the next one where the first is damaged or its store is away."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from archive import wiring
from archive.services import fixity
from archive.storage.store import StoreError
from evidence.digest import hash_file

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
