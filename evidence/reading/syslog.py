"""What stands before a server's message: its own time, or what a syslog daemon writes (RFC 3164, RFC 5424).

    Nov 24 22:13:33 ns1 named[28414]: MESSAGE
    2026-11-24T22:13:33.632662+00:00 ns1 named[28414]: MESSAGE
    <158>1 2026-11-24T22:13:33.632662+00:00 ns1 named 28414 - -  MESSAGE

The first has neither year nor zone, so one server's log is two formats: undated and dated. The journal writes the first
two as well, also with a fraction of a second (`journalctl -o short-precise`), or with a zone as `+0100` (`short-iso`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT
from evidence.reading.stamps import iso_time, undated_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.format import NoRow, Row

    type ReadMessage = Callable[[bytes], Row | NoRow]

NO_MATCH: NoRow = (REJECT, "not-its-log")
"""A line that is none of this program's log at all."""
_TRADITIONAL = (
    rb"(?:<[0-9]{1,3}>)?(?P<month>[A-Z][a-z]{2}) (?P<day>[ 0-3][0-9]) "
    rb"(?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?) "
    rb"(?:(?P<host>[!-~]+) )??(?:%s)(?:\[[0-9A-Fa-f:]+\])?: (?P<message>[^\r\n]*)\r?\n?"
)
_OWN = (
    rb"(?P<month>[A-Z][a-z]{2}) (?P<day>[ 0-3][0-9]) (?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2}) (?P<message>[^\r\n]*)\r?\n?"
)
_ISO = (
    rb"(?:<[0-9]{1,3}>)?(?P<iso>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?) "
    rb"(?:(?P<host>[!-~]+) )??(?:%s)(?:\[[0-9A-Fa-f:]+\])?: (?P<message>[^\r\n]*)\r?\n?"
)
_RFC5424 = (
    rb"<[0-9]{1,3}>1 (?P<iso>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})) "
    rb"(?P<host>[!-~]+) (?:%s) [!-~]+ [!-~]+ (?:-|(?:\[[^\]\r\n]*\])+) (?:\xef\xbb\xbf)? ?(?P<message>[^\r\n]*)\r?\n?"
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Before each message of a program, whose name is a regular expression.

    `own`: where it writes no header but the time alone, in the form of RFC 3164, that is one too.
    """

    program: bytes
    dated: bool
    own: bool = False

    def reader(self, read_message: ReadMessage) -> ReadMessage:
        """The reader of a line that reads its message by `read_message`, and takes time and host from before it."""
        layouts = (_ISO, _RFC5424) if self.dated else (_TRADITIONAL, _OWN) if self.own else (_TRADITIONAL,)
        patterns = [re.compile(layout.replace(b"%s", self.program)) for layout in layouts]

        def read_line(text: bytes) -> Row | NoRow:
            found = next((match for pattern in patterns if (match := pattern.fullmatch(text))), None)
            if found is None:
                return NO_MATCH
            message = read_message(found["message"])
            if not isinstance(message, dict):
                return message
            times = _times(found)
            if times is None:
                return REJECT, "bad-time"
            host = found.groupdict().get("host")
            return {**times, "vantage": host.decode() if host not in (None, b"-") else None, **message}

        return read_line


def _times(found: re.Match[bytes]) -> Row | None:
    groups = found.groupdict()
    if "iso" in groups:
        return iso_time(groups["iso"].decode())
    return undated_time(groups["month"], groups["day"], groups["clock"])
