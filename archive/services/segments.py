"""The segments of large blobs: what lets a check go on where it was cut off, instead of beginning again.

A blob's own digest takes all of its bytes at one go: no library gives out what SHA-256 holds half-way, to be put away
and taken up by another process. So once a large blob was seen whole, its segments are hashed in one more reading, which
has to have the blob's digest too; their root stands in the event of that check. From then on the blob is whole if each
of its segments is, and these can be looked at one by one (docs/adr/0026).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archive import wiring
from archive.models import Segments
from archive.services.custody import told
from archive.storage.store import StoreError
from evidence.digest import Digest
from evidence.log.hashing import HASH_SIZE, leaf_hash, tree_root

if TYPE_CHECKING:
    from collections.abc import Callable

    from archive.models import Blob

SIZE = 256 << 20
"""Bytes of a segment; a blob that has no more is looked at as a whole."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """The SHA-256 of each `size` bytes of a blob, and of its last."""

    size: int
    digests: bytes

    @property
    def count(self) -> int:
        return len(self.digests) // HASH_SIZE

    def digest(self, number: int) -> Digest:
        return Digest(self.digests[number * HASH_SIZE :][:HASH_SIZE].hex())

    @property
    def detail(self) -> dict[str, Any]:
        """As the event says it: the root is that of an RFC 6962 tree whose entries are the digests."""
        root = tree_root([leaf_hash(self.digest(number).raw) for number in range(self.count)])
        return {"size": self.size, "count": self.count, "root": base64.b64encode(root).decode()}


def known(blob: Blob) -> Segments | None:
    return Segments.objects.filter(blob=blob).select_related("event", "blob").first()


def hashed_of(row: Segments) -> Hashed:
    return Hashed(row.size, bytes(row.digests))


def contradiction(row: Segments) -> str:
    """That the row differs from what its event says, if that can be read at all; empty if it does not."""
    said = told(row.event)
    if said is not None and said.detail.get("segments") == hashed_of(row).detail:
        return ""
    return f"the segments of {row.blob_id} are not those of the event {row.event_id}; restore their row from a backup"


def hash_new(blob: Blob, pace: Callable[[int], None]) -> Hashed | None:
    """Of a large blob that has none yet; nothing if what is read is not the blob, or its store went away."""
    if blob.size <= SIZE or known(blob) is not None:
        return None
    whole, found = hashlib.sha256(), b""
    try:
        for start in range(0, blob.size, SIZE):
            segment = hashlib.sha256()
            for piece in wiring.store().open_range(blob.place, start, min(start + SIZE, blob.size)):
                whole.update(piece)
                segment.update(piece)
                pace(len(piece))
            found += segment.digest()
    except StoreError:
        return None
    return Hashed(SIZE, found) if whole.hexdigest() == Digest.parse(blob.digest).hex else None


def is_whole(row: Segments, number: int, pace: Callable[[int], None]) -> bool:
    """Of one segment, in every copy; the last one goes to the copy's end. Raises `StoreError`."""
    hashed = hashed_of(row)
    stop = (number + 1) * row.size if number + 1 < hashed.count else None
    found = wiring.store().segment(row.blob.place, number * row.size, stop, pace)
    return set(found) == {hashed.digest(number)}
