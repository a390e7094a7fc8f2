"""What stands in a claimed line: name, client, time; read by the words of the format that its attested reader names.

Written from the description of each format and not shared with `evidence.formats` (docs/adr/0004), so that an error
of the archive's reader is not repeated here. A format that is not known here is said to be unread, never guessed.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BIND = "parse.bind@1"
DELIMITED = "parse.delimited@1"
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
QUERY = re.compile(
    rb"([0-9]{2})-([A-Z][a-z]{2})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{3}) "
    rb"(?:queries: )?(?:info: )?client (?:@0x[0-9a-f]+ )?([0-9A-Fa-f:.]+)#[0-9]{1,5} \([!-~]+\): "
    rb"(?:view [!-~]+: )?query: ([!-~]+) "
)
SECONDS = re.compile(r"(?=.{9})([0-9]*)(?:\.([0-9]*))?", re.ASCII)


class Row(NamedTuple):
    """A lookup or a sighting as its line states it; `time` in microseconds since 1970, names in lower case;
    `seen` is of how many lookups a sighting tells.
    """

    time: int
    name: str
    client: str
    place: str
    observer: str
    seen: int


@dataclass(frozen=True, slots=True)
class Format:
    """A reader of lines by procedure and parameters; `head` of a file is asked for once, for its header."""

    procedure: str
    parameters: Mapping[str, Any]

    @property
    def is_known(self) -> bool:
        return self.procedure in (BIND, DELIMITED)

    @property
    def has_quotes(self) -> bool:
        """Whether a record may hold line ends between quotes."""
        return self.procedure == DELIMITED

    def places(self, head: bytes) -> dict[str, int] | None:
        """Which field of a record holds what; None if the header cannot be read, empty where there is none."""
        if self.procedure != DELIMITED:
            return {}
        header = _header(head)
        columns = self.parameters.get("columns")
        if header is None or not isinstance(columns, dict) or not set(map(str, columns.values())) <= set(header):
            return None
        return {target: header.index(str(column)) for target, column in columns.items()} | {"": len(header)}

    def row(self, text: bytes, places: dict[str, int]) -> Row | None:
        """What the line says, or None if it says nothing that this format knows."""
        if self.procedure == BIND:
            return _query(text)
        return _record(text, places) if self.procedure == DELIMITED else None


def _query(text: bytes) -> Row | None:
    found = QUERY.match(text)
    if found is None:
        return None
    day, month, year, hour, minute, second, milli, client, name = found.groups()
    try:
        time = dt.datetime(
            int(year), MONTHS[month], int(day), int(hour), int(minute), int(second), int(milli) * 1000, dt.UTC
        )
    except (KeyError, ValueError):
        return None
    asked = name.decode("ascii").lower()
    if len(asked) > 1 and asked.endswith(".") and not asked.endswith("\\."):
        asked = asked[:-1]
    return Row((time - EPOCH) // MICROSECOND, asked, client.decode("ascii").lower(), "", "", 1)


def _header(head: bytes) -> list[str] | None:
    """The first record that is neither blank nor a comment."""
    try:
        lines = (line.decode() for line in _plain_lines(head))
        return [name.strip().removeprefix("\ufeff") for name in next(csv.reader(lines, strict=True), [])]
    except (UnicodeDecodeError, csv.Error):
        return None


def _plain_lines(head: bytes) -> Iterator[bytes]:
    begun = False
    for line in head.splitlines(keepends=True):
        begun = begun or not (line.startswith(b"#") or not line.strip(b" \t\r\n"))
        if begun:
            yield line


def _record(text: bytes, places: dict[str, int]) -> Row | None:
    try:
        fields = next(csv.reader([text.decode().rstrip("\r\n")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return None
    if text.startswith(b"#") or len(fields) != places[""]:
        return None
    said = {target: fields[place] for target, place in places.items() if target}
    time, count = _time(said.get("time", "")), said.get("count") or "1"
    name = said.get("name", "").strip().lower()
    if time is None or not name or re.fullmatch(r"0*[1-9][0-9]{0,17}", count) is None:
        return None
    bare = name[:-1] if len(name) > 1 and name.endswith(".") else name
    client = said.get("client", "").strip().lower()
    return Row(time, bare, client, said.get("place", ""), said.get("observer", ""), int(count))


def _time(text: str) -> int | None:
    """ISO 8601, in UTC where no zone is given, or seconds since 1970."""
    seconds = SECONDS.fullmatch(text)
    try:
        if seconds is not None:
            since = int(seconds[1] or "0") * 1_000_000 + int((seconds[2] or "")[:6].ljust(6, "0"))
            return (EPOCH + since * MICROSECOND - EPOCH) // MICROSECOND
        time = dt.datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        return None
    return ((time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time) - EPOCH) // MICROSECOND


def written(time: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return (EPOCH + time * MICROSECOND).isoformat(timespec="milliseconds").replace("+00:00", "Z")
