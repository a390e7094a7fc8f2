"""Values of lines of different shapes as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.reading.json_lines import Lines
from evidence.reading.json_tokens import Collected, Tokens

if TYPE_CHECKING:
    from evidence.reading.gather import Ints

ONE = b'{"name":"%b","list":[]}\n'
TWO = b'{"port":%d,"name":"%b","list":[{"name":"x","data":"y"},{"name":"z"}]}\n'


def read(data: bytes) -> Tokens:
    lines = Lines(data)
    collected = Collected(lines, ["name", "port"], ["name", "data"])
    for group in lines.groups():
        kinds = group.shape.kinds()
        if ("name",) not in kinds:
            continue
        each = [{n: ("list", at, n) for n in ("name", "data") if ("list", at, n) in kinds} for at in range(2)]
        collected.add(group, {n: (n,) for n in ("name", "port") if (n,) in kinds}, [item for item in each if item])
    return collected.tokens()


def texts(tokens: Tokens, begin: Ints, end: Ints) -> list[str]:
    return [bytes(tokens.buffer[one:two]).decode() for one, two in zip(begin, end, strict=True)]


def test_columns_stand_in_the_order_of_the_lines_whatever_their_shape() -> None:
    tokens = read(ONE % b"a" + TWO % (7, b"b") + b"{}\n" + ONE % b"" + ONE % b"c" + TWO % (80, b"d"))
    assert tokens.lines.tolist() == [0, 1, 4, 5]  # one has no name, of another the name is empty
    assert texts(tokens, *tokens.members["name"]) == ["a", "b", "c", "d"]
    assert texts(tokens, *tokens.members["port"]) == ["", "7", "", "80"]
    assert tokens.counts.tolist() == [0, 2, 0, 2]
    assert texts(tokens, *tokens.items["name"]) == ["x", "z", "x", "z"]
    assert texts(tokens, *tokens.items["data"]) == ["y", "", "y", ""]
    for begin, end in (*tokens.members.values(), *tokens.items.values()):
        assert (begin[1:] >= end[:-1]).all()
