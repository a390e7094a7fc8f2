"""Eight octets of each row in one little-endian word, looked at together (SWAR, SIMD within a register).

The first byte that a condition holds for is certain; of those behind it a borrow or carry may say too much.
"""

from __future__ import annotations

from typing import Any

import numpy as np

type Counts = np.ndarray[Any, np.dtype[np.int64]]

WORD = 8  # bytes
BYTE, PAIR = np.uint64(0xFF), np.uint64(0xFFFF)
"""Masks of a word's first byte and of its first two."""
_ONES, _HIGH = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_BLANKS, _GATHER = _ONES * np.uint64(33), np.uint64(0x0102040810204080)
_FIRST = np.array([(1 << 8 * size) - 1 for size in range(WORD + 1)], dtype=np.uint64)


def column(texts: np.ndarray[Any, np.dtype[np.uint8]], size: int, place: int) -> Any:
    """The word at one place in each of the texts of one size that stand side by side; it lies within them."""
    count = len(texts) // size
    return np.ascontiguousarray(np.ndarray((count,), dtype="<u8", buffer=texts, offset=place, strides=(size,)))


def mask(count: Counts) -> Any:
    """A mask of so many first bytes, 0 to 8."""
    return _FIRST.take(count, mode="clip")


def behind(word: Any, count: Counts) -> Any:
    """What stands behind so many first bytes, 0 to 8, and zeros behind that."""
    return word >> (count.view(np.uint64) << np.uint64(3))


def printed(word: Any) -> Counts:
    """How many bytes it begins with that are printable ASCII and no blank, 0 to 8."""
    return first_marked(_unprinted(word))


def printed_before(words: Any, mark: int) -> Counts:
    """As `printed`, of up to seven words side by side and up to the first byte that is this mark."""
    found = np.uint64(1 << WORD * len(words))
    for number, word in enumerate(words):
        is_mark = word ^ (_ONES * np.uint64(mark))
        marks = _unprinted(word) | ((is_mark - _ONES) & ~is_mark & _HIGH)
        found = found | (_bits(marks) << np.uint64(WORD * number))
    return _before(found)


def _unprinted(word: Any) -> Any:
    """The highest bit of the bytes up to 32, and of those from 127 on."""
    return (((word - _BLANKS) & ~word) | (word + _ONES) | word) & _HIGH


def first_marked(marks: Any) -> Counts:
    """The number of the first byte whose highest bit is set; 8 if none is."""
    return _before(marks) >> 3


def _bits(marks: Any) -> Any:
    """The highest bit of each byte, side by side in a byte."""
    return ((marks >> np.uint64(7)) * _GATHER) >> np.uint64(56)


def _before(marks: Any) -> Counts:
    """How many bits stand before the first that is set; 64 if none is."""
    count: Counts = np.bitwise_count((marks & (~marks + np.uint64(1))) - np.uint64(1)).astype(np.int64)
    return count
