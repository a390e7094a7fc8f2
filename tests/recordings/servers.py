"""Each server that is recorded: all listen on 127.0.0.53, ::1 and fe80::53%lo, port 53, in a network of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.recordings import authorities, resolvers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Server:
    """`prepare` writes the settings into a fresh folder and hands back the command; `keep` maps files there to ours.

    `captures` are files for `pcap/` with the options of tcpdump; a server of another Debian suite runs in that system.
    """

    prepare: Callable[[Path], list[str]]
    keep: dict[str, str]
    upstream: bool = True
    captures: dict[str, list[str]] = field(default_factory=dict)
    syslog: bool = False
    dnstap_socket: bool = False
    suite: str = ""
    environment: dict[str, str] = field(default_factory=lambda: {"TZ": "UTC"})


# Captures of the same packets, in the three link types that Linux writes for loopback.
CAPTURES = {
    "ethernet.pcap": ["-i", "lo"],
    "ethernet-nanoseconds.pcap": ["-i", "lo", "--time-stamp-precision=nano"],
    "linux-cooked-v1.pcap": ["-i", "any", "-y", "LINUX_SLL"],
    "linux-cooked-v2.pcap": ["-i", "any", "-y", "LINUX_SLL2"],
}

SERVERS = {
    "bind": Server(
        authorities.bind,
        {**{f: f"bind/{f}" for f in (*authorities.BIND_CHANNELS, "query-and-errors.log", "bind.dnstap")}},
        upstream=False, captures=CAPTURES, syslog=True,
    ),
    "bind-views": Server(
        authorities.bind_views,
        {f: f"bind/{f}" for f in ("query-views.log", "query-views-category-severity.log", "query-views-iso8601.log",
                                  "bind-recursive.dnstap")},
        environment={"TZ": "America/New_York"},
    ),
    "unbound": Server(resolvers.unbound, {"unbound.log": "unbound/unbound.log", "tap": "unbound/unbound.dnstap"},
                      dnstap_socket=True),
    "unbound-ascii": Server(resolvers.unbound_ascii, {"unbound.log": "unbound/unbound-time-ascii.log"}),
    "unbound-replies": Server(resolvers.unbound_replies, {"unbound.log": "unbound/unbound-replies.log"}),
    "dnsmasq": Server(resolvers.dnsmasq, {"dnsmasq.log": "dnsmasq/dnsmasq.log"}),
    "dnsmasq-extra": Server(resolvers.dnsmasq_extra, {"dnsmasq.log": "dnsmasq/dnsmasq-extra.log"}),
    "recursor": Server(resolvers.recursor, {"stderr": "powerdns/recursor.log"}),
    "recursor-classic": Server(resolvers.recursor_classic, {"stderr": "powerdns/recursor-unstructured.log"}),
    "dnsdist": Server(
        resolvers.dnsdist,
        {"log-action.log": "dnsdist/log-action.log", "log-action-no-time.log": "dnsdist/log-action-no-time.log",
         "log-response.log": "dnsdist/log-response-action.log", "stdout": "dnsdist/verbose.log",
         "tap": "dnsdist/dnsdist.dnstap"},
        dnstap_socket=True,
    ),
    "bind-9.20": Server(authorities.bind_20, {file: f"bind/{file}" for file in authorities.BIND_20_CHANNELS}, upstream=False, suite="trixie",
                        environment={"TZ": "America/New_York"}),
    "unbound-iso": Server(resolvers.unbound_iso, {"unbound.log": "unbound/unbound-1.26-time-iso.log"}, suite="trixie"),
    "dnsmasq-proto": Server(resolvers.dnsmasq_proto, {"dnsmasq.log": "dnsmasq/dnsmasq-2.91-proto.log"}, suite="trixie"),
    "recursor-5": Server(resolvers.recursor_5, {"stderr": "powerdns/recursor-5.2.log"}, suite="trixie"),
    "recursor-json": Server(resolvers.recursor_json, {"stderr": "powerdns/recursor-5.2-json.log"}, suite="trixie"),
    "kresd": Server(resolvers.kresd, {"stdout": "knot/kresd-reqtrace.log", "tap": "knot/kresd.dnstap"}, dnstap_socket=True),
    "knotd": Server(authorities.knotd, {"knot.dnstap": "knot/knotd.dnstap"}, upstream=False,
                    captures={"knotd-linux-cooked-v2.pcap": ["-i", "any", "-y", "LINUX_SLL2"]}),
}  # fmt: skip
