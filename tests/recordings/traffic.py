"""The one fixed list of queries that every server is sent: one traffic, many formats.

`sequence` n is sent with message id 0x1000 + n from source port 20000 + n, so that a row of any format that keeps the
client's port (or the id) can be laid beside its query without guessing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST_ID = 0x1000
FIRST_PORT = 20000

TYPES = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "NAPTR": 35, "DS": 43,
    "DNSKEY": 48, "SVCB": 64, "HTTPS": 65, "ANY": 255, "CAA": 257, "TYPE65280": 65280,
}  # fmt: skip
CLASSES = {"IN": 1, "CH": 3}
RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}

# 63 octets in a label and 255 in a name are the most that RFC 1035 section 2.3.4 allows.
LONG_LABEL = b"l" * 63
LONG_NAME = (b"n" * 63, b"a" * 63, b"m" * 63, b"e" * 49, b"example", b"com")


@dataclass(frozen=True, slots=True)
class Query:
    """One query as it goes over the wire; `sent` is how often the same bytes are sent (2: a retransmission)."""

    labels: tuple[bytes, ...]
    type: str = "A"
    rcode: str = "NOERROR"
    class_: str = "IN"
    transport: str = "udp"
    client: str = "127.0.0.11"
    edns: int | None = None
    dnssec_ok: bool = False
    recursion_desired: bool = True
    checking_disabled: bool = False
    truncated: bool = False
    sent: int = 1
    note: str = ""

    @property
    def ip_version(self) -> int:
        return 6 if ":" in self.client else 4


def name(text: str) -> tuple[bytes, ...]:
    """Labels of a name that has no escapes."""
    return tuple(label.encode("ascii") for label in text.split("."))


def wire_name(labels: tuple[bytes, ...]) -> bytes:
    """RFC 1035 section 3.1, uncompressed."""
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def presentation(labels: tuple[bytes, ...]) -> str:
    """RFC 1035 section 5.1 and RFC 4343 section 2.1, without the final dot (the root is a dot)."""
    return ".".join("".join(map(_escaped, label)) for label in labels) or "."


def _escaped(octet: int) -> str:
    if not 0x21 <= octet <= 0x7E:
        return f"\\{octet:03d}"
    character = chr(octet)
    return "\\" + character if character in '."();@$\\' else character


def _example(*first: bytes) -> tuple[bytes, ...]:
    return (*first, b"example", b"com")


def _types() -> Iterator[Query]:
    yield Query(name("www.example.com"))
    yield Query(name("www.example.com"), "AAAA")
    yield Query(name("example.com"), "MX")
    yield Query(name("example.com"), "TXT", note="several strings, quotes, semicolons, octets above 127")
    yield Query(name("example.com"), "NS")
    yield Query(name("example.com"), "SOA")
    yield Query(name("example.com"), "CAA")
    yield Query(name("1.2.0.192.in-addr.arpa"), "PTR")
    yield Query(name("1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"), "PTR")
    yield Query(name("_sip._tcp.example.com"), "SRV")
    yield Query(name("www.example.com"), "HTTPS")
    yield Query(name("_dns.example.com"), "SVCB")
    yield Query(name("e164.example.com"), "NAPTR")
    yield Query(name("private.example.com"), "TYPE65280", note="a type without a name (RFC 3597)")
    yield Query(name("www.example.com"), "ANY", transport="tcp")
    yield Query(name("alias.example.com"), note="CNAME and A in one answer")
    yield Query(name("one.alias.example.com"), "AAAA", note="a chain of two CNAMEs")
    yield Query(name("www.example.com"), "MX", note="no data: NOERROR without answers")
    yield Query(name("anything.wild.example.com"), note="from a wildcard")
    yield Query((), "NS", note="the root")
    yield Query(name("com"), "DS", note="a single label")
    yield Query(name("mail.example.net"), note="the name of the founding case")
    yield Query(name("mail.example.net"), "AAAA")


def _names() -> Iterator[Query]:
    yield Query(name("WwW.eXaMpLe.CoM"), note="mixed case (0x20)")
    yield Query(name("MAIL.EXAMPLE.NET"))
    yield Query(_example(b"a.b"), note="a dot inside a label")
    yield Query(_example(b"x y"), note="a space inside a label")
    yield Query(_example(b"semi;colon"))
    yield Query(_example(b"back\\slash"))
    yield Query(_example(b'quo"te'))
    yield Query(_example(b"at@dollar$"))
    yield Query(_example(b"(brackets)"))
    yield Query(_example(b"comma,tab\there"), note="a horizontal tab inside a label")
    yield Query(_example(b"new\nline"), note="a line feed inside a label: must not start a new log line")
    yield Query(_example(b"nul\0octet"))
    yield Query(_example("münchen".encode()), note="raw UTF-8 octets in a label")
    yield Query(_example(b"\xff\xfe"), note="octets that are no UTF-8")
    yield Query(name("xn--mnchen-3ya.example.com"), note="an IDNA A-label")
    yield Query(name("xn--bcher-kva.example.com"), "AAAA", note="an IDNA A-label")
    yield Query(name("under_score.example.com"))
    yield Query(name("-hyphen-.example.com"))
    yield Query(name("*.wild.example.com"), note="an asterisk as a label of the query")
    yield Query(_example(LONG_LABEL), note="a label of 63 octets")
    yield Query(LONG_NAME, rcode="NXDOMAIN", note="a name of 255 octets")
    yield Query(name("192.0.2.1"), rcode="NXDOMAIN", note="an address asked as a name")
    yield Query(_example(b"query: x"), rcode="NXDOMAIN")
    yield Query(_example(b"A +E(0)K"), rcode="NXDOMAIN", note="looks like the flags of a query log")


def _outcomes() -> Iterator[Query]:
    yield Query(name("nothing.example.com"), rcode="NXDOMAIN")
    yield Query(name("nothing.example.com"), "AAAA", "NXDOMAIN")
    yield Query(name("www.example.org"), rcode="NXDOMAIN")
    yield Query(name("www.broken.example"), rcode="SERVFAIL", note="the zone's file is missing")
    yield Query(name("www.broken.example"), "AAAA", "SERVFAIL", client="127.0.0.12")
    yield Query(name("big.example.com"), "TXT", truncated=True, note="over 512 octets: truncated")
    yield Query(name("big.example.com"), "TXT", transport="tcp", note="its retry over TCP")
    yield Query(name("big.example.com"), "TXT", edns=4096, note="fits EDNS, fragments on a link of 1280")
    yield Query(name("retry.example.com"), sent=2, note="the same id and port again: a retransmission")
    yield Query(name("retry.example.com"), sent=3, client="127.0.0.12", note="twice retransmitted")


def _transports() -> Iterator[Query]:
    yield Query(name("www.example.com"), edns=1232)
    yield Query(name("www.example.com"), "AAAA", edns=1232, dnssec_ok=True)
    yield Query(name("mail.example.net"), edns=4096, dnssec_ok=True, checking_disabled=True, client="127.0.0.12")
    yield Query(name("mail.example.net"), recursion_desired=False, client="127.0.0.12")
    yield Query(name("mail.example.net"), transport="tcp", client="127.0.0.12")
    yield Query(name("mail.example.net"), "AAAA", transport="tcp", edns=1232, dnssec_ok=True, client="127.0.0.13")
    yield Query(name("www.example.com"), client="::1")
    yield Query(name("www.example.com"), "AAAA", client="::1", edns=1232)
    yield Query(name("Mail.Example.NET"), client="::1", transport="tcp")
    yield Query(name("nothing.example.net"), rcode="NXDOMAIN", client="::1", edns=1232, dnssec_ok=True)
    yield Query(name("mail.example.net"), client="fe80::53%lo", note="link-local: the log shows a scope")
    yield Query(name("mail.example.net"), "AAAA", client="fe80::53%lo", transport="tcp")
    yield Query(name("mail.example.net"), client="127.0.0.13")
    yield Query(name("mail.example.net"), client="127.0.0.13", note="asked again: from a cache where there is one")


QUERIES: tuple[Query, ...] = (*_types(), *_names(), *_outcomes(), *_transports())


def truth() -> list[dict[str, object]]:
    """Each query as a reader should find it."""
    return [_row(number, query) for number, query in enumerate(QUERIES)]


def _row(number: int, query: Query) -> dict[str, object]:
    return {
        "sequence": number,
        "id": FIRST_ID + number,
        "client": query.client,
        "client_port": FIRST_PORT + number,
        "ip_version": query.ip_version,
        "transport": query.transport,
        "name_wire_hex": wire_name(query.labels).hex(),
        "name": presentation(query.labels),
        "name_canonical": presentation(tuple(label.lower() for label in query.labels)),
        "type": query.type,
        "type_number": TYPES[query.type],
        "class": query.class_,
        "flags": {
            "RD": query.recursion_desired,
            "CD": query.checking_disabled,
            "EDNS": query.edns is not None,
            "UDP_size": query.edns,
            "DO": query.dnssec_ok,
        },
        "rcode": query.rcode,
        "truncated": query.truncated,
        "sent": query.sent,
        "note": query.note,
    }


def write_truth(path: Path) -> None:
    text = ",\n".join(json.dumps(row) for row in truth())
    path.write_text(f"[\n{text}\n]\n", encoding="utf-8")
