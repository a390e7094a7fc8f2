"""Zeek's `dns.log` as JSON, one object a line: each of a query and, where `rcode` stands, its response.

Times are seconds since 1970 or, by `LogAscii::json_timestamps`, whole milliseconds or ISO 8601 with a zone. Thirteen
digits without a fraction are milliseconds: seconds have ten, and always a fraction. Records of other logs (`_path`) are
skipped by rule. `_system_name` is the vantage. Zeek 3.0 to 8.1, `src/threading/formatters/JSON.cc`.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from evidence.formats.zeek_json_columns import read as usual
from evidence.formats.zeek_record import row_of
from evidence.reading import json_batches
from evidence.reading.batch import REJECT, SKIP
from evidence.reading.format import Format, Reading, guess_lines, refuse_parameters
from evidence.reading.jsonlines import fits, object_of, spelled
from evidence.reading.stamps import iso_time, unix_time
from evidence.table.schema import LOOKUPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evidence.reading.format import NoRow, Row
    from evidence.reading.source import Source

PROCEDURE, TITLE = "parse.zeek_json@1", "a Zeek dns.log in JSON"
_KINDS: dict[str, type | tuple[type, ...]] = {
    "ts": (int, float, str), "id.orig_h": str, "id.orig_p": int, "id.resp_h": str, "id.resp_p": int, "proto": str,
    "query": str, "qclass": int, "qtype": int, "rcode": int, "AA": bool, "TC": bool, "RD": bool, "RA": bool,
    "opcode": int, "answers": list, "TTLs": list, "_path": str, "_system_name": str,
}  # fmt: skip
_NUMBER_OF_TIME = re.compile(
    rb'"ts"\s*:\s*(?P<number>([0-9]{10})([0-9]{3})|(?P<seconds>[0-9]{1,12})(?:\.(?P<fraction>[0-9]{1,9}))?)\s*[,}]'
)


def read_line(text: bytes) -> Row | NoRow:
    """One line."""
    value = object_of(text)
    if not isinstance(value, dict):
        return value
    if value.get("_path", "dns") != "dns":
        return SKIP, "other-log"
    row = _row(value, text)
    return spelled(row, text, b"query") if isinstance(row, dict) else row


def _row(value: dict[str, Any], text: bytes) -> Row | NoRow:
    if not fits(value, _KINDS, ("ts", "id.orig_h", "id.orig_p")):
        return REJECT, "wrong-type"
    answers, ttls = value.pop("answers", []), value.pop("TTLs", [])
    if not all(isinstance(item, str) for item in answers) or not all(_is_number(item) for item in ttls):
        return REJECT, "wrong-type"
    times = _time(value.pop("ts"), text)
    if times is None:
        return REJECT, "bad-time"
    row = row_of(times, value, answers, ttls)
    return {**row, "vantage": value.get("_system_name")} if isinstance(row, dict) else row


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _time(written: float | str, text: bytes) -> Row | None:
    """A number is taken from its digits in the line, since a float does not hold them; an inner `ts` is another."""
    if isinstance(written, str):
        times = iso_time(written)
        return times if times and times["time_zone"] else None
    found = next((item for item in _NUMBER_OF_TIME.finditer(text) if float(item["number"]) == written), None)
    if found is None:
        return None
    seconds, fraction = found[2] or found["seconds"], found[3] or found["fraction"] or b""
    return unix_time(seconds.decode(), fraction.decode())


def _open(source: Source, parameters: Mapping[str, Any]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, set())
    return Reading(LOOKUPS, json_batches.read_all(source, usual, read_line))


FORMAT = Format(PROCEDURE, TITLE, functools.partial(guess_lines, read_line, TITLE, 0.2), _open)
