"""Records are found from many places at once, and as one walk from the first finds them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.wire import record_starts
from evidence.wire.record_starts import Chain

SECOND = 1_700_000_000


def records(sizes: list[int], order: str = "<", body: bytes = b"\xe5" * 4096) -> bytes:
    return b"".join(
        struct.pack(f"{order}IIII", SECOND + number // 50, number, size, size) + body[:size]
        for number, size in enumerate(sizes)
    )


def walk(data: bytes, at: int, order: str) -> list[int]:
    found = []
    while at + 16 <= len(data):
        found.append(at)
        at += 16 + struct.unpack_from(f"{order}I", data, at + 8)[0]
    return found


@pytest.fixture
def _small_strides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_starts, "_STRIDE", 256)


def check(data: bytes, order: str, at: int = 0) -> list[int]:
    wanted = walk(data, at, order)
    assert Chain(data + bytes(64), len(data), order).starts(at).tolist() == wanted
    return wanted


@pytest.mark.usefixtures("_small_strides")
@given(st.lists(st.integers(0, 300), min_size=1, max_size=120), st.sampled_from("<>"), st.integers(0, 20), st.binary())
def test_any_records_are_found(sizes: list[int], order: str, cut: int, before: bytes) -> None:
    data = before + records(sizes, order)
    check(data[: len(data) - cut], order, len(before))


@pytest.mark.usefixtures("_small_strides")
@pytest.mark.parametrize("order", "<>")
def test_records_are_followed_from_many_places(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chain, "_one_by_one", None)
    assert len(check(records([60 + number % 90 for number in range(400)], order), order)) == 400


@pytest.mark.usefixtures("_small_strides")
@pytest.mark.parametrize("order", "<>")
def test_records_inside_of_packets_are_none(order: str) -> None:
    data = records([700] * 60, order, records([20] * 40, order))
    assert Chain(data, len(data), order)._lanes(0)
    assert len(check(data, order)) == 60


@pytest.mark.usefixtures("_small_strides")
def test_a_length_that_leads_beyond_the_file_ends_the_walk() -> None:
    data = bytearray(records([84] * 200))
    struct.pack_into("<I", data, 100 * 100 + 8, 0xFFFFFFFF)
    assert len(check(bytes(data), "<")) == 101


@pytest.mark.usefixtures("_small_strides")
def test_times_and_packets_of_zeros_look_like_records_everywhere() -> None:
    data = b"".join(struct.pack("<IIII", 0, 0, 84, 84) + bytes(84) for _ in range(200))
    assert len(check(data, "<")) == 200
