"""Chunks of whole lines: all bytes of a file once, wherever a block happens to end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from evidence.reading.lines import MOST_LINES, Chunk, chunks, newlines
from evidence.reading.source import BLOCK, Source

if TYPE_CHECKING:
    from pathlib import Path

LINE = b"0123456789abcde\n"
FULL = LINE * (BLOCK // len(LINE) - 1)


def read(path: Path, data: bytes) -> list[Chunk]:
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return list(chunks(Source(descriptor)))
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    "last", [b"", b"short", b"over the end of the block", b"over the end of the block\n", LINE * 3]
)
def test_a_block_that_ends_within_a_line_doubles_and_loses_nothing(tmp_path: Path, last: bytes) -> None:
    data = FULL + last
    found = read(tmp_path / "f", data)
    assert b"".join(chunk.data for chunk in found) == data
    at, line = 0, 1
    for chunk in found:
        assert (chunk.start, chunk.line, chunk.size) == (at, line, len(chunk.data))
        at, line = at + chunk.size, line + chunk.data.count(b"\n")


def test_a_chunk_of_short_lines_ends_after_so_many_since_each_takes_memory_of_its_own(tmp_path: Path) -> None:
    data = b"\n" * (2 * MOST_LINES) + b"a\n" * 7 + b"without an end"
    found = read(tmp_path / "f", data)
    assert b"".join(chunk.data for chunk in found) == data
    assert [(chunk.start, chunk.line, chunk.ends) for chunk in found] == [
        (0, 1, MOST_LINES), (MOST_LINES, 1 + MOST_LINES, MOST_LINES), (2 * MOST_LINES, 1 + 2 * MOST_LINES, 7),
        (2 * MOST_LINES + 14, 8 + 2 * MOST_LINES, -1),
    ]  # fmt: skip


@pytest.mark.parametrize("data", [b"", b"a", b"\n", b"a\n\nb\r\n", LINE * 1000])
def test_newlines_are_counted(data: bytes) -> None:
    assert newlines(data) == data.count(b"\n")
