"""From a captured packet to the octets that UDP or TCP carry: link layers, VLAN tags, IPv4, IPv6 and its extensions.

What is no DNS is skipped by a rule that has a name; what could be DNS and cannot be read is a reject. Checksums are not
looked at: captures of a machine's own packets seldom have good ones.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT, SKIP
from evidence.wire.octets import layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.format import NoRow

    type End = tuple[str, int]
    type Inner = tuple[int, int]
    """EtherType, and where the packet of that type begins."""

DNS, ENCRYPTED = 53, 853
"""Ports: RFC 1035 §4.2; RFC 7858 and RFC 9250."""
ETHERNET, COOKED, COOKED_2 = 1, 113, 276
IPV4, IPV6 = 0x0800, 0x86DD
TCP, UDP = 6, 17
VLAN_TAGS = {0x8100, 0x88A8, 0x9100}
_NO_TYPE = 0
FRAGMENT, _AUTHENTICATION = 44, 51
EXTENSIONS = {0, 43, 60, 135, 139, 140, _AUTHENTICATION}
"""RFC 8200 §4, RFC 7045 §4: each says how long it is and what follows."""
_FAMILIES = {2: IPV4, 10: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}
"""AF_INET and AF_INET6 as Linux, NetBSD, FreeBSD and macOS number them."""
SYN, FIN, RST, ACK = 0x02, 0x01, 0x04, 0x10
DIRECTION = layout(
    41, place=(0, "<u4"), is_six=(4, "u1"), source=(5, "(16,)u1"), target=(21, "(16,)u1"), port=(37, "<u2"),
    target_port=(39, "<u2"),
)  # fmt: skip
"""Addresses of four octets have zeros behind them."""
_DIRECTION = struct.Struct("<I?16s16sHH")
_TCP_HEADER = struct.Struct(">HHIIBB")
NOT_IP, SNAPPED, TRUNCATED = (SKIP, "not-ip"), (REJECT, "snapped"), (REJECT, "truncated-packet")


@dataclass(frozen=True, slots=True)
class Datagram:
    """The octets that a UDP datagram carries."""

    source: str
    port: int
    target: str
    target_port: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Segment(Datagram):
    """A TCP segment: `sequence` is the number of its first octet."""

    sequence: int
    acknowledged: int
    flags: int


def read_packet(link: int, data: bytes, *, is_whole: bool) -> Datagram | Segment | NoRow:
    """What a packet carries on port 53, or why nothing was taken from it (kind and reason).

    `link` is its link type (https://www.tcpdump.org/linktypes.html); `is_whole` is false if it was cut when captured.
    """
    strip = LINKS.get(link)
    if strip is None:
        return REJECT, "unknown-link"
    short = TRUNCATED if is_whole else SNAPPED
    inner = strip(data)
    if inner is None:
        return short
    kind, at = inner
    if kind == IPV4:
        return _ipv4(data, at, short)
    return _ipv6(data, at, short) if kind == IPV6 else NOT_IP


def _ether_type(data: bytes, at: int) -> Inner | None:
    """Past the VLAN tags (IEEE 802.1Q, 802.1ad) that stand at `at`; None if the packet ends there."""
    while at + 2 <= len(data):
        kind = int.from_bytes(data[at : at + 2])
        if kind not in VLAN_TAGS:
            return kind, at + 2
        at += 4
    return None


def _null(data: bytes) -> Inner | None:
    """BSD loopback: an address family in the byte order of the machine that captured."""
    if len(data) < 4:
        return None
    families = (int.from_bytes(data[:4], "little"), int.from_bytes(data[:4], "big"))
    return next((_FAMILIES[family] for family in families if family in _FAMILIES), _NO_TYPE), 4


def _raw(data: bytes) -> Inner | None:
    return {4: IPV4, 6: IPV6}.get(data[0] >> 4, _NO_TYPE) if data else IPV4, 0


def _cooked_2(data: bytes) -> Inner | None:
    kind = int.from_bytes(data[:2])
    return _ether_type(data, 22) if kind in VLAN_TAGS else (kind, 20)


LINKS: dict[int, Callable[[bytes], Inner | None]] = {
    0: _null,
    ETHERNET: lambda data: _ether_type(data, 12),
    12: _raw,
    14: _raw,
    101: _raw,
    108: _null,
    COOKED: lambda data: _ether_type(data, 14),
    228: lambda _: (IPV4, 0),
    229: lambda _: (IPV6, 0),
    COOKED_2: _cooked_2,
}


def _ipv4(data: bytes, at: int, short: NoRow) -> Datagram | Segment | NoRow:
    """RFC 791. A total length of 0 is what offloading leaves: the packet then goes to its end."""
    if len(data) < at + 20:
        return short
    header, total = (data[at] & 15) * 4, int.from_bytes(data[at + 2 : at + 4]) or len(data) - at
    if data[at] >> 4 != 4 or header < 20 or total < header:
        return REJECT, "bad-ip-header"
    fragment = int.from_bytes(data[at + 6 : at + 8])
    if fragment & 0x3FFF:
        return REJECT, "ip-fragment"
    source, target = data[at + 12 : at + 16], data[at + 16 : at + 20]
    return _transport(data, at + header, at + total, data[at + 9], source, target, short)


def _ipv6(data: bytes, at: int, short: NoRow) -> Datagram | Segment | NoRow:
    """RFC 8200; a fragment that is the whole packet (RFC 6946) is none."""
    if len(data) < at + 40:
        return short
    if data[at] >> 4 != 6:
        return REJECT, "bad-ip-header"
    length = int.from_bytes(data[at + 4 : at + 6])
    stop = at + 40 + length if length else len(data)
    source, target = data[at + 8 : at + 24], data[at + 24 : at + 40]
    following, at = data[at + 6], at + 40
    while following in EXTENSIONS or following == FRAGMENT:
        if len(data) < at + 8:
            return short
        if following == FRAGMENT and int.from_bytes(data[at + 2 : at + 4]) & 0xFFF9:
            return REJECT, "ip-fragment"
        size = 8 if following == FRAGMENT else _extension_size(following, data[at + 1])
        following, at = data[at], at + size
    return _transport(data, at, stop, following, source, target, short)


def _extension_size(kind: int, written: int) -> int:
    return (written + 2) * 4 if kind == _AUTHENTICATION else (written + 1) * 8


def _transport(
    data: bytes, at: int, stop: int, protocol: int, source: bytes, target: bytes, short: NoRow
) -> Datagram | Segment | NoRow:
    """UDP (RFC 768) or TCP (RFC 9293) from `at`; the packet says that it goes up to `stop`."""
    if protocol not in (TCP, UDP):
        return SKIP, "other-protocol"
    header = 8 if protocol == UDP else 20
    if stop - at < header:
        return REJECT, "bad-ip-header"
    if len(data) < at + header:
        return short
    ports = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 4])
    if DNS not in ports and ENCRYPTED not in ports:
        return SKIP, "other-port"
    read = _udp if protocol == UDP else _tcp
    found = read(data, at, stop, (address(source), ports[0], address(target), ports[1]), short)
    if isinstance(found, tuple) or DNS in ports:
        return found
    return (REJECT, "encrypted") if found.data else (SKIP, "tcp-control")


def _udp(data: bytes, at: int, stop: int, ends: tuple[str, int, str, int], short: NoRow) -> Datagram | NoRow:
    length = int.from_bytes(data[at + 4 : at + 6])
    if not 8 <= length <= stop - at:
        return REJECT, "bad-udp-length"
    return Datagram(*ends, data[at + 8 : at + length]) if at + length <= len(data) else short


def _tcp(data: bytes, at: int, stop: int, ends: tuple[str, int, str, int], short: NoRow) -> Segment | NoRow:
    *_, sequence, acknowledged, offset, flags = _TCP_HEADER.unpack_from(data, at)
    begin = at + (offset >> 4) * 4
    if not at + 20 <= begin <= stop:
        return REJECT, "bad-tcp-header"
    if begin < stop and stop > len(data):
        return short
    return Segment(*ends, data[begin:stop], sequence, acknowledged, flags)


@lru_cache(maxsize=1 << 16)
def address(octets: bytes) -> str:
    """An IPv4 or IPv6 address (RFC 5952)."""
    return str(ipaddress.ip_address(octets))


def direction(place: int, source: End, target: End) -> bytes:
    """One direction of a connection on the interface of that number, in the layout of `DIRECTION`."""
    (host, port), (other, other_port) = source, target
    return _DIRECTION.pack(place, ":" in host, _octets(host), _octets(other), port, other_port)


@lru_cache(maxsize=1 << 16)
def _octets(text: str) -> bytes:
    return ipaddress.ip_address(text).packed
