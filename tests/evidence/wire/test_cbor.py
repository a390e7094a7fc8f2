"""CBOR: what an independent encoder writes is read as it was, wherever it is cut it is short, and nothing else gets through."""

from __future__ import annotations

import io
import os

import pytest
from cbor2 import CBOREncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.errors import MessageError
from evidence.reading import source
from evidence.reading.source import Source
from evidence.wire import cbor
from evidence.wire.cbor import ShortError, Window, item_end, read_value

KEYS = st.integers(-(1 << 64), (1 << 64) - 1)
LEAVES = KEYS | st.binary(max_size=40) | st.text(max_size=20) | st.booleans()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=20)  # fmt: skip


def encoded(value: object, *, is_open: bool = False) -> bytes:
    out = io.BytesIO()
    CBOREncoder(out, indefinite_containers=is_open).encode(value)
    return out.getvalue()


def window(data: bytes) -> Window:
    descriptor = os.memfd_create("source")
    os.write(descriptor, data)
    return Window(Source(descriptor))


@settings(deadline=None)
@given(VALUES, st.booleans(), st.binary(max_size=5))
def test_what_was_encoded_is_read_and_ends_where_it_ended(value: object, is_open: bool, more: bytes) -> None:
    data = encoded(value, is_open=is_open)
    assert read_value(data + more, 0, len(data + more)) == (value, len(data))
    assert item_end(data + more, 0, len(data + more)) == len(data)


@settings(deadline=None)
@given(VALUES, st.booleans(), st.data())
def test_a_cut_item_is_short_wherever_it_is_cut(value: object, is_open: bool, data: st.DataObject) -> None:
    whole = encoded(value, is_open=is_open)
    stop = data.draw(st.integers(0, len(whole) - 1))
    for read in (read_value, item_end):
        with pytest.raises(ShortError):
            read(whole, 0, stop)


@settings(deadline=None, max_examples=500)
@given(st.binary(max_size=60))
def test_any_bytes_are_an_item_or_a_stated_error(data: bytes) -> None:
    try:
        _, end = read_value(data, 0, len(data))
    except MessageError:
        return
    assert end == item_end(data, 0, len(data))


@pytest.mark.parametrize(
    "data",
    [b"\xc1\x00", b"\xf9\x00\x14", b"\xfb" + bytes(8), b"\xf6", b"\xf8\x20", b"\xa2\x00\x00\x00\x00", b"\xa1\x41a\x00", b"\xa1\xf5\x00", b"\x61\xff"],
)  # fmt: skip
def test_items_that_are_not_wanted_end_where_they_end(data: bytes) -> None:
    with pytest.raises(MessageError, match="bad-item"):
        read_value(data, 0, len(data))
    assert item_end(data, 0, len(data)) == len(data)


@pytest.mark.parametrize(
    "data", [b"\x1c", b"\x1f", b"\xff", b"\x5f\x61a\xff", b"\x5f\x5f\xff\xff", b"\xdf", b"\x81" * 40 + b"\x00"]
)
def test_what_is_no_cbor_is_said(data: bytes) -> None:
    with pytest.raises(MessageError, match="bad-cbor"):
        item_end(data, 0, len(data))
    with pytest.raises(MessageError, match=r"bad-cbor|bad-item"):
        read_value(data, 0, len(data))


def test_strings_in_pieces_are_joined() -> None:
    data = b"\x5f\x42ab\x40\x41c\xff"
    assert read_value(data, 0, len(data)) == (b"abc", len(data))


def test_a_window_reads_on_and_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BLOCK", 7)
    values = [{1: number, 2: b"x" * number} for number in range(60)]
    seen = window(encoded(values, is_open=True))
    assert seen.head(cbor.ARRAY) is None
    found = []
    while not seen.takes_break():
        value, head = seen.value(100)
        assert head == encoded(value, is_open=True)[:32]
        found.append(value)
    assert (found, seen.at_end(), seen.position) == (values, True, len(encoded(values, is_open=True)))


def test_a_window_holds_items_to_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BLOCK", 50)
    monkeypatch.setattr(cbor, "LONGEST", 500)
    seen = window(encoded(b"x" * 300) + encoded(b"y" * 600))
    with pytest.raises(MessageError, match="too-long"):
        seen.value(100)
    assert seen.octets() == encoded(b"x" * 300)
    with pytest.raises(MessageError, match="too-long"):
        seen.octets()
    with pytest.raises(MessageError, match="bad-item"):
        seen.head(cbor.MAP)


def test_the_end_of_a_source_is_short() -> None:
    seen = window(encoded([1, 2])[:-1])
    assert (seen.head(cbor.ARRAY), seen.value(9)[0]) == (2, 1)
    for read in (lambda: seen.value(9), seen.octets, seen.takes_break, lambda: seen.head(cbor.ARRAY)):
        with pytest.raises(ShortError):
            read()
