"""EVE as columns: the same rows and rejects as line by line, whatever is done to the lines."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evidence.formats import eve, eve_columns
from evidence.reading import lines
from evidence.reading.json_lines import Lines
from evidence.reading.source import Source
from tests.evidence.formats.changed_json import assert_same, changed

if TYPE_CHECKING:
    from evidence.reading.gather import Ints
    from evidence.reading.json_members import Members

RECORDED = Path(__file__).parents[2] / "recordings/suricata"
FILES = {path.name: path.read_bytes() for path in sorted(RECORDED.glob("*.json"))}
LINES = [line for data in FILES.values() for line in data.splitlines(keepends=True)[:60:3]]
STATED = next(line for line in LINES if b'"opcode":0' in line)
OTHERS = [
    b'{"event_type":"flow","timestamp":"x"}\n', b'{"event_type":"dns"}\n', b"[1]\n", b"\n", b"# note\n", b"{}\n",
    *(LINES[0].replace(b"+0000", zone) for zone in (b".0000", b"00000", b"+00:0", b"ZZZZZ", b"+2400", b"-0130", b"")),
    LINES[0].replace(b"+0000", b"+0230"), LINES[0].replace(b"+0000", b"-0000"), LINES[0].replace(b"2026-11-24", b"2026-02-29"),
    LINES[0].replace(b'"src_port":', b'"src_port": '), LINES[0].replace(b'"UDP"', b"null"),
    *(STATED.replace(b'"opcode":0', b'"opcode":' + other) for other in (b"4", b"5", b"15", b"16", b"-1", b"null", b"0.0", b'"4"', b"true")), LINES[0].replace(b'"A"', b'"a a"'),
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_recordings_are_read_the_same(name: str) -> None:
    assert_same(eve, FILES[name] * 3)


def test_most_of_a_recording_is_read_as_columns() -> None:
    for data in FILES.values():
        assert len(eve_columns.read(Lines(data), eve._WORDS).taken) > data.count(b"\n") * 2 / 3


@pytest.mark.parametrize("opcode", [4, 5, 16])
def test_records_of_another_opcode_are_no_rows_beside_others(opcode: int) -> None:
    other = STATED.replace(b'"opcode":0', b'"opcode":%d' % opcode)
    old = STATED.replace(b'"opcode":0', b'"x":7')
    data = STATED + other + old + other
    assert eve_columns.read(Lines(data), eve._WORDS).taken.tolist() == [0, 2]
    assert_same(eve, data)


def test_other_events_need_no_look_at_each_line() -> None:
    data = b'{"event_type":"flow","flow":{"bytes":7},"x":[1]}\n' * 5 + LINES[0] + b'{"event_type":"tls","url":"\\/"}\n'
    found = eve_columns.read(Lines(data), eve._WORDS)
    assert (sorted(found.skipped.tolist()), found.taken.tolist()) == ([0, 1, 2, 3, 4, 6], [5])
    assert_same(eve, data)


@pytest.mark.parametrize("clock", [b"T22:09:60", b"T22:60:07", b"T24:09:07", b"T23:59:59", b" 22:09:07", b"T22:09:0x"])
def test_times_that_no_clock_shows_are_no_rows(clock: bytes) -> None:
    other = re.sub(rb"T..:..:..", clock, LINES[0])
    assert other != LINES[0]
    assert_same(eve, LINES[0] * 3 + other + LINES[0])


def test_what_the_first_lines_have_is_not_learned_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "CHUNK", 1 << 14)
    path, learned = tmp_path / "eve.json", []
    path.write_bytes(b"\xef\xbb\xbf" + LINES[0] * 200)
    learn = Lines._learned

    def noted(self: Lines, known: Members, numbers: Ints) -> Members:
        learned.append(len(numbers))
        return learn(self, known, numbers)

    monkeypatch.setattr(Lines, "_learned", noted)
    with path.open("rb") as file:
        batches = list(eve.FORMAT.read(Source(file.fileno()), {}).batches)
    assert (len(batches) > 2, sum(len(batch.rows) for batch in batches), len(learned)) == (True, 200, 1)


@settings(max_examples=400, deadline=None)
@given(changed([*LINES, *OTHERS]))
@example(b"".join([*LINES, *OTHERS]))
@example(LINES[0][:-1])
def test_changed_lines_are_read_the_same(data: bytes) -> None:
    assert_same(eve, data)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(LINES),
    st.sampled_from(
        [None, True, 0, -1, 1.5, 10**30, "", "x", "A", [], {}, [1], [{}], {"rrname": "a"}, [{"rrname": 7}]]
    ),
    st.data(),
)
def test_values_of_any_type_are_read_the_same(line: bytes, wrong: object, data: st.DataObject) -> None:
    value = json.loads(line)
    inside = value if data.draw(st.booleans()) else value["dns"]
    name = data.draw(
        st.sampled_from([*sorted(inside), "answers", "queries", "soa", "ttl", "rdata", "host", "srv", "opcode"])
    )
    inside[name] = wrong
    written = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    assert_same(eve, written * 2 + line)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(LINES), st.sampled_from(["rrname", "rrtype", "ttl", "rdata", "soa", "srv", "x"]), st.data())
def test_answers_of_any_type_are_read_the_same(line: bytes, name: str, data: st.DataObject) -> None:
    value = json.loads(line)
    answers = value["dns"].setdefault(
        "answers", [{"rrname": "a.example", "rrtype": "A", "ttl": 5, "rdata": "192.0.2.1"}]
    )
    wrong = data.draw(st.sampled_from([None, True, -1, 2**40, "x", "", [], {}, {"mname": "a"}, 1.5]))
    answers[data.draw(st.integers(0, len(answers) - 1))][name] = wrong
    written = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    assert_same(eve, written * 2 + line)
