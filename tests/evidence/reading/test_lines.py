"""Chunks of whole lines: all bytes of a file once, wherever a block happens to end."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from evidence.reading.lines import LONGEST_LINE, MOST_LINES, Chunk, chunks, line_ends
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
    assert [(chunk.start, chunk.line, chunk.data.count(b"\n")) for chunk in found] == [
        (0, 1, MOST_LINES), (MOST_LINES, 1 + MOST_LINES, MOST_LINES), (2 * MOST_LINES, 1 + 2 * MOST_LINES, 7),
        (2 * MOST_LINES + 14, 8 + 2 * MOST_LINES, 0),
    ]  # fmt: skip
    for chunk in found[:-1]:
        assert chunk.ends is not None
        assert chunk.ends.tolist() == line_ends(chunk.data).tolist()


GIANT = b"x" * (2 * BLOCK + LONGEST_LINE)
BESIDE = {
    "nothing": b"", "its end": b"\n", "a short line": b"\nshort", "another": b"\n" + FULL + GIANT + b"\n" + LINE,
    "another soon": b"\n" + LINE + GIANT,
}  # fmt: skip


@pytest.mark.parametrize("beside", BESIDE)
def test_lines_beside_those_that_are_too_long_are_kept(tmp_path: Path, beside: str) -> None:
    data = LINE * 3 + GIANT + BESIDE[beside]
    found = read(tmp_path / "f", data)
    at, line, held = 0, 1, []
    for chunk in found:
        assert (chunk.start, chunk.line) == (at, line)
        held += chunk.data.splitlines()
        at, line = at + chunk.size, line + (1 if chunk.too_long else chunk.data.count(b"\n"))
    assert at == len(data)
    others = [text for text in data.splitlines() if len(text) < len(GIANT)]
    is_same = held == others  # two texts of millions of bytes are not to be shown
    assert is_same
    assert sum(chunk.too_long for chunk in found) == data.count(GIANT)


def test_bytes_that_are_looked_at_for_the_end_of_a_line_are_hashed_once(tmp_path: Path) -> None:
    data = FULL + b"over the end of the block\n" + GIANT + b"\n" + LINE
    (tmp_path / "f").write_bytes(data)
    with (tmp_path / "f").open("rb") as file:
        source = Source(file.fileno())
        assert sum(chunk.size for chunk in chunks(source)) == len(data)
    assert source.digest == hashlib.sha256(data).hexdigest()


def test_a_file_that_is_cut_while_it_is_read_ends_there(tmp_path: Path) -> None:
    line = LINE.strip() * 9 + b"\n"
    (tmp_path / "f").write_bytes(line * (BLOCK // 50))
    with (tmp_path / "f").open("r+b") as file:
        coming = chunks(Source(file.fileno()))
        first = next(coming)
        os.truncate(file.fileno(), first.size + len(line) + 3)
        assert [chunk.data for chunk in coming] == [line, line[:3]]


@pytest.mark.parametrize("data", [b"", b"a", b"\n", b"a\n\nb\r\n", LINE * 1000])
def test_the_ends_of_lines_are_found(data: bytes) -> None:
    assert line_ends(data).tolist() == [place + 1 for place, byte in enumerate(data) if byte == ord("\n")]
