r"""Record data in presentation form, by the fields of each type; those that have or fit none, in the form of RFC 3597.

`FIELDS` gives a letter a field:

    1 2 4  numbers of so many octets    n  a name                     t  a type              d  a time (RFC 4034 §3.2)
    s      a character string           S  one or more, to the end    q  text to the end     g  a tag (RFC 8659)
    a A    an IPv4 or IPv6 address      h  hex to the end             b  base64 to the end   m  a bitmap of types
    x      a salt (RFC 5155)            H  a hash in base32hex        v  parameters (RFC 9460)

Names are in the form of tables. Data of a known type that do not fit its fields are written as `\# 3 00ff00`, as those
of unknown types are: so nothing is lost, and nothing is read into them.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
from typing import TYPE_CHECKING

from evidence.errors import MessageError
from evidence.reading.mnemonics import type_name
from evidence.wire.labels import read_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evidence.wire.labels import Known

IN = 1
FIELDS = {
    "A": "a", "NS": "n", "CNAME": "n", "SOA": "nn44444", "PTR": "n", "HINFO": "ss", "MX": "2n", "TXT": "S", "RP": "nn",
    "AFSDB": "2n", "AAAA": "A", "SRV": "222n", "NAPTR": "22sssn", "KX": "2n", "DNAME": "n", "DS": "211h",
    "SSHFP": "11h", "RRSIG": "t114dd2nb", "NSEC": "nm", "DNSKEY": "211b", "NSEC3": "112xHm", "NSEC3PARAM": "112x",
    "TLSA": "111h", "SMIMEA": "111h", "CDS": "211h", "CDNSKEY": "211b", "OPENPGPKEY": "b", "SVCB": "2nv",
    "HTTPS": "2nv", "SPF": "S", "URI": "22q", "CAA": "1gq",
}  # fmt: skip
_OF_THE_INTERNET = {"A", "AAAA"}  # their data mean something else in other classes
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_PARAMETERS = ("mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath")
_ESCAPES = {octet: f"\\{octet:03}" for octet in range(256) if not 0x20 <= octet <= 0x7E} | {
    0x22: '\\"', 0x5C: "\\\\"
}  # fmt: skip


def rdata_text(data: bytes, start: int, stop: int, kind: str, class_: int, known: Known | None = None) -> str:
    """The data of a record of type `kind` at `start` up to `stop` of a message; `known` are names in data before it."""
    fields = FIELDS.get(kind)
    if fields and (class_ == IN or kind not in _OF_THE_INTERNET):
        try:
            return _presentation(data, start, stop, fields, {} if known is None else known)
        except (MessageError, ValueError, IndexError):
            pass
    return rf"\# {stop - start} {data[start:stop].hex()}".rstrip()


def _presentation(data: bytes, at: int, stop: int, fields: str, known: Known) -> str:
    """Raises `MessageError`, `ValueError` or `IndexError` where the fields do not fill the data exactly.

    What is no name stands in the data alone: so no more than these is copied, however long the message is.
    """
    texts, own = [], data[at:stop]
    for field in fields:
        if field == "n":
            text, at = read_name(data, at, stop, known)
        else:
            text, end = _READ[field](own, len(own) - stop + at)
            at = stop - len(own) + end
        texts.append(text)
    if at != stop:
        raise MessageError("bad-rdata")
    return " ".join(filter(None, texts))


def _taken(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise MessageError("bad-rdata")
    return data[at : at + size]


def _number(size: int) -> Callable[[bytes, int], tuple[str, int]]:
    return lambda data, at: (str(int.from_bytes(_taken(data, at, size))), at + size)


def _address(size: int) -> Callable[[bytes, int], tuple[str, int]]:
    return lambda data, at: (str(ipaddress.ip_address(_taken(data, at, size))), at + size)


def _short(data: bytes, at: int) -> tuple[bytes, int]:
    """Octets with their number before them."""
    size = data[at]
    return _taken(data, at + 1, size), at + 1 + size


def _quoted(octets: bytes) -> str:
    return f'"{octets.decode("latin-1").translate(_ESCAPES)}"'


def _string(data: bytes, at: int) -> tuple[str, int]:
    octets, end = _short(data, at)
    return _quoted(octets), end


def _strings(data: bytes, at: int) -> tuple[str, int]:
    texts: list[str] = []
    while at < len(data) or not texts:
        text, at = _string(data, at)
        texts.append(text)
    return " ".join(texts), at


def _tag(data: bytes, at: int) -> tuple[str, int]:
    octets, end = _short(data, at)
    if not octets.isalnum():
        raise MessageError("bad-rdata")
    return octets.decode("ascii"), end


def _type(data: bytes, at: int) -> tuple[str, int]:
    return type_name(int.from_bytes(_taken(data, at, 2))), at + 2


def _time(data: bytes, at: int) -> tuple[str, int]:
    seconds = int.from_bytes(_taken(data, at, 4))
    return f"{_EPOCH + dt.timedelta(seconds=seconds):%Y%m%d%H%M%S}", at + 4


def _salt(data: bytes, at: int) -> tuple[str, int]:
    octets, end = _short(data, at)
    return octets.hex() or "-", end


def _hash(data: bytes, at: int) -> tuple[str, int]:
    octets, end = _short(data, at)
    return base64.b32hexencode(octets).decode().rstrip("=").lower(), end


def _bitmap(data: bytes, at: int) -> tuple[str, int]:
    """RFC 4034 §4.1.2."""
    types: list[str] = []
    last = -1
    while at < len(data):
        window, (octets, end) = data[at], _short(data, at + 1)
        if window <= last or not 0 < len(octets) <= 32:
            raise MessageError("bad-rdata")
        types += [
            type_name(window * 256 + place * 8 + bit)
            for place, octet in enumerate(octets)
            for bit in range(8)
            if octet & 0x80 >> bit
        ]
        at, last = end, window
    return " ".join(types), at


def _parameters(data: bytes, at: int) -> tuple[str, int]:
    """RFC 9460 §2.1 and §2.2; keys ascend."""
    texts: list[str] = []
    last = -1
    while at < len(data):
        key, size = int.from_bytes(_taken(data, at, 2)), int.from_bytes(_taken(data, at + 2, 2))
        if key <= last:
            raise MessageError("bad-rdata")
        value = _parameter(key, _taken(data, at + 4, size))
        texts.append(f"{_key(key)}={value}" if value else _key(key))
        at, last = at + 4 + size, key
    return " ".join(texts), at


def _key(number: int) -> str:
    return _PARAMETERS[number] if number < len(_PARAMETERS) else f"key{number}"


def _parameter(key: int, value: bytes) -> str:
    """The value of a parameter; empty for one that has none."""
    if not value and key not in _WITHOUT_VALUE and key < len(_PARAMETERS):
        raise MessageError("bad-rdata")
    return _VALUES.get(key, _any_value)(value)


def _any_value(value: bytes) -> str:
    return _quoted(value) if value else ""


def _keys(value: bytes) -> str:
    return ",".join(_key(int.from_bytes(part)) for part in _pieces(value, 2))


def _alpn(value: bytes) -> str:
    return _quoted(b",".join(part.replace(b"\\", rb"\\").replace(b",", rb"\,") for part in _protocols(value)))


def _nothing(value: bytes) -> str:
    if value:
        raise MessageError("bad-rdata")
    return ""


def _addresses(size: int) -> Callable[[bytes], str]:
    return lambda value: ",".join(str(ipaddress.ip_address(part)) for part in _pieces(value, size))


def _pieces(value: bytes, size: int, of: int = 0) -> Iterator[bytes]:
    if len(value) % size or (of and len(value) != of):
        raise MessageError("bad-rdata")
    return (value[at : at + size] for at in range(0, len(value), size))


def _protocols(value: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(value):
        octets, at = _short(value, at)
        yield octets


_WITHOUT_VALUE = {2, 5, 7}
_VALUES: dict[int, Callable[[bytes], str]] = {
    0: _keys, 1: _alpn, 2: _nothing, 3: lambda value: str(int.from_bytes(next(_pieces(value, 2, of=2)))),
    4: _addresses(4), 5: lambda value: base64.b64encode(value).decode(), 6: _addresses(16), 7: _quoted,
}  # fmt: skip
_READ: dict[str, Callable[[bytes, int], tuple[str, int]]] = {
    "1": _number(1), "2": _number(2), "4": _number(4), "t": _type, "d": _time, "s": _string,
    "S": _strings, "g": _tag, "a": _address(4), "A": _address(16), "m": _bitmap, "x": _salt, "H": _hash,
    "v": _parameters,
    "q": lambda data, at: (_quoted(data[at:]), len(data)),
    "h": lambda data, at: (data[at:].hex(), len(data)),
    "b": lambda data, at: (base64.b64encode(data[at:]).decode(), len(data)),
}  # fmt: skip
