"""Columns out of bytes, each against the plain way."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from evidence.reading import gather
from evidence.reading.names import name_columns

HEX = b"0123456789abcdef"
TOKENS = st.lists(st.text("0a9fg", max_size=45), min_size=1, max_size=20)


def test_capitals_are_lowered_and_nothing_else() -> None:
    every = np.arange(256, dtype=np.uint8)
    assert gather.lower(every).tobytes() == every.tobytes().lower()


@given(
    st.lists(
        st.sampled_from(["a.", ".", "A.b", "a..b", "..", ".a", "", "x" * 64, "a\\.b", "a b", "*", "a"]), min_size=1
    )
)
def test_names_are_those_of_the_plain_way_whatever_stands_beside_them(written: list[str]) -> None:
    stops = np.cumsum([len(name) for name in written])
    keep, columns = gather.names(gather.padded("".join(written).encode()), stops - [len(n) for n in written], stops)
    plain = [name_columns(written[place]) for place in keep]
    assert [
        dict(zip(columns, row, strict=True))
        for row in zip(*(column.to_pylist() for column in columns.values()), strict=True)
    ] == plain
    assert {place for place, name in enumerate(written) if name in {"a.", ".", "A.b", "*", "a"}} == set(keep.tolist())


@given(TOKENS)
def test_tokens_within_a_set_of_bytes_and_short_words(tokens: list[str]) -> None:
    stops = np.cumsum([len(token) for token in tokens])
    starts, buffer = stops - [len(token) for token in tokens], gather.padded("".join(tokens).encode())
    allowed = gather.within(gather.allowed(HEX), buffer, starts, stops)
    assert allowed.tolist() == [set(token.encode()) <= set(HEX) for token in tokens]
    assert gather.short_words(buffer, starts, stops).tolist() == [
        int.from_bytes(token.encode(), "little") if len(token) <= 8 else 0 for token in tokens
    ]


@given(st.lists(st.text("ab,", max_size=9), min_size=1, max_size=20))
def test_members_are_what_stands_between_commas(lists: list[str]) -> None:
    text = "".join(f"{written};" for written in lists).encode()
    stops = np.cumsum([len(written) + 1 for written in lists]) - 1
    found = gather.members(gather.padded(text), stops - [len(written) for written in lists], stops)
    members = [bytes(found.text[begin:end]).decode() for begin, end in zip(found.begins, found.ends, strict=True)]
    assert members == [member for written in lists for member in written.split(",")]
    assert found.counts.tolist() == [written.count(",") + 1 for written in lists]


@given(st.lists(st.sampled_from(["A", "A", "MX", None, ""]), min_size=1, max_size=6), st.data())
def test_rows_have_the_words_at_their_places(each: list[str | None], data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(each) - 1), max_size=20))
    found = gather.chosen_words(each, np.array(places, dtype=np.int64))
    assert found.to_pylist() == [each[place] for place in places]
    if isinstance(found, pa.DictionaryArray):
        assert len(found.dictionary.unique()) == len(found.dictionary)
        assert not found.dictionary.null_count


@given(st.lists(st.text("0a9fg", min_size=1, max_size=8), min_size=1, max_size=20))
def test_short_texts_are_told_once_each(tokens: list[str]) -> None:
    stops = np.cumsum([len(token) for token in tokens])
    found = gather.few(gather.padded("".join(tokens).encode()), stops - [len(token) for token in tokens], stops)
    assert found.to_pylist() == tokens
    assert set(found.dictionary.to_pylist()) == set(tokens)


@given(
    st.lists(st.text("az~ \n\x7f\u00e9", max_size=40).map(str.encode), min_size=1, max_size=8),
    st.integers(1, 4), st.integers(1, 3),
)  # fmt: skip
def test_the_first_mark_is_found_from_each_place_on(parts: list[bytes], count: int, rounds: int) -> None:
    text = b"#".join(parts) + b"#"
    stops = np.cumsum([len(part) + 1 for part in parts])
    starts = stops - [len(part) + 1 for part in parts]
    found = gather.ahead(gather.padded(text), starts, ord("#"), count, rounds)
    sizes = [next((at for at, byte in enumerate(part) if not 32 < byte < 127), len(part)) for part in parts]
    assert found.tolist() == [
        begin + min(size, 8 * count * rounds) for begin, size in zip(starts.tolist(), sizes, strict=True)
    ]


def test_no_place_lies_behind_what_a_window_may_begin_at() -> None:
    buffer = gather.padded(b"a" * 10)
    places = np.array([0, 9, 10, 11, 50, 70])
    assert gather.ahead(buffer, places, ord("#"), 2, 2).tolist() == [10] * 6


@given(st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=6), st.binary(min_size=1, max_size=3))
def test_words_and_what_follows_them(parts: list[bytes], text: bytes) -> None:
    data = b"".join(part + part + text[: number + 1] for number, part in enumerate(parts))
    starts = np.cumsum([0, *(16 + len(text[: number + 1]) for number in range(len(parts)))])[:-1]
    buffer = gather.padded(data)
    words, follows = gather.word_columns_before(buffer, starts, 2, text)
    assert words.tolist() == gather.word_columns(buffer, starts, 2).tolist()
    assert follows.tolist() == [buffer[at + 16 :].tobytes().startswith(text) for at in starts]
