"""Writing an upload's bytes: hashed and synced beside the writing, and counted only when the disk has said so.

The kernel tells of a failed write once, by the sync after it. So the answer of every sync is asked for, in their order,
and after one that failed nothing since the last good one is believed.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from evidence.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Callable

SYNC_EVERY = 32 << 20
BEHIND = 4  # so many times SYNC_EVERY may wait for the disk, then the writing waits for it
SMALL = 1 << 16
"""Bytes that are hashed in less time than it takes to begin a thread for them."""
CACHED = 64 << 20  # so much of a long upload stays in memory, that it does not push out everything else


class SyncFailedError(Exception):
    """The disk did not take what was written; its cause says why."""


class StagedWriter:
    """Appends to a staged file from `offset`. Owned by one request, as are its two threads.

    `count` is told how far the disk holds all bytes; it is called by the owner's thread only. After a
    `SyncFailedError` what it was told last is what is kept.
    """

    def __init__(self, descriptor: int, offset: int, count: Callable[[int], None]) -> None:
        self._descriptor, self._count = descriptor, count
        self.at = self._synced = self._dropped = offset
        self._state = hashlib.sha256() if offset == 0 else None
        self._hashing: Future[None] | None = None
        self._syncing: tuple[int, Future[None]] | None = None
        self._hasher, self._syncer = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        os.lseek(self._descriptor, self.at, os.SEEK_SET)
        return self

    def __exit__(self, *_: object) -> None:
        self._hasher.shutdown()
        self._syncer.shutdown()

    def write(self, chunk: bytes) -> None:
        """Append; at most one chunk waits to be hashed meanwhile. Raises `OSError`, `SyncFailedError`."""
        self._hash(chunk)
        view = memoryview(chunk)
        while view:
            done = os.write(self._descriptor, view)
            self.at, view = self.at + done, view[done:]
        if self.at - self._synced >= SYNC_EVERY:
            self._sync()

    def _hash(self, chunk: bytes) -> None:
        if self._state is not None:
            if self._hashing is not None:
                self._hashing.result()
            act = self._state.update
            self._hashing = _here(act, chunk) if len(chunk) <= SMALL else _beside(self._hasher, act, chunk)

    def _sync(self) -> None:
        """Start a sync if none runs; wait for the one that does if too much depends on it."""
        if self._syncing is not None:
            if not self._syncing[1].done() and self.at - self._synced < BEHIND * SYNC_EVERY:
                return
            self._take_answer()
        self._syncing = (self.at, _beside(self._syncer, os.fsync, self._descriptor))

    def _take_answer(self) -> None:
        if self._syncing is not None:
            (reached, answer), self._syncing = self._syncing, None
            try:
                answer.result()
            except OSError as error:
                raise SyncFailedError(error.strerror) from error
            self._synced = reached
            self._count(reached)
            self._drop()

    def _drop(self) -> None:
        """Let go of the memory of what is on the disk; it is read again from there."""
        if self._synced - self._dropped >= CACHED:
            os.posix_fadvise(self._descriptor, 0, self._synced, os.POSIX_FADV_DONTNEED)
            self._dropped = self._synced

    def finish(self) -> None:
        """Sync and count all that was written. Raises `SyncFailedError`."""
        self._take_answer()
        if self.at > self._synced:
            self._syncing = (self.at, _here(os.fsync, self._descriptor))
            self._take_answer()

    def digest(self) -> Digest | None:
        """Of the whole file as it was written; None if an earlier request wrote its beginning."""
        if self._state is None:
            return None
        if self._hashing is not None:
            self._hashing.result()
        return Digest(self._state.hexdigest())


def _beside[Given](pool: ThreadPoolExecutor, act: Callable[[Given], None], given: Given) -> Future[None]:
    """Done by the pool's thread, or here and now: a process that is being stopped begins no thread any more."""
    try:
        return pool.submit(act, given)
    except RuntimeError:
        return _here(act, given)


def _here[Given](act: Callable[[Given], None], given: Given) -> Future[None]:
    done: Future[None] = Future()
    try:
        act(given)
    except OSError as error:
        done.set_exception(error)
    else:
        done.set_result(None)
    return done
