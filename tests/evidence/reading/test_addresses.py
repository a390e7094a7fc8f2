"""Addresses as columns against the plain way."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from evidence.reading import gather
from evidence.reading.addresses import addresses, lowered
from evidence.reading.endpoints import address

WRITTEN = st.lists(st.text("0aF:.g%", max_size=20) | st.ip_addresses().map(str), min_size=1, max_size=20)


@given(WRITTEN)
@example(["", "ab", "1.2"])
@example(["1.2", "12345.6", ""])
@example(["abcde:1", "1234", ".", "::1", "2001:DB8::1", "192.0.2.1", "fe80::1%eth0"])
def test_what_is_taken_for_an_address_is_one(written: list[str]) -> None:
    stops = np.cumsum([len(text) for text in written])
    starts = stops - [len(text) for text in written]
    taken = addresses(gather.padded("".join(written).encode()), starts, stops).tolist()
    found, texts = lowered(pa.array(written))
    assert found.tolist() == taken
    assert texts.to_pylist() == [text.lower() for text in written]
    for text, is_taken in zip(written, taken, strict=True):
        assert not is_taken or address(text) == text.lower()


@given(st.lists(st.ip_addresses().map(str), min_size=1, max_size=20))
def test_real_addresses_are_taken(written: list[str]) -> None:
    stops = np.cumsum([len(text) for text in written])
    starts = stops - [len(text) for text in written]
    assert addresses(gather.padded("".join(written).encode()), starts, stops).all()
