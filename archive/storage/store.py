"""The store's contract: bytes go in once, under their digest, and can be read in ranges. There is no delete.

Four acts carry the archive: `put`, `open_range`, `stat`, `listing`. The others care for what is there: `protect`
extends a lock, `examine` re-hashes every copy, `mend` makes damaged copies whole from a good one, `challenge` tries to
break the store's promise.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from evidence.digest import Digest

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

PIECE = 1 << 20
WHOLE, DAMAGED, MISSING, UNREACHABLE = "whole", "damaged", "missing", "unreachable"


class StoreError(Exception):
    """The store refuses or cannot; the text says what, where and what to do."""


class UnsafeStoreError(StoreError):
    """The store lets evidence be changed or taken away, so nothing is put into it."""


class MissingBlobError(StoreError):
    """The store answers, and does not have the bytes."""


class UnreadableBlobError(StoreError):
    """The bytes lie there, and the disk does not give them, or not all."""


class WrongBytesError(StoreError):
    """The store gives bytes that are not those of the digest."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is asked for: in how many places at least, locked until when, under a legal hold."""

    copies: int = 1
    until: dt.datetime | None = None
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Stat:
    """What a store says of a blob; `lock` in words, never more than the store itself confirms."""

    size: int
    lock: str
    until: dt.datetime | None = None
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a blob after it was looked at: `state` is whole, damaged, missing or unreachable."""

    store: str
    state: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Challenge:
    """An attempt to break the promise. What is not `binding` is known not to be enforced, and only said."""

    store: str
    attempt: str
    held: bool
    said: str
    binding: bool = True


class BlobStore(Protocol):
    """Whoever keeps blobs. All raise `StoreError`."""

    @property
    def name(self) -> str:
        """What people and custody events call it."""

    def put(self, source: Path, digest: Digest, keeping: Keeping) -> str:
        """Keep the bytes of the fsynced file `source`, which have this digest; where they lie.

        Durable on return. May be repeated: whole bytes that are there already are left as they are, others replaced.
        """

    def open_range(self, locator: str, start: int, stop: int) -> Iterator[bytes]:
        """Bytes `start` up to `stop`, in pieces of at most `PIECE`."""

    def stat(self, locator: str) -> Stat:
        """Size and lock of what lies there."""

    def listing(self) -> Iterator[str]:
        """The locator of every blob that the store holds, also of those that nobody asked it to hold."""

    def protect(self, locator: str, keeping: Keeping) -> None:
        """Lock for longer, set or lift a legal hold. Never a shorter lock. `MissingBlobError`: a copy is wanting."""

    def describe(self, name: str, text: bytes) -> None:
        """Keep a small text under `name`, written once; it tells people without this program what lies where."""

    def described(self, name: str) -> list[bytes | None]:
        """What each store shows under `name` to people; None where it shows nothing."""

    def examine(self, locator: str, on_piece: Callable[[int], None]) -> list[Copy]:
        """Read and hash every copy; `on_piece` is told the bytes read and may take its time."""

    def segment(self, locator: str, start: int, stop: int | None, on_piece: Callable[[int], None]) -> list[Digest]:
        """Digest of the bytes from `start` up to `stop`, or to the end, in every copy.

        Raises `MissingBlobError` where a copy is wanting.
        """

    def replace(self, source: Path, locator: str, keeping: Keeping) -> str:
        """A whole copy in the place of a damaged or missing one, which is kept beside it; where the whole one lies."""

    def mend(self, locator: str, keeping: Keeping) -> str:
        """Make every copy whole from one that is; where they lie now."""

    def local_path(self, locator: str) -> AbstractContextManager[Path]:
        """A file with the blob's bytes, to be read only, for as long as the context lasts."""

    def probe(self) -> None:
        """Nothing, if the store answers and can be written."""

    def challenge(self) -> list[Challenge]:
        """Try what must not be possible, on the real store."""


def place_of(digest: Digest) -> str:
    """Where a blob lies in every store, below its top."""
    return f"sha256/{digest.hex[:2]}/{digest.hex[2:4]}/{digest.hex}"


def digest_at(locator: str) -> Digest:
    """The digest that the bytes at a single store's locator should have."""
    return Digest(locator.partition("?")[0].rpartition("/")[2])


def mend_single(store: BlobStore, locator: str, keeping: Keeping) -> str:
    """A store that has no other to mend from can only say so."""
    refuse_more_copies(store, keeping)
    (copy,) = store.examine(locator, lambda _: None)
    if copy.state != WHOLE:
        raise StoreError(f"{store.name} is the only store and {copy.said}; restore {locator} from a backup")
    return locator


def refuse_more_copies(store: BlobStore, keeping: Keeping) -> None:
    """One store is one copy."""
    if keeping.copies > 1:
        raise StoreError(
            f"the case asks for {keeping.copies} copies and {store.name} is one store; name more in CUSTOS_STORE"
        )


def examine_copy(store: BlobStore, locator: str, on_piece: Callable[[int], None]) -> Copy:
    """One copy, read from its first byte to its last and hashed; the digest that is wanted stands in its place."""
    try:
        found = hash_segment(store, locator, 0, None, on_piece)
    except MissingBlobError as error:
        return Copy(store.name, MISSING, str(error))
    except UnreadableBlobError as error:
        return Copy(store.name, DAMAGED, str(error))
    except StoreError as error:
        return Copy(store.name, UNREACHABLE, str(error))
    if found != digest_at(locator):
        return Copy(store.name, DAMAGED, f"its bytes have the digest {found}")
    return Copy(store.name, WHOLE)


def hash_segment(
    store: BlobStore, locator: str, start: int, stop: int | None, on_piece: Callable[[int], None]
) -> Digest:  # fmt: skip
    """As `BlobStore.segment`, of a store that has one copy."""
    state = hashlib.sha256()
    for piece in store.open_range(locator, start, store.stat(locator).size if stop is None else stop):
        state.update(piece)
        on_piece(len(piece))
    return Digest(state.hexdigest())
