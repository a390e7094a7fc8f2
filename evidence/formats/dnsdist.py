r"""dnsdist: the text of `LogAction` and `LogResponseAction`, and the log of `dnsdist -v`.

    [1795558373.820032495] Packet from 127.0.0.11:20000 for www.example.com. A with id 16
    [1795558373.820032495] Answer to 127.0.0.11:20000 for www.example.com. A (No Error) with id 16
    Got query for www.example.com|A from 127.0.0.11:20000 (TCP, 35 bytes), relayed to 127.0.0.2:5353

What stands behind the dot is a whole number of nanoseconds, not a fraction with its zeros. The grammar is that of
dnsdist 1.3 to 1.9 (`dnsdist-actions.cc`, `dnsdist.cc`, `dnsdist-tcp.cc`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT, SKIP
from evidence.reading.endpoints import ENDPOINT, endpoint
from evidence.reading.format import line_format
from evidence.reading.names import name_columns
from evidence.reading.stamps import NO_TIME, unix_time
from evidence.reading.syslog import NO_MATCH
from evidence.table.schema import QUERY, RESPONSE

if TYPE_CHECKING:
    from evidence.reading.format import NoRow, Row

_ACTION = re.compile(
    rb"(?:\[(?P<seconds>[0-9]{1,11})\.(?P<nanoseconds>[0-9]{1,9})\] )?(?P<what>Packet from|Answer to) (?P<client>"
    + ENDPOINT + rb") for (?P<name>[!-~]+) (?P<type>[A-Z][A-Z0-9-]*)(?: \((?P<rcode>[ -'*-~]+)\))?"
    rb" with id [0-9]{1,5}\r?\n?"
)  # fmt: skip
_VERBOSE = re.compile(
    rb"Got query for (?P<name>[!-~]+)\|(?P<type>[A-Z][A-Z0-9-]*) from (?P<client>" + ENDPOINT + rb")"
    rb"(?: \((?P<proxied>proxied by [^)]*)\))?(?: \((?P<how>TCP|DoT|DoH|DoQ|DoH3|DNSCrypt UDP|DNSCrypt TCP)?,? ?"
    rb"(?:[0-9]+ bytes)?\))?, (?:relayed|forwarded) to [!-~ ]+\r?\n?"
)
_OTHER = re.compile(
    rb"(?:Got (?:answer|TCP connection|an? |control )|Closing |TCP connecting |Marking |Listening |Added |Adding |"
    rb"Read |ACL |Console |dnsdist [0-9]|Query from |Dropp|Packet cache |Polled |"
    rb"Setting |Error |Outgoing |Loading |Opened |Removing |Had error |Timeout |Backend ).*\r?\n?"
)
_TRANSPORTS = {
    b"TCP": "tcp", b"DoT": "tls", b"DoH": "https", b"DoH3": "https", b"DoQ": "quic", b"DNSCrypt UDP": None,
    b"DNSCrypt TCP": None, None: "udp",
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
        transport = "udp" if not found["how"] else _TRANSPORTS[found["how"]]
        return _row(found, {**NO_TIME, "event": QUERY, "transport": transport})
    if text.startswith((b"Got query for ", b"Packet from ", b"Answer to ", b"[")):
        return REJECT, "not-a-query-line"
    return (SKIP, "other-message") if _OTHER.fullmatch(text) else NO_MATCH


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
    named, client = name_columns(found["name"].decode()), endpoint(found["client"])
    if named is None or client is None:
        return REJECT, "bad-name" if named is None else "bad-port"
    return {**row, **named, "client": client[0], "port": client[1], "type": found["type"].decode()}


FORMAT = line_format("parse.dnsdist@1", "a dnsdist log", read_line)
