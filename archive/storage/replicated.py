"""Several stores as one: a blob counts when as many hold it as are asked for, reads fall back, damage is mended.

A locator names the stores by their place in CUSTOS_STORE, from 1: `1:sha256/… 2:sha256/…?versionId=…`. A locator
without places is one of a time when there was only the first store.
"""

from __future__ import annotations

import contextlib
import dataclasses
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import TYPE_CHECKING

from archive.storage.store import (
    MISSING,
    UNREACHABLE,
    WHOLE,
    Challenge,
    Copy,
    Keeping,
    MissingBlobError,
    Stat,
    StoreError,
    digest_at,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from archive.storage.store import BlobStore
    from evidence.digest import Digest


class ReplicatedStore:
    """Stores in the order in which they are read."""

    def __init__(self, stores: Sequence[BlobStore]) -> None:
        self.stores = tuple(stores)

    @property
    def name(self) -> str:
        return " ".join(store.name for store in self.stores)

    def put(self, source: Path, digest: Digest, keeping: Keeping) -> str:
        """To all at once that answer. Raises `StoreError` if fewer took it than are asked for.

        One that does not say within seconds that it is there is not waited for; it is given its copy by fixity.
        """
        if keeping.copies > len(self.stores):
            raise StoreError(f"the case asks for {keeping.copies} copies; CUSTOS_STORE names {len(self.stores)} stores")
        single = dataclasses.replace(keeping, copies=1)
        with ThreadPoolExecutor(len(self.stores)) as pool:
            waiting = [pool.submit(_put, store, source, digest, single) for store in self.stores]
        taken: dict[int, str] = {}
        problems: list[str] = []
        for place, future in enumerate(waiting):
            try:
                taken[place] = future.result()
            except StoreError as error:
                problems.append(str(error))
        if len(taken) < keeping.copies:
            raise StoreError(f"{len(taken)} of {keeping.copies} copies were made: {'; '.join(problems)}")
        return _joined(taken)

    def _places(self, locator: str) -> dict[int, str]:
        if ":" not in locator.partition("/")[0]:
            return {0: locator}
        places = {}
        for item in locator.split(" "):
            number, _, rest = item.partition(":")
            if int(number) <= len(self.stores):
                places[int(number) - 1] = rest
        return places

    def open_range(self, locator: str, start: int, stop: int) -> Iterator[bytes]:
        """From the first store that gives them; where one breaks off, the next goes on.

        That none gives any is said before the first piece, while whoever asked can still say so.
        """
        pieces = self._pieces(locator, start, stop)
        return chain([*islice(pieces, 1)], pieces)

    def _pieces(self, locator: str, start: int, stop: int) -> Iterator[bytes]:
        problems: list[str] = []
        for place, inner in self._places(locator).items():
            try:
                for piece in self.stores[place].open_range(inner, start, stop):
                    start += len(piece)
                    yield piece
            except StoreError as error:
                problems.append(str(error))
            else:
                return
        raise StoreError(f"no store gives the bytes: {'; '.join(problems) or locator}")

    def stat(self, locator: str) -> Stat:
        """The weakest of what the stores say that answer; in words, which do not. Raises `StoreError` if none does."""
        found: list[Stat] = []
        words: list[str] = []
        problems: list[str] = []
        for place, inner in self._places(locator).items():
            try:
                found.append(self.stores[place].stat(inner))
                words.append(found[-1].lock)
            except StoreError as error:
                problems.append(str(error))
                words.append(f"{self.stores[place].name} does not say")
        if not found:
            raise StoreError("; ".join(problems) or f"no store of {self.name} has {locator}")
        ends = [stat.until for stat in found]
        return Stat(
            found[0].size,
            "; ".join(words),
            None if None in ends else min(end for end in ends if end),
            all(stat.hold for stat in found),
        )

    def listing(self) -> Iterator[str]:
        for place, store in enumerate(self.stores):
            for inner in store.listing():
                yield _joined({place: inner})

    def protect(self, locator: str, keeping: Keeping) -> None:
        """Every copy that can be reached, though others cannot: whoever asks then tries again until all are locked.

        Raises `MissingBlobError` if there is a copy to be made first.
        """
        places = self._places(locator)
        if len(places) < keeping.copies:
            raise MissingBlobError(
                f"the case asks for {keeping.copies} copies, {locator} has {len(places)}; run fixity"
            )
        problems: list[StoreError] = []
        for place, inner in places.items():
            try:
                self.stores[place].protect(inner, dataclasses.replace(keeping, copies=1))
            except StoreError as error:
                problems.append(error)
        if problems:
            is_missing = any(isinstance(error, MissingBlobError) for error in problems)
            raise (MissingBlobError if is_missing else StoreError)("; ".join(map(str, problems)))

    def describe(self, name: str, text: bytes) -> None:
        """In every store that answers; one that is away gets it when fixity looks at what it describes."""
        self._each(lambda store: store.describe(name, text))

    def described(self, name: str) -> list[bytes | None]:
        """Of the stores that answer."""
        return [text for found in self._each(lambda store: store.described(name)) for text in found]

    def examine(self, locator: str, on_piece: Callable[[int], None]) -> list[Copy]:
        places = self._places(locator)
        found = []
        for place, store in enumerate(self.stores):
            if place in places:
                found += store.examine(places[place], on_piece)
            else:
                found.append(_never_given(store))
        return found

    def segment(self, locator: str, start: int, stop: int | None, on_piece: Callable[[int], None]) -> list[Digest]:
        places = self._places(locator)
        if len(places) < len(self.stores):
            raise MissingBlobError(
                f"{locator} has {len(places)} copies, there are {len(self.stores)} stores; run fixity"
            )
        return [
            digest
            for place, inner in places.items()
            for digest in self.stores[place].segment(inner, start, stop, on_piece)
        ]

    def replace(self, source: Path, locator: str, keeping: Keeping) -> str:
        """As of a single store; copies that are whole stay where they are."""
        places = self._places(locator)
        return self._made_whole(source, digest_at(locator), places, self._states(places), keeping)

    def _states(self, places: dict[int, str]) -> dict[int, Copy]:
        return {place: self.stores[place].examine(inner, lambda _: None)[0] for place, inner in places.items()}

    def mend(self, locator: str, keeping: Keeping) -> str:
        places = self._places(locator)
        states = self._states(places)
        whole = next((place for place, copy in states.items() if copy.state == WHOLE), None)
        if whole is None:
            raise StoreError(f"no copy of {locator} is whole: {'; '.join(c.said for c in states.values())}")
        with self.stores[whole].local_path(places[whole]) as source:
            return self._made_whole(source, digest_at(places[whole]), places, states, keeping)

    def _made_whole(
        self, source: Path, digest: Digest, places: dict[int, str], states: dict[int, Copy], keeping: Keeping
    ) -> str:
        """Where the copies lie then. Those that were made count though another store fails: whoever looks sees which.

        Raises `StoreError` if none could be made.
        """
        single, made = dataclasses.replace(keeping, copies=1), dict(places)
        problems: list[str] = []
        tried = 0
        for place, store in enumerate(self.stores):
            if place in states and states[place].state in (WHOLE, UNREACHABLE):
                continue
            tried += 1
            try:
                if place in places:
                    made[place] = store.replace(source, places[place], single)
                else:
                    made[place] = store.put(source, digest, single)
            except StoreError as error:
                problems.append(str(error))
        if problems and len(problems) == tried:
            raise StoreError(f"no copy of {digest} could be made: {'; '.join(problems)}")
        return _joined(made)

    @contextlib.contextmanager
    def local_path(self, locator: str) -> Iterator[Path]:
        problems: list[str] = []
        with contextlib.ExitStack() as stack:
            for place, inner in self._places(locator).items():
                try:
                    path = stack.enter_context(self.stores[place].local_path(inner))
                except StoreError as error:
                    problems.append(str(error))
                else:
                    yield path
                    return
        raise StoreError(f"no store gives the bytes: {'; '.join(problems) or locator}")

    def probe(self) -> None:
        """One that answers is enough to go on with; the others are not asked."""
        problems: list[str] = []
        for store in self.stores:
            try:
                return store.probe()
            except StoreError as error:
                problems.append(str(error))
        raise StoreError("; ".join(problems))

    def challenge(self) -> list[Challenge]:
        """Of the stores that answer."""
        return [challenge for found in self._each(lambda store: store.challenge()) for challenge in found]

    def _each[T](self, act: Callable[[BlobStore], T]) -> list[T]:
        """What comes of it in each store that answers. Raises `StoreError` if none does."""
        done: list[T] = []
        problems: list[str] = []
        for store in self.stores:
            try:
                done.append(act(store))
            except StoreError as error:
                problems.append(str(error))
        if not done:
            raise StoreError("; ".join(problems))
        return done


def _never_given(store: BlobStore) -> Copy:
    """A copy that can be made now, or one that cannot."""
    try:
        store.probe()
    except StoreError as error:
        return Copy(store.name, UNREACHABLE, f"it was never given these bytes, and now {error}")
    return Copy(store.name, MISSING, f"{store.name} was never given these bytes")


def _put(store: BlobStore, source: Path, digest: Digest, keeping: Keeping) -> str:
    store.probe()
    return store.put(source, digest, keeping)


def _joined(places: dict[int, str]) -> str:
    return " ".join(f"{place + 1}:{inner}" for place, inner in sorted(places.items()))
