r"""Windows DNS Server: the debug log (`dns.log`), one line a packet.

    11/24/2026 10:09:08 PM 0E1C PACKET  00000000033397A0 UDP Rcv ::1   1000   Q [0001   D   NOERROR] A  (3)www(0)

Dates follow the locale of the server. `2026-11-24`, `20261124` and dates with dots, which begin with the day, can be
read in one way; all others need the parameter `dates` (`mdy` or `dmy`), without which their lines are rejects. It is
offered where a line of the head can be a day in one order alone. What the server asks others, and what these answer, is
skipped by rule. The grammar is that of the legend that opens the file (Windows Server 2003 to 2022).
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import TYPE_CHECKING, Any

from evidence.errors import ReadingError
from evidence.reading.amounts import found_in
from evidence.reading.batch import REJECT, SKIP
from evidence.reading.endpoints import ADDRESS
from evidence.reading.format import Format, Guess, Reading, in_order, read_chunk, refuse_parameters
from evidence.reading.lines import chunks
from evidence.reading.mnemonics import type_name, word
from evidence.reading.names import from_labels
from evidence.reading.syslog import NO_MATCH
from evidence.table.schema import LOOKUPS, QUERY, RESPONSE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evidence.reading.format import Head, NoRow, Row
    from evidence.reading.source import Source

PROCEDURE, TITLE = "parse.windows_dns@1", "a Windows DNS debug log"
ORDERS = ("mdy", "dmy")
_WHEN = (
    rb"(?:(?P<first>[0-9]{1,4})(?P<mark>[/.-])(?P<second>[0-9]{1,2})(?P=mark)(?P<third>[0-9]{1,4})|(?P<ymd>[0-9]{8})) "
    rb"(?P<hour>[0-9]{1,2})[:.](?P<minute>[0-9]{2})[:.](?P<sec>[0-9]{2})(?:[ \xa0](?P<half>[AaPp]\.?[ \xa0]?[Mm]\.?))?"
)
_PACKET = re.compile(
    _WHEN + rb" [0-9A-Fa-f]{3,4} PACKET +[0-9A-Fa-f]{8,16} (?P<transport>UDP|TCP) +(?P<way>Rcv|Snd) "
    rb"(?P<remote>" + ADDRESS + rb") +[0-9A-Fa-f]{4} (?P<response>[R ]) (?P<opcode>[QNU?]) "
    rb"\[[0-9A-Fa-f]{4} (?P<flags>[ATDR ]*) "
    rb"(?P<rcode>[A-Z0-9]+)\] "
    rb"(?P<type>[A-Z0-9]+) +(?P<name>\([0-9]{1,2}\)[^\r\n]*)\r?\n?"
)  # fmt: skip
_LINE = re.compile(_WHEN + rb" [0-9A-Fa-f]{3,4} (?P<context>[A-Z][A-Za-z]*) .*\r?\n?")
_HEAD = re.compile(
    rb"(?:DNS Server log file creation at|Log file wrap at|Message logging key|(?:UDP|TCP) [a-z]+ info at |[\t ])"
    rb".*\r?\n?"
)
_FLAGS = {b"A": "AA", b"T": "TC", b"D": "RD", b"R": "RA"}
_SKIPPED = {(b"Snd", b" "): "own-query", (b"Rcv", b"R"): "response-to-the-server"}
_OTHER_TYPES = {"ALL": "ANY"}


def read_line(dates: str | None, text: bytes) -> Row | NoRow:
    """One line; `dates` is the order of day and month where a date can be read in two."""
    found = _PACKET.fullmatch(text)
    if found is None:
        return _no_packet(text)
    if found["opcode"] != b"Q":
        return SKIP, "no-query"
    if skipped := _SKIPPED.get((found["way"], found["response"])):
        return SKIP, skipped
    time, name = _time(found, dates), _name(found["name"])
    if isinstance(time, str) or name is None:
        return REJECT, time if isinstance(time, str) else "bad-name"
    return {
        "time": time, "time_digits": 0, "time_zone": None, "name": name,
        "name_as_written": found["name"].decode("latin-1"),
        "event": RESPONSE if found["response"] == b"R" else QUERY, "client": found["remote"].decode().lower(),
        "type": _type(found["type"].decode()), "transport": found["transport"].decode().lower(),
        "flags": " ".join(word for letter, word in _FLAGS.items() if letter in found["flags"]) or None,
        "rcode": word(found["rcode"].decode()) if found["response"] == b"R" else None,
    }  # fmt: skip


def _no_packet(text: bytes) -> NoRow:
    if _HEAD.fullmatch(text):
        return SKIP, "legend"
    other = _LINE.fullmatch(text)
    if other is None:
        return NO_MATCH
    return (REJECT, "not-a-packet-line") if other["context"] == b"PACKET" else (SKIP, "other-message")


def _type(written: str) -> str:
    return type_name(int(written)) if written.isdecimal() else _OTHER_TYPES.get(written, written)


def _name(written: bytes) -> str | None:
    """`(3)www(7)example(0)`: each label behind its length."""
    labels: list[bytes] = []
    at = 0
    while length := re.match(rb"\(([0-9]{1,2})\)", written[at:]):
        at += length.end()
        if int(length[1]) == 0:
            return from_labels(labels) if at == len(written.rstrip()) else None
        labels.append(written[at : at + int(length[1])])
        at += int(length[1])
    return None


def _time(found: re.Match[bytes], dates: str | None) -> dt.datetime | str:
    """Local time, or the reason why it is none."""
    day = _day(found, dates)
    hour = int(found["hour"])
    if found["half"]:
        if not 1 <= hour <= 12:
            return "bad-time"
        hour = hour % 12 + 12 * (found["half"][:1] in b"Pp")
    if day is None:
        return "date-order-not-stated"
    try:
        return dt.datetime(*day, hour, int(found["minute"]), int(found["sec"]), tzinfo=dt.UTC)
    except ValueError:
        return "bad-time"


def _day(found: re.Match[bytes], dates: str | None) -> tuple[int, int, int] | None:
    """Year, month and day; None where nobody stated which stands first."""
    if found["ymd"]:
        return int(found["ymd"][:4]), int(found["ymd"][4:6]), int(found["ymd"][6:])
    first, second, third = (int(found[name]) for name in ("first", "second", "third"))
    if len(found["first"]) == 4:
        return first, second, third
    order = "dmy" if found["mark"] == b"." else dates
    if len(found["third"]) != 4:
        return (0, 0, 0)
    return None if order is None else (third, second, first) if order == "dmy" else (third, first, second)


def possible_orders(lines: list[bytes]) -> set[str]:
    """Orders of day and month in which each date of the lines is one."""
    found = [match for line in lines if (match := _PACKET.fullmatch(line))]
    return {order for order in ORDERS if all(_time(match, order) != "bad-time" for match in found)}


def _guess(head: Head) -> Guess | None:
    lines = head.lines()
    packets = sum(_PACKET.fullmatch(line) is not None for line in lines)
    others = sum(read_line(ORDERS[0], line) == NO_MATCH for line in lines if not line.startswith(b"#"))
    if not packets or packets < 0.2 * (packets + others):
        return None
    confidence, said = packets / (packets + others), f"{TITLE}: {found_in(packets, 'packet', len(lines), 'line')}"
    orders = possible_orders(lines)
    stated = all(read_line(None, line) != (REJECT, "date-order-not-stated") for line in lines)
    if stated:
        return Guess(confidence, said)
    if len(orders) == 1:
        (order,) = orders
        return Guess(confidence, f"{said}; only as {order} all of their dates are dates", {"dates": order})
    return Guess(confidence, f"{said}. Their dates can be read in two orders: they are once `dates` is stated")


def _read(source: Source, parameters: Mapping[str, Any]) -> Reading:
    refuse_parameters(PROCEDURE, parameters, {"dates"})
    dates = parameters.get("dates")
    if dates not in (None, *ORDERS):
        raise ReadingError(f"dates {dates!r}: write mdy (month first) or dmy (day first)")
    notes = () if dates is None else (f"Dates are read as {dates}, as was stated or shown by the dates themselves.",)
    return Reading(
        LOOKUPS, in_order(chunks(source), functools.partial(read_chunk, functools.partial(read_line, dates))), notes
    )


FORMAT = Format(PROCEDURE, TITLE, _guess, _read, has_zone=False, choices={"dates": ORDERS})
