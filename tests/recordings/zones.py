"""Authoritative data for the queries: a root of its own, so that nothing is ever asked outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.recordings.traffic import LONG_LABEL

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """$TTL 300
@ IN SOA ns.example.com. hostmaster.example.com. 1 7200 3600 1209600 300
@ IN NS ns.example.com.
"""

EXAMPLE_COM = rf"""
@ MX 10 mail.example.net.
@ MX 20 backup.example.com.
@ TXT "v=spf1 -all" "two strings" "semi;colon and \"quotes\"" "octets \195\188\255"
@ CAA 0 issue "ca.example.net"
ns A 127.0.0.2
www A 192.0.2.1
www A 192.0.2.2
www AAAA 2001:db8::1
www HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1
_dns SVCB 1 www alpn=dot port=853
_sip._tcp SRV 10 60 5060 www
e164 NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .
private TYPE65280 \# 4 0A000001
alias CNAME www
one.alias CNAME alias
*.wild A 192.0.2.7
retry A 192.0.2.8
a\.b A 192.0.2.20
x\032y A 192.0.2.21
semi\;colon A 192.0.2.22
back\\slash A 192.0.2.23
quo\"te A 192.0.2.24
at\@dollar\$ A 192.0.2.25
\(brackets\) A 192.0.2.26
comma\044tab\009here A 192.0.2.27
new\010line A 192.0.2.28
nul\000octet A 192.0.2.29
m\195\188nchen A 192.0.2.30
\255\254 A 192.0.2.31
xn--mnchen-3ya A 192.0.2.32
xn--bcher-kva AAAA 2001:db8::33
under_score A 192.0.2.34
-hyphen- A 192.0.2.35
{LONG_LABEL.decode()} A 192.0.2.36
"""

EXAMPLE_NET = """
mail A 192.0.2.10
mail AAAA 2001:db8::10
"""

REVERSE_4 = "1 PTR www.example.com.\n"
REVERSE_6 = "1." + "0." * 22 + "0 PTR www.example.com.\n"


def _big() -> str:
    """Twelve strings of 200 octets: too long for plain UDP, for one Ethernet frame, and not for EDNS with 4096."""
    return "".join(f'big TXT "{index:02d} {"x" * 197}"\n' for index in range(12))


ZONES = {
    ".": HEAD + "com. NS ns.example.com.\n",
    "example.com": HEAD + EXAMPLE_COM + _big(),
    "example.net": HEAD + EXAMPLE_NET,
    "2.0.192.in-addr.arpa": HEAD + REVERSE_4,
    "8.b.d.0.1.0.0.2.ip6.arpa": HEAD + REVERSE_6,
}
BROKEN = "broken.example"


def write_zones(folder: Path) -> None:
    for zone, text in ZONES.items():
        file_of(folder, zone).write_text(text, encoding="ascii")


def file_of(folder: Path, zone: str) -> Path:
    return folder / f"{'root' if zone == '.' else zone}.zone"


def bind_zones(folder: Path) -> str:
    """The `zone` statements of named.conf; the broken zone names a file that is not there, and answers SERVFAIL."""
    names = [*ZONES, BROKEN]
    return "".join(f'zone "{zone}" {{ type primary; file "{file_of(folder, zone)}"; }};\n' for zone in names)
