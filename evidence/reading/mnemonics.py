"""Words of the DNS for the numbers that some logs write: types, classes, response codes, transports.

IANA, Domain Name System (DNS) Parameters. Of a number without a word RFC 3597 §5 makes one: `TYPE65280`, `CLASS32`.
"""

from __future__ import annotations

import re

TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 17: "RP",
    18: "AFSDB", 24: "SIG", 25: "KEY", 28: "AAAA", 29: "LOC", 33: "SRV", 35: "NAPTR", 36: "KX", 37: "CERT", 38: "A6",
    39: "DNAME", 41: "OPT", 42: "APL", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY",
    49: "DHCID", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP", 59: "CDS", 60: "CDNSKEY",
    61: "OPENPGPKEY", 62: "CSYNC", 63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 99: "SPF", 108: "EUI48", 109: "EUI64",
    249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 253: "MAILB", 254: "MAILA", 255: "ANY", 256: "URI", 257: "CAA",
    32768: "TA", 32769: "DLV",
}  # fmt: skip
CLASSES = {1: "IN", 3: "CH", 4: "HS", 254: "NONE", 255: "ANY"}
RCODES = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET",
    8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 16: "BADVERS", 17: "BADKEY", 18: "BADTIME", 19: "BADMODE",
    20: "BADNAME", 21: "BADALG", 22: "BADTRUNC", 23: "BADCOOKIE",
}  # fmt: skip
_WORD = re.compile(r"[A-Z][A-Z0-9-]{0,31}", re.ASCII)


def type_name(number: int) -> str:
    return TYPES.get(number) or f"TYPE{number}"


def class_name(number: int) -> str:
    return CLASSES.get(number) or f"CLASS{number}"


def rcode_name(number: int) -> str:
    return RCODES.get(number) or f"RCODE{number}"


def word(written: str) -> str | None:
    """A type, class or response code as a log writes it, in capitals; None if it can be none."""
    capitals = written.upper()
    return capitals if written.isascii() and _WORD.fullmatch(capitals) else None
