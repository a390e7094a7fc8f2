"""BIND's lines as it writes them by default: what is taken as columns is what the pattern takes, with its values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evidence.formats import bind, bind_plain
from evidence.reading.gather import padded
from evidence.reading.lines import LONGEST_LINE, line_ends
from tests.evidence.formats.test_bind import BROKEN, LINE, VARIANTS, both, chunk, slow

BARE = LINE.replace(b"@0x7f11 ", b"")
USUAL = [
    LINE, BARE, LINE.replace(b"@0x7f11", b"@0x7f11a0b2c3d4"), LINE.replace(b" (198.51.100.53)", b""),
    LINE.replace(b"192.0.2.17", b"2001:DB8:0:1:2:3:4:5"), LINE.replace(b"198.51.100.53", b"2001:DB8::5"),
    LINE.replace(b" A ", b" DNSKEY "), LINE.replace(b"+E(0)K", b"-"), LINE.replace(b"Mail.Example.net.", b".").replace(b"Mail.Example.net", b"."),
    LINE.replace(b"queries: info: ", b""), LINE.replace(b"#53124", b"#1"),
]  # fmt: skip
USUAL = [line.replace(b"(Mail.Example.net)", b"(Mail.Example.net.)") for line in USUAL]
FLAGLESS = [LINE.replace(b"+E(0)K", flags) for flags in (b"E(0)K", b"IN", b"(", b"0")]
SAME = [line.replace(b"(Mail.Example.net)", b"(Mail.Example.net.)") for line in [*VARIANTS, *BROKEN, *FLAGLESS]]


def taken(data: bytes) -> tuple[Any, Any] | None:
    stops = line_ends(data)
    return bind_plain.read(padded(data), np.concatenate(([0], stops[:-1])), stops)


@pytest.mark.parametrize("line", USUAL)
def test_lines_as_bind_writes_them_are_taken(line: bytes) -> None:
    data = line * 3 + line.replace(b"00:00:12", b"23:59:59")
    found = taken(data)
    assert found is not None
    assert found[0].tolist() == [0, 1, 2, 3]
    assert both(bind.read_chunk(chunk(data))) == slow(data)


@pytest.mark.parametrize("line", [*VARIANTS[6:8], VARIANTS[13], VARIANTS[17], *BROKEN[:8]])
def test_a_log_of_other_lines_is_left(line: bytes) -> None:
    assert taken(line * 3) is None
    assert taken((USUAL[0] * 10 + line) * 9) is None


def test_a_few_other_lines_are_left_among_many() -> None:
    data = b"".join(USUAL[0] * 100 + line for line in SAME if line.endswith(b"\n") and line.count(b"\n") == 1)
    found = taken(data)
    assert found is not None
    assert len(found[0]) >= data.count(USUAL[0])
    assert both(bind.read_chunk(chunk(data))) == slow(data)


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(USUAL), st.lists(st.sampled_from([*USUAL * 3, *SAME]), max_size=12), st.integers(1, 4), st.data()
)
@example(USUAL[0], [], 1, None)
def test_columns_and_pattern_agree_on_changed_lines(
    first: bytes, others: list[bytes], times: int, data: st.DataObject | None
) -> None:
    text = bytearray(first + b"".join(line if line.endswith(b"\n") else line + b"\n" for line in others) * times)
    for _ in range(data.draw(st.integers(0, 8)) if data else 0):
        place = data.draw(st.integers(0, len(text) - 1)) if data else 0
        text[place] = (
            data.draw(st.sampled_from(b"\n\r #:()@0129ANZaf.+-\x00\x7f\xff") | st.integers(0, 255)) if data else 0
        )
    source = bytes(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bind_plain, "_FEWEST", 0)  # however few they are
        assert both(bind.read_chunk(chunk(source))) == slow(source)


@pytest.mark.parametrize("line", USUAL)
def test_a_line_may_be_cut_off_anywhere(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bind_plain, "_FEWEST", 0)
    for stop in range(len(line)):
        for end in (b"\n", b")\n", b" " + b"x" * 40 + b")\n"):
            data = line + line[:stop] + end
            assert both(bind.read_chunk(chunk(data))) == slow(data)


def test_a_line_that_is_too_long_is_no_row() -> None:
    data = USUAL[0] * 200 + USUAL[0].replace(b"198.51.100.53", b"1." + b"1" * LONGEST_LINE) + USUAL[0] * 200
    batch = bind.read_chunk(chunk(data))
    assert (len(batch.rows), batch.rejects["reason"].to_pylist()) == (400, ["too-long"])


@pytest.mark.parametrize("end", [b"]", b".", b"#"])
def test_a_server_without_its_bracket_is_none_though_all_lines_have_it(end: bytes) -> None:
    data = USUAL[0].replace(b"198.51.100.53)", b"198.51.100.53" + end) * 3
    assert both(bind.read_chunk(chunk(data))) == slow(data)
