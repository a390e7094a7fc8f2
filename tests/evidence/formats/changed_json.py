"""JSON lines with bytes that were changed, read as columns and line by line."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from evidence.reading.batch import Conservation
from evidence.reading.format import read_chunk
from evidence.reading.json_batches import read_run
from evidence.reading.json_lines import Lines
from evidence.reading.lines import Chunk


def assert_same(form: Any, data: bytes) -> None:
    """The format's module reads the same rows and rejects in both ways, whatever members it knows beforehand."""
    run, reference = Chunk(data, 1000, 50, len(data)), read_chunk(form.read_line, Chunk(data, 1000, 50, len(data)))
    head = Lines(data[: data.find(b"\n") + 1])
    form.usual(head)
    for known in ({}, head.learned):
        columns = read_run(run, form.usual, form.read_line, known)
        assert columns.rows.to_pylist() == reference.rows.to_pylist()
        assert columns.rejects.to_pylist() == reference.rejects.to_pylist()
        Conservation().add(columns)


@st.composite
def changed(draw: st.DrawFn, lines: list[bytes]) -> bytes:
    """Some of the lines, once or more often, with a few bytes that are others."""
    chosen = draw(st.lists(st.sampled_from(lines), min_size=1, max_size=8))
    text = bytearray(b"".join(chosen) * draw(st.integers(1, 3)))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(text) - 1))
        text[place] = draw(st.sampled_from(b'\n \t",:{}[]\\0129AZaz.-+eEtf\x00\x7f\xff'))
    return bytes(text)
