r"""PowerDNS: queries in the logs of the Recursor (`quiet=no`) and of the Authoritative Server (`log-dns-queries=yes`).

    Nov 24 22:10:55 msg="Question" subsystem="syncres" … ts="1795558255.012" proto="udp" qname="a.example" qtype="A" remote="127.0.0.11:20000"
    Nov 24 22:10:59 1 [1/1] question for 'www.example.com|A' from 127.0.0.11:20000
    Nov 24 22:10:59 ns1 pdns[12]: Remote 127.0.0.11 wants 'www.example.com|A', do = 0, bufsize = 512: packetcache MISS

Structured lines state seconds since 1970, whatever stands before them. In them a backslash is doubled, so names are read
in two steps. The grammar is that of Recursor 4.8 to 5.2 (`rec-main.cc`, `pdns_recursor.cc`, `syncres.cc`,
`logging.cc`) and Authoritative Server 4.1 to 4.9 (`auth-main.cc`, `tcpreceiver.cc`).
"""  # noqa: E501 -- lines as they are

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT, SKIP
from evidence.reading.endpoints import ADDRESS, ENDPOINT, endpoint
from evidence.reading.format import line_format
from evidence.reading.jsonlines import object_of, spelled
from evidence.reading.mnemonics import rcode_name
from evidence.reading.names import name_columns
from evidence.reading.stamps import unix_time
from evidence.reading.syslog import NO_MATCH, Envelope
from evidence.table.schema import EXCHANGE, QUERY, RESPONSE

if TYPE_CHECKING:
    from evidence.reading.format import NoRow, Row

TITLE = "a PowerDNS log"
_PROGRAM = rb"pdns(?:_server|_recursor|-recursor)?(?:-[!-~]+)?"
_STRUCTURED = re.compile(
    rb'(?:[ -~]* )?(?P<pairs>msg="(?:[^"\\\r\n]|\\.)*"(?: [A-Za-z_-]+="(?:[^"\\\r\n]|\\.)*")+)\r?\n?'
)
_PAIR = re.compile(r'([A-Za-z_-]+)="((?:[^"\\]|\\.)*)"')
_START_UP = re.compile(
    rb"(?:[ -~]* )?(?:PowerDNS (?:Recursor |Authoritative |comes )|Using [0-9]+-bits mode)[ -~]*\r?\n?"
)
_EVENTS = {
    "Question": QUERY, "TCP question": QUERY, "Answer": RESPONSE, "Question answered from packet cache": EXCHANGE,
    "TCP question answered from packet cache": EXCHANGE,
}  # fmt: skip
_ASKED = rb"'(?P<name>[^\s|]+)\|(?P<type>[A-Z][A-Z0-9-]*)'"
_QUESTION = re.compile(
    rb"[0-9]+ \[[0-9]+/[0-9]+\] (?P<tcp>TCP )?question for " + _ASKED + rb" from (?P<from>" + ENDPOINT + rb")"
    rb"(?: \(.*\))?"
)
_ANSWER = re.compile(
    rb"[0-9]+ \[[0-9]+/[0-9]+\] answer to (?:non-rd )?question "
    + _ASKED
    + rb": [0-9]+ answers, .*rcode=(?P<rcode>[0-9]{1,4})"
    rb"(?:,.*)?"
)
_WANTS = re.compile(
    rb"(?P<tcp>TCP )?Remote (?P<client>" + ADDRESS + rb")(?:<-[!-~]+)? wants " + _ASKED + rb", do = (?P<do>[01]), "
    rb"bufsize = [0-9]+(?: \([0-9]+\))?(?:: packetcache (?:HIT|MISS))?"
)
_CACHED = re.compile(rb"[0-9]+ (?:TCP )?question answered from packet cache .*")
_LOOKUP = re.compile(rb"[0-9]+ \[[0-9]+/[0-9]+\] (?:TCP question|question|answer)|(?:TCP )?Remote .* wants ")


def read_structured(text: bytes) -> Row | NoRow:
    """A line of pairs or a JSON object; what stands before pairs (a time, a host) is not looked at."""
    if text.startswith(b"{"):
        value = object_of(text)
        row = value if isinstance(value, tuple) else _message(value)
        return spelled(row, text, b"qname") if isinstance(row, dict) else row
    found = _STRUCTURED.fullmatch(text)
    if found is None:
        return (SKIP, "start-up") if _START_UP.fullmatch(text) else NO_MATCH
    items = _PAIR.findall(found["pairs"].decode("ascii", "replace"))
    values = {name: re.sub(r"\\(.)", r"\1", value) for name, value in items}
    if len(values) != len(items):
        return REJECT, "doubled-member"
    row, raw = _message(values), dict(items).get("qname", "")
    return {**row, "name_as_written": raw} if isinstance(row, dict) and "\\" in raw else row


def _message(values: dict[str, str]) -> Row | NoRow:
    if not all(isinstance(value, str) for value in values.values()) or not {"msg", "subsystem", "ts"} <= set(values):
        return REJECT, "wrong-type"
    event = _EVENTS.get(values["msg"])
    return (SKIP, "other-message") if event is None else _row(event, values)


def _row(event: str, values: dict[str, str]) -> Row | NoRow:
    seconds, _, fraction = values.get("ts", "").partition(".")
    times = unix_time(seconds, fraction) if seconds.isdecimal() and (fraction or "0").isdecimal() else None
    asked = re.fullmatch(ENDPOINT.decode(), values.get("remote", ""))
    client = endpoint(asked[0].encode()) if asked else None
    named = name_columns(values.get("qname", ""))
    rcode = values.get("rcode", "0")
    problem = (
        (times is None, "bad-time"), (client is None, "bad-client"), (named is None, "bad-name"),
        (not re.fullmatch(r"[A-Z][A-Z0-9-]*", values.get("qtype", "")), "bad-type"),
        (not re.fullmatch(r"[0-9]{1,4}", rcode), "bad-rcode"),
    )  # fmt: skip
    if reason := next((reason for is_wrong, reason in problem if is_wrong), None):
        return REJECT, reason
    return {
        **(times or {}), **(named or {}), "client": client and client[0], "port": client and client[1], "event": event,
        "type": values["qtype"], "transport": values.get("proto"), "flags": "RD" if values.get("rd") == "1" else None,
        "rcode": rcode_name(int(rcode)) if "rcode" in values else None,
    }  # fmt: skip


def read_message(message: bytes) -> Row | NoRow:
    """A message of the unstructured log, without what stands before it."""
    if found := _QUESTION.fullmatch(message):
        client = endpoint(found["from"])
        if client is None:
            return REJECT, "bad-port"
        return _named(found, {"event": QUERY, "client": client[0], "port": client[1], "transport": _transport(found)})
    if found := _ANSWER.fullmatch(message):
        return _named(found, {"event": RESPONSE, "rcode": rcode_name(int(found["rcode"]))})
    if found := _WANTS.fullmatch(message):
        flags = "DO" if found["do"] == b"1" else None
        by = {"client": found["client"].decode().lower(), "flags": flags, "transport": _transport(found)}
        return _named(found, {"event": QUERY, **by})
    if _CACHED.fullmatch(message):
        return SKIP, "packet-cache"
    return (REJECT, "not-a-query-line") if _LOOKUP.match(message) else (SKIP, "other-message")


def _transport(found: re.Match[bytes]) -> str:
    return "tcp" if found["tcp"] else "udp"


def _named(found: re.Match[bytes], row: Row) -> Row | NoRow:
    named = name_columns(found["name"].decode("ascii", "replace"))
    return {**row, **named, "type": found["type"].decode()} if named else (REJECT, "bad-name")


read_dated = Envelope(_PROGRAM, dated=True).reader(read_message)


read_text = Envelope(_PROGRAM, dated=False, own=True).reader(read_message)
"""A line of the unstructured log with a time that has no year: the server's own, or syslog's."""


FORMAT = line_format("parse.powerdns@1", f"{TITLE}, structured", read_structured)
UNDATED = line_format("parse.powerdns_text@1", f"{TITLE}, unstructured", read_text, has_zone=False, has_year=False)
DATED = line_format("parse.powerdns_dated@1", f"{TITLE}, unstructured with dates", read_dated, has_zone=False)
