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

BIND = "parse.bind@2"
DELIMITED = "parse.delimited@2"
RECORDS = ("parse.pcap@", "parse.pcapng@", "parse.dnstap@", "parse.cdns@")
"""Readers of binary formats: what they point to are records, and no lines."""
DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";"}
MARK = b"\xef\xbb\xbf"
"""A byte order mark (RFC 3629 §6) before a file's text is no part of its first line."""
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
QUERY = re.compile(
    rb"(?:([0-9]{2}-[A-Z][a-z]{2}-[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}) |"
    rb"([0-9-]{10}T[0-9:]{8}\.[0-9]{3})(Z|[+-][0-9]{2}:[0-9]{2})? )?"
    rb"(?:queries: )?(?:query: )?(?:info: )?client (?:@0x[0-9a-f]+ )?([0-9A-Fa-f:.]+(?:%[^\s#]+)?)#[0-9]{1,5}"
    rb"(?:/key [!-~]+)?(?: \([!-~]+\))?: (?:view [!-~]+: )?query: ([!-~]+) "
)
OFFSET = re.compile(r"([+-])([0-9]{2}):([0-9]{2})", re.ASCII)
ESCAPE = re.compile(rb"\\([0-9]{3}|[^0-9])|([^\\.]+)|(\.)", re.DOTALL)
NUMBER = re.compile(r"(?=[0-9]{1,4}$)0*[1-9][0-9]*", re.ASCII)
"""A column of a table without a header, from 1."""
SECONDS = re.compile(r"(?=.{9})([0-9]*)(?:\.([0-9]*))?", re.ASCII)


class Row(NamedTuple):
    """A lookup or a sighting as its line states it; `time` in microseconds since 1970, None where it has none; names
    in lower case with the escapes of RFC 4343; `seen` is of how many lookups a sighting tells.
    """

    time: int | None
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
        return self.procedure in (BIND, DELIMITED) and self._ahead() is not None and self._delimiter() is not None

    def _delimiter(self) -> str | None:
        """What stands between fields; None for a name that is not known here."""
        return DELIMITERS.get(str(self.parameters.get("delimiter", "comma")))

    def _ahead(self) -> int | None:
        """Microseconds by which times without a zone are ahead of UTC; None for a zone known by name only."""
        zone = self.parameters.get("zone") or "UTC"
        found = OFFSET.fullmatch(str(zone))
        if zone == "UTC" or found is None:
            return 0 if zone == "UTC" else None
        minutes = int(found[2]) * 60 + int(found[3])
        return (-minutes if found[1] == "-" else minutes) * 60_000_000

    @property
    def has_records(self) -> bool:
        """Whether its ranges are records of a binary format."""
        return self.procedure.startswith(RECORDS)

    @property
    def has_quotes(self) -> bool:
        """Whether a record may hold line ends between quotes."""
        return self.procedure == DELIMITED

    def places(self, head: bytes) -> dict[str, int] | None:
        """Which field of a record holds what; None if the header cannot be read, empty where there is none."""
        if self.procedure != DELIMITED:
            return {}
        header = _header(head.removeprefix(MARK), self._delimiter() or ",")
        columns = self.parameters.get("columns")
        if header is None or not isinstance(columns, dict):
            return None
        named = set(map(str, columns.values()))
        if named <= set(header):
            return {target: header.index(str(column)) for target, column in columns.items()} | {"": len(header)}
        if not all(NUMBER.fullmatch(name) and int(name) <= len(header) for name in named):
            return None
        return {target: int(column) - 1 for target, column in columns.items()} | {"": len(header)}

    def row(self, text: bytes, places: dict[str, int]) -> Row | None:
        """What the line says, or None if it says nothing that this format knows."""
        if self.procedure == BIND:
            return _query(text, self._ahead() or 0)
        if self.procedure != DELIMITED:
            return None
        return _record(text, places, self._ahead() or 0, self._delimiter() or ",")


def _query(text: bytes, ahead: int) -> Row | None:
    found = QUERY.match(text)
    if found is None:
        return None
    local, iso, zone, client, asked = found.groups()
    try:
        time = _local(local) - ahead if local else _iso(iso, zone, ahead)
    except (KeyError, ValueError, OverflowError):
        return None
    name = domain(asked)
    return None if name is None else Row(time, name, client.decode("ascii").lower(), "", "", 1)


def _local(text: bytes) -> int:
    day, month, year, clock = text[:2], text[3:6], text[7:11], text[12:].decode()
    time = dt.datetime.fromisoformat(f"{int(year):04}-{MONTHS[month]:02}-{int(day):02}T{clock}+00:00")
    return (time - EPOCH) // MICROSECOND


def _iso(text: bytes | None, zone: bytes | None, ahead: int) -> int | None:
    if text is None:
        return None
    time = dt.datetime.fromisoformat((text + (zone or b"Z")).decode())
    return (time - EPOCH) // MICROSECOND - (0 if zone else ahead)


def domain(written: bytes) -> str | None:
    """A name in lower case, without its final dot, with the escapes of RFC 1035 §5.1 in their shortest form."""
    if b"\\" not in written and written.isascii():
        name = written.decode().lower()
        return name[:-1] if len(name) > 1 and name.endswith(".") else name
    parts, at = [], 0
    while found := ESCAPE.match(written, at):
        escaped, plain, dot = found.groups()
        at = found.end()
        octets = b"" if dot else plain or _octet(escaped)
        parts.append("." if dot else "".join(map(_shown, octets.lower())))
    if at != len(written):
        return None
    return "".join(parts[:-1] if len(parts) > 1 and parts[-1] == "." else parts)


def _octet(escaped: bytes) -> bytes:
    return bytes([int(escaped)]) if escaped.isdigit() and int(escaped) < 256 else escaped


def _shown(octet: int) -> str:
    if not 0x21 <= octet <= 0x7E:
        return f"\\{octet:03}"
    return f"\\{chr(octet)}" if octet in b".\\" else chr(octet)


def _header(head: bytes, delimiter: str) -> list[str] | None:
    """The first record that is neither blank nor a comment."""
    try:
        lines = (line.decode() for line in _plain_lines(head))
        names = next(csv.reader(lines, delimiter=delimiter, strict=True), [])
        return [name.strip().removeprefix("\ufeff") for name in names]
    except (UnicodeDecodeError, csv.Error):
        return None


def _plain_lines(head: bytes) -> Iterator[bytes]:
    begun = False
    for line in head.splitlines(keepends=True):
        begun = begun or not (line.startswith(b"#") or not line.strip(b" \t\r\n"))
        if begun:
            yield line


def _record(text: bytes, places: dict[str, int], ahead: int, delimiter: str) -> Row | None:
    try:
        fields = next(csv.reader([text.decode().rstrip("\r\n")], delimiter=delimiter, strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return None
    if text.startswith(b"#") or len(fields) != places[""]:
        return None
    said = {target: fields[place] for target, place in places.items() if target}
    time, count = _time(said.get("time", ""), ahead), said.get("count") or "1"
    name = domain(said.get("name", "").strip().encode())
    if time is None or not name or re.fullmatch(r"0*[1-9][0-9]{0,17}", count) is None:
        return None
    client = said.get("client", "").strip().lower()
    return Row(time, name, client, said.get("place", ""), said.get("observer", ""), int(count.lstrip("0")))


def _time(text: str, ahead: int) -> int | None:
    """ISO 8601, local where no zone is given, or seconds since 1970."""
    text = text.strip()
    seconds = SECONDS.fullmatch(text)
    try:
        if seconds is not None:
            since = int(seconds[1] or "0") * 1_000_000 + int((seconds[2] or "")[:6].ljust(6, "0"))
            return (EPOCH + since * MICROSECOND - EPOCH) // MICROSECOND
        time = dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    if time.tzinfo is None:
        return (time.replace(tzinfo=dt.UTC) - EPOCH) // MICROSECOND - ahead
    return (time - EPOCH) // MICROSECOND


def written(time: int | None) -> str:
    """RFC 3339 in UTC with milliseconds; nothing for no time."""
    if time is None:
        return ""
    return (EPOCH + time * MICROSECOND).isoformat(timespec="milliseconds").replace("+00:00", "Z")
