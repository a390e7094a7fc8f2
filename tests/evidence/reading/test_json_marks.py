"""What is known of the bytes of JSON lines before they are parsed, against a look at each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.reading import json_marks
from evidence.reading.json_marks import marks_of, objects_in

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 16


@pytest.fixture(scope="module", autouse=True)
def _in_small_pieces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_marks, "_PIECE", PIECE)
        yield


@given(
    st.lists(st.sampled_from([b"null", b"nul", b"ul", b"l", b"n", b"\\", b"{", "\u00e9".encode(), b"\x7f"])).map(
        b"".join
    )
)
def test_marks_are_found_where_they_stand(data: bytes) -> None:
    found = marks_of(data)
    assert found.nulls.tolist() == [null.start() + 1 for null in re.finditer(b"null", data)]
    assert found.escapes.tolist() == [place for place, byte in enumerate(data) if byte == ord("\\")]
    assert found.beyond.tolist() == [place for place, byte in enumerate(data) if byte > 127]
    assert objects_in(data) == data.count(b"{")


@pytest.mark.parametrize("before", range(PIECE + 3))
def test_null_is_found_across_the_edges_of_pieces(before: int) -> None:
    assert marks_of(b"x" * before + b"null").nulls.tolist() == [before + 1]
    assert not len(marks_of(b"x" * before + b"nul").nulls)
