"""Just enough DER (ITU-T X.690) to look at the parts of a timestamp token that its signature does not cover."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from evidence.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Element(NamedTuple):
    tag: int
    content: bytes


def elements(data: bytes) -> list[Element]:
    """The elements that stand in `data` one after the other. Raises `FormatError`."""
    found: list[Element] = []
    at = 0
    while at < len(data):
        length, begin = _length(data, at + 1)
        if begin + length > len(data):
            raise FormatError(f"DER: an element at byte {at} runs over its end")
        found.append(Element(data[at], data[begin : begin + length]))
        at = begin + length
    return found


def _length(data: bytes, at: int) -> tuple[int, int]:
    first = data[at] if at < len(data) else 0xFF
    if first < 0x80:
        return first, at + 1
    width = first & 0x7F
    length = int.from_bytes(data[at + 1 : at + 1 + width])
    if not 1 <= width <= 4 or length < 0x80 or length >> 8 * (width - 1) == 0:
        raise FormatError(f"DER: no shortest length at byte {at}")
    return length, at + 1 + width


def inside(data: bytes, path: Sequence[int]) -> bytes:
    """The content of the element reached by taking the child with each index in turn (negative from the end)."""
    for index in path:
        children = elements(data)
        if not -len(children) <= index < len(children):
            raise FormatError(f"DER: no element {index} among {len(children)}")
        data = children[index].content
    return data
