r"""dnsdist: the text of `LogAction` and `LogResponseAction`, and the log of `dnsdist -v`.

    [1795558373.820032495] Packet from 127.0.0.11:20000 for www.example.com. A with id 16
    [1795558373.820032495] Answer to 127.0.0.11:20000 for www.example.com. A (No Error) with id 16
    Got query for www.example.com|A from 127.0.0.11:20000 (TCP, 35 bytes), relayed to 127.0.0.2:5353
    Packet cache hit for query for www.example.com|A from 127.0.0.11:20000 (DoUDP, 33 bytes)
    Nov 24 22:10:59 ns1 dnsdist[12]: Got query for www.example.com|A from 127.0.0.11:20000, relayed to 127.0.0.2:5353

What stands behind the dot is a whole number of nanoseconds, not a fraction with its zeros. No `Got query` comes before
what the packet cache answers. The grammar is that of dnsdist 1.3 to 2.0 (`dnsdist-actions.cc`, `dnsdist.cc`,
`dnsdist-tcp.cc`, `dnsdist-protocols.cc`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT, SKIP
from evidence.reading.endpoints import ENDPOINT, endpoint
from evidence.reading.format import line_format
from evidence.reading.names import name_columns
from evidence.reading.stamps import NO_TIME, unix_time
from evidence.reading.syslog import NO_MATCH, Envelope
from evidence.table.schema import EXCHANGE, QUERY, RESPONSE

if TYPE_CHECKING:
    from evidence.reading.format import NoRow, Row

_ACTION = re.compile(
    rb"(?:\[(?P<seconds>[0-9]{1,11})\.(?P<nanoseconds>[0-9]{1,9})\] )?(?P<what>Packet from|Answer to) (?P<client>"
    + ENDPOINT + rb") for (?P<name>[!-~]+) (?P<type>[A-Z][A-Z0-9-]*)(?: \((?P<rcode>[ -'*-~]+)\))?"
    rb" with id [0-9]{1,5}\r?\n?"
)  # fmt: skip
_ASKED = rb"(?P<name>[!-~]+)\|(?P<type>[A-Z][A-Z0-9-]*) from (?P<client>" + ENDPOINT + rb")"
_HOW = rb"(?: \((?P<how>TCP|UDP|https|Do(?:UDP|TCP|T|H|H3|Q)|DNSCrypt ?UDP|DNSCrypt ?TCP)?,? ?(?:[0-9]+ bytes)?\))?"
_VERBOSE = re.compile(
    rb"Got query for " + _ASKED + rb"(?: \((?P<proxied>proxied by [^)]*)\))?" + _HOW
    + rb", (?:relayed|forwarded) to [!-~ ]+\r?\n?"
)  # fmt: skip
_CACHED = re.compile(rb"Packet cache hit for query for " + _ASKED + _HOW + rb"\r?\n?")
_REFUSED = re.compile(
    rb"(?:(?:Dropped|ServFailed) query for " + _ASKED + rb", no downstream server available|"
    rb"Query from (?P<blocked>" + ENDPOINT + rb") for (?P<of>[!-~]+) "
    rb"(?:dropped|refused|truncated|turned into NXDomain) because of dynamic block)\r?\n?"
)  # fmt: skip
"""Lookups that go no further, of which no other line tells; the second kind leaves the type out."""
_OTHER = re.compile(
    rb"(?:Got (?:answer|TCP connection|an? |control )|Closing |TCP connecting |Marking |Listening |Added |Adding |"
    rb"Read |ACL |Console |dnsdist [0-9]|Query from |Dropp|Packet cache |Polled |"
    rb"Setting |Error |Outgoing |Loading |Opened |Removing |Had error |Timeout |Backend ).*\r?\n?"
)
_TRANSPORTS = {
    b"TCP": "tcp", b"UDP": "udp", b"https": "https", b"DoUDP": "udp", b"DoTCP": "tcp", b"DoT": "tls", b"DoH": "https",
    b"DoH3": "https", b"DoQ": "quic", b"DNSCryptUDP": "dnscrypt-udp", b"DNSCryptTCP": "dnscrypt-tcp", None: "udp",
}  # fmt: skip
_RCODES = {
    "No Error": "NOERROR", "Form Error": "FORMERR", "Server Failure": "SERVFAIL", "Non-Existent domain": "NXDOMAIN",
    "Not Implemented": "NOTIMP", "Query Refused": "REFUSED", "Name Exists when it should not": "YXDOMAIN",
    "RR Set Exists when it should not": "YXRRSET", "RR Set that should exist does not": "NXRRSET",
    "Server Not Authoritative for zone / Not Authorized": "NOTAUTH", "Name not contained in zone": "NOTZONE",
    "Bad OPT Version / TSIG Signature Failure": "BADVERS", "Key not recognized": "BADKEY",
    "Signature out of time window": "BADTIME", "Bad/missing Server Cookie": "BADCOOKIE",
}  # fmt: skip


def read_line(text: bytes) -> Row | NoRow:
    """One line; those of the verbose log that name no lookup are skipped by rule."""
    if found := _ACTION.fullmatch(text):
        return _action(found)
    if found := _VERBOSE.fullmatch(text):
        return _row(found, {**NO_TIME, "event": QUERY, "transport": _transport(found)})
    if found := _CACHED.fullmatch(text):
        return _row(found, {**NO_TIME, "event": EXCHANGE, "transport": _transport(found)})
    if found := _REFUSED.fullmatch(text):
        return _row(found, {**NO_TIME, "event": QUERY})
    if text.startswith((b"Got query for ", b"Packet cache hit ", b"Packet from ", b"Answer to ", b"[")):
        return REJECT, "not-a-query-line"
    return (SKIP, "other-message") if _OTHER.fullmatch(text) else NO_MATCH


def _transport(found: re.Match[bytes]) -> str:
    return _TRANSPORTS[found["how"] and found["how"].replace(b" ", b"")]


def _action(found: re.Match[bytes]) -> Row | NoRow:
    is_answer = found["what"] == b"Answer to"
    rcode = _RCODES.get((found["rcode"] or b"").decode())
    if is_answer != (rcode is not None):
        return REJECT, "bad-rcode"
    times: Row | None = NO_TIME
    if found["seconds"]:
        times = unix_time(found["seconds"].decode(), found["nanoseconds"].decode().zfill(9))
    if times is None:
        return REJECT, "bad-time"
    return _row(found, {**times, "event": RESPONSE if is_answer else QUERY, "rcode": rcode})


def _row(found: re.Match[bytes], row: Row) -> Row | NoRow:
    asked = found.groupdict()
    name, by = (asked.get(one) or asked[other] for one, other in (("of", "name"), ("blocked", "client")))
    named, client, kind = name_columns(name.decode()), endpoint(by), asked["type"]
    if named is None or client is None:
        return REJECT, "bad-name" if named is None else "bad-port"
    return {**row, **named, "client": client[0], "port": client[1], "type": kind and kind.decode()}


def read_message(message: bytes) -> Row | NoRow:
    """What stands behind a time that is not dnsdist's own nanoseconds; a line with those is left to `read_dated`."""
    row = read_line(message)
    if not isinstance(row, dict):
        return row
    return (REJECT, "dated") if row["time"] else {name: row[name] for name in row if name not in NO_TIME}


def _timed_message(message: bytes) -> Row | NoRow:
    row = read_line(message)
    return {name: row[name] for name in row if row["time"] or name not in NO_TIME} if isinstance(row, dict) else row


_PROGRAM = rb"dnsdist(?:-[!-~]+)?"
_read_iso = Envelope(_PROGRAM, dated=True).reader(_timed_message)
_read_behind_syslog = Envelope(_PROGRAM, dated=False).reader(_timed_message)


read_undated = Envelope(_PROGRAM, dated=False, own=True).reader(read_message)
"""A line whose time has no year: syslog's, the journal's, or dnsdist's own."""


def read_dated(text: bytes) -> Row | NoRow:
    """A line whose header states a year, or whose message has dnsdist's own time, which goes first."""
    found = _read_behind_syslog(text)
    return found if isinstance(found, dict) and found["time_zone"] else _read_iso(text)


TITLE = "a dnsdist log"
FORMAT = line_format("parse.dnsdist@1", TITLE, read_line)
UNDATED = line_format("parse.dnsdist_undated@1", f"{TITLE} without years", read_undated, has_zone=False, has_year=False)
DATED = line_format("parse.dnsdist_dated@1", f"{TITLE} through syslog with dates", read_dated, has_zone=False)
