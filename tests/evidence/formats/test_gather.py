"""Columns out of bytes, each against the plain way."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evidence.formats import gather

HEX = b"0123456789abcdef"
TOKENS = st.lists(st.text("0a9fg", max_size=45), min_size=1, max_size=20)


def test_capitals_are_lowered_and_nothing_else() -> None:
    every = np.arange(256, dtype=np.uint8)
    assert gather.lower(every).tobytes() == every.tobytes().lower()


@given(TOKENS, st.sampled_from([8, 16, 40]))
def test_tokens_of_allowed_bytes_are_told_from_others_at_any_length(tokens: list[str], width: int) -> None:
    stops = np.cumsum([len(token) for token in tokens])
    starts = stops - [len(token) for token in tokens]
    got = gather.only(gather.allowed(HEX), gather.padded("".join(tokens).encode()), starts, stops, width)
    assert got.tolist() == [len(token) <= width and set(token.encode()) <= set(HEX) for token in tokens]
