"""Words of eight octets, each against the plain way."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evidence.reading import swar

WORDS = st.lists(
    st.binary(min_size=8, max_size=8) | st.text("#!~ \n\x7f\x01", min_size=8, max_size=8).map(str.encode),
    min_size=1, max_size=9,
)  # fmt: skip


def word(parts: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(parts), dtype="<u8")


def printed(text: bytes, mark: int = 0) -> int:
    return next((at for at, byte in enumerate(text) if not 32 < byte < 127 or byte == mark), len(text))


@given(WORDS)
def test_how_many_octets_are_printed(parts: list[bytes]) -> None:
    assert swar.printed(word(parts)).tolist() == [printed(part) for part in parts]


@given(st.integers(1, 7), st.data())
def test_how_many_are_printed_before_a_mark_in_words_side_by_side(count: int, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.lists(WORDS.map(lambda parts: parts[0]), min_size=count, max_size=count), min_size=1))
    columns = word([part for row in rows for part in row]).reshape(-1, count).T
    assert swar.printed_before(columns, ord("#")).tolist() == [printed(b"".join(row), ord("#")) for row in rows]


@given(WORDS, st.integers(0, 8))
def test_the_first_octets_and_those_behind_them(parts: list[bytes], count: int) -> None:
    counts = np.full(len(parts), count)
    assert (word(parts) & swar.mask(counts)).tobytes() == b"".join(part[:count].ljust(8, b"\0") for part in parts)
    assert swar.behind(word(parts), counts).tobytes() == b"".join(part[count:].ljust(8, b"\0") for part in parts)
