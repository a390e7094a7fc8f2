"""Line formats: any function of a line becomes a format in which no byte is lost."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from evidence.errors import ReadingError
from evidence.reading.batch import REJECT, Batch, Conservation
from evidence.reading.format import Head, in_order, line_format
from evidence.reading.names import name_columns
from evidence.reading.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def word(text: bytes):
    asked = text.split()
    if len(asked) != 2 or asked[0] != b"ask":
        return REJECT, "no-ask"
    return {"event": "query", **(name_columns(asked[1].decode()) or {})}


FORMAT = line_format("parse.words@1", "a list of words", word)
DATA = b"ask A.example.\n\n# note\nnonsense\r\nask b.example\nask last\n"


def read(path: Path) -> list[Batch]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return list(FORMAT.read(Source(descriptor), {}).batches)
    finally:
        os.close(descriptor)


def test_lines_are_rows_or_rejects_with_their_ranges(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA)
    (batch,) = read(tmp_path / "f")
    found = batch.rows.to_pylist()
    assert [(row["line"], row["name"], row["name_as_written"]) for row in found] == [
        (1, "a.example", "A.example."), (5, "b.example", None), (6, "last", None)
    ]  # fmt: skip
    assert [DATA[row["start"] : row["stop"]] for row in found] == [
        b"ask A.example.\n",
        b"ask b.example\n",
        b"ask last\n",
    ]
    assert [(row["kind"], row["reason"], row["head"]) for row in batch.rejects.to_pylist()] == [
        ("skip", "blank", b"\n"), ("skip", "comment", b"# note\n"), ("reject", "no-ask", b"nonsense\r\n")
    ]  # fmt: skip
    counted = Conservation()
    counted.add(batch)
    assert (counted.lines, counted.counts()["queries"], counted.counts()["responses"]) == (6, 3, 0)


def test_it_is_told_by_the_share_of_lines_that_are_read() -> None:
    guess = FORMAT.guess(Head(DATA))
    assert guess is not None
    assert (guess.confidence, guess.reason) == (0.75, "a list of words: 3 lookups in the first 4 lines")
    assert FORMAT.guess(Head(b"nothing\nof\nthe\nkind\n")) is None


def test_a_line_that_the_head_cuts_off_is_not_looked_at() -> None:
    assert Head(b"ask a\nask b", whole=False).lines() == [b"ask a\n"]


def test_unknown_parameters_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA)
    with (tmp_path / "f").open("rb") as file, pytest.raises(ReadingError, match="takes no parameters, got"):
        FORMAT.read(Source(file.fileno()), {"colour": "red"})


def test_several_rows_of_one_record_count_its_bytes_once(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"ask a\n")
    (batch,) = read(tmp_path / "f")
    import pyarrow as pa

    counted = Conservation()
    counted.add(Batch(pa.concat_tables([batch.rows, batch.rows]), batch.rejects, batch.size))
    assert (counted.rows, counted.lines, counted.row_bytes) == (2, 1, 6)
    with pytest.raises(ReadingError, match="accounted for"):
        Conservation().add(Batch(batch.rows, batch.rejects, batch.size + 1))


def test_pieces_are_read_side_by_side_and_come_in_order() -> None:
    assert list(in_order(iter(range(50)), lambda number: number * number, workers=3)) == [n * n for n in range(50)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_few_pieces_are_read_ahead_of_what_is_taken(workers: int) -> None:
    begun: list[int] = []
    for number, _ in enumerate(in_order(iter(range(50)), begun.append, workers)):
        assert len(begun) <= number + 1 + workers
    assert sorted(begun) == list(range(50))


def test_what_is_wrong_while_pieces_are_made_is_said() -> None:
    def pieces() -> Iterator[int]:
        yield from range(5)
        raise ReadingError("the header has no such column")

    with pytest.raises(ReadingError, match="no such column"):
        list(in_order(pieces(), lambda number: -number))
