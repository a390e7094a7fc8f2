"""How each server is set up: every one listens on 127.0.0.53, ::1 and fe80::53%lo, port 53, in a network of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.recordings.zones import BROKEN, ZONES, bind_zones, file_of, write_zones

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UPSTREAM = ("127.0.0.2", 5353)


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


def upstream(folder: Path) -> list[str]:
    """A silent BIND that holds the zones, on another port, so that no capture of port 53 sees it."""
    write_zones(folder)
    text = f"""
options {{
  directory "{folder}"; pid-file none; session-keyfile none; lock-file none; recursion no; empty-zones-enable no;
  listen-on port 5353 {{ 127.0.0.2; }}; listen-on-v6 {{ none; }}; notify no; dnssec-validation no;
  max-udp-size 4096; nocookie-udp-size 4096; check-names primary ignore;
}};
controls {{ }};
{bind_zones(folder)}"""
    (folder / "upstream.conf").write_text(text)
    return ["/usr/sbin/named", "-g", "-n", "1", "-c", str(folder / "upstream.conf")]


BIND_CHANNELS = {
    "query.log": "print-time yes; print-category no; print-severity no;",
    "query-category-severity.log": "print-time yes; print-category yes; print-severity yes;",
    "query-iso8601.log": "print-time iso8601; print-category no; print-severity no;",
    "query-iso8601-utc.log": "print-time iso8601-utc; print-category yes; print-severity yes;",
    "query-no-time.log": "print-time no; print-category no; print-severity no;",
    "query-no-time-category.log": "print-time no; print-category yes; print-severity yes;",
}


def _channels(folder: Path, settings: dict[str, str]) -> str:
    return "".join(
        f'channel c{n} {{ file "{folder / file}"; severity debug 1; {text} }};\n'
        for n, (file, text) in enumerate(settings.items())
    )


def _bind(folder: Path, options: str, logging: str, rest: str) -> list[str]:
    write_zones(folder)
    (folder / "named.conf").write_text(f"""
options {{
  directory "{folder}"; pid-file none; session-keyfile none; empty-zones-enable no; notify no;
  listen-on port 53 {{ 127.0.0.53; }}; listen-on-v6 port 53 {{ ::1; fe80::53; }}; dnssec-validation no;
  querylog yes; max-udp-size 4096; edns-udp-size 4096; nocookie-udp-size 4096; check-names primary ignore;
  {options}
}};
controls {{ }};
logging {{ category default {{ default_stderr; }}; {logging} }};
{rest}""")
    return ["/usr/sbin/named", "-f", "-n", "1", "-c", str(folder / "named.conf")]


def bind(folder: Path) -> list[str]:
    """Authoritative, one view: every variant of the query log at once, so that they are of the very same queries."""
    names = "; ".join(f"c{n}" for n in range(len(BIND_CHANNELS)))
    logging = (
        _channels(folder, BIND_CHANNELS)
        + f'channel errors {{ file "{folder / "query-and-errors.log"}"; severity debug 1; print-time yes; '
        "print-category yes; print-severity yes; };\n"
        "channel sys { syslog local3; severity info; };\n"
        f"category queries {{ {names}; errors; sys; }};\ncategory query-errors {{ errors; }};\n"
    )
    options = f'lock-file none; recursion no; dnstap {{ all; }}; dnstap-output file "{folder / "bind.dnstap"}"; '
    options += 'dnstap-identity "ns1"; dnstap-version "BIND";'
    return _bind(folder, options, logging, bind_zones(folder))


BIND_20_CHANNELS = {
    "query-9.20.log": "print-time yes; print-category yes; print-severity yes;",
    "responses-9.20.log": "print-time iso8601; print-category no; print-severity no;",
    "query-and-responses-9.20.log": "print-time iso8601-utc; print-category yes; print-severity yes;",
}


def bind_20(folder: Path) -> list[str]:
    """BIND 9.20, which can log responses too, alone or among the queries."""
    logging = _channels(folder, BIND_20_CHANNELS) + "category queries { c0; c2; };\ncategory responses { c1; c2; };\n"
    return _bind(folder, "recursion no; responselog yes;", logging, bind_zones(folder))


def bind_views(folder: Path) -> list[str]:
    """Views with hyphens in their names, one of them recursive; local time without its zone."""
    settings = {
        "query-views.log": "print-time yes; print-category no; print-severity no;",
        "query-views-category-severity.log": "print-time yes; print-category yes; print-severity yes;",
        "query-views-iso8601.log": "print-time iso8601; print-category yes; print-severity yes;",
    }
    logging = _channels(folder, settings) + "category queries { c0; c1; c2; };\ncategory query-errors { c1; };\n"
    options = f'lock-file none; dnstap {{ all; }}; dnstap-output file "{folder / "bind-recursive.dnstap"}"; '
    options += 'dnstap-identity "ns1"; dnstap-version "BIND";'
    views = f"""
view "external-v6" {{ match-clients {{ ::/0; }}; recursion no;
{bind_zones(folder)} }};
view "trusted_12" {{ match-clients {{ 127.0.0.12; }}; recursion no;
{bind_zones(folder)} }};
view "internal-lan" {{ match-clients {{ any; }}; recursion yes; allow-recursion {{ any; }};
forward only; forwarders {{ {UPSTREAM[0]} port {UPSTREAM[1]}; }}; }};
"""
    return _bind(folder, options, logging, views)


def _unbound(folder: Path, settings: str, rest: str = "") -> list[str]:
    (folder / "unbound.conf").write_text(f"""
server:
  interface: 127.0.0.53
  interface: ::1
  interface: fe80::53%lo
  access-control: 127.0.0.0/8 allow_snoop
  access-control: ::/0 allow_snoop
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  logfile: "{folder / "unbound.log"}"
  num-threads: 1
  module-config: "iterator"
  do-not-query-localhost: no
  hide-version: yes
  max-udp-size: 4096
  edns-buffer-size: 4096
  local-zone: "2.0.192.in-addr.arpa." nodefault
  local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." nodefault
{settings}
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: {UPSTREAM[0]}@{UPSTREAM[1]}
{rest}""")
    return ["/usr/sbin/unbound", "-d", "-c", str(folder / "unbound.conf")]


def unbound(folder: Path) -> list[str]:
    """Epoch times; queries and replies; dnstap of clients, forwarder and resolver messages."""
    rest = f"""dnstap:
  dnstap-enable: yes
  dnstap-bidirectional: yes
  dnstap-socket-path: "{folder / "dnstap.sock"}"
  dnstap-send-identity: yes
  dnstap-send-version: yes
  dnstap-identity: "resolver1"
  dnstap-log-client-query-messages: yes
  dnstap-log-client-response-messages: yes
  dnstap-log-forwarder-query-messages: yes
  dnstap-log-forwarder-response-messages: yes
"""
    return _unbound(folder, "  log-queries: yes\n  log-replies: yes\n", rest)


def unbound_ascii(folder: Path) -> list[str]:
    """Syslog's form of the time, tags to tell queries from replies, and the destination of SERVFAIL's explanations."""
    settings = "  log-queries: yes\n  log-replies: yes\n  log-time-ascii: yes\n  log-tag-queryreply: yes\n"
    return _unbound(folder, settings + "  log-servfail: yes\n  log-local-actions: yes\n")


def unbound_replies(folder: Path) -> list[str]:
    """Replies only."""
    return _unbound(folder, "  log-replies: yes\n")


def unbound_iso(folder: Path) -> list[str]:
    """Unbound 1.26: ISO 8601 times with their offset, tags, the address that was asked."""
    settings = "  log-queries: yes\n  log-replies: yes\n  log-time-iso: yes\n  log-tag-queryreply: yes\n"
    return _unbound(folder, settings + "  log-destaddr: yes\n  log-time-ascii: yes\n")


def _dnsmasq(folder: Path, queries: str) -> list[str]:
    (folder / "dnsmasq.conf").write_text(f"""
no-resolv
no-hosts
no-poll
server={UPSTREAM[0]}#{UPSTREAM[1]}
interface=lo
bind-interfaces
user=root
group=root
pid-file
cache-size=500
edns-packet-max=4096
{queries}
log-facility={folder / "dnsmasq.log"}
address=/blocked.example.org/#
""")
    return ["/usr/sbin/dnsmasq", "-k", "-C", str(folder / "dnsmasq.conf")]


def dnsmasq(folder: Path) -> list[str]:
    return _dnsmasq(folder, "log-queries")


def dnsmasq_extra(folder: Path) -> list[str]:
    return _dnsmasq(folder, "log-queries=extra")


def dnsmasq_proto(folder: Path) -> list[str]:
    """Version 2.91 says the transport too."""
    return _dnsmasq(folder, "log-queries=proto")


def _recursor(folder: Path, *settings: str) -> list[str]:
    (folder / "recursor.conf").write_text("")
    listen = "127.0.0.53:53,[::1]:53,[fe80::53%lo]:53"
    return [
        "/usr/sbin/pdns_recursor", f"--config-dir={folder}", f"--socket-dir={folder}", "--daemon=no",
        "--disable-syslog=yes", "--threads=1", "--pdns-distributes-queries=no", "--reuseport=no",
        f"--local-address={listen}", "--allow-from=127.0.0.0/8,::/0", "--dnssec=off", "--security-poll-suffix=",
        f"--forward-zones-recurse=.={UPSTREAM[0]}:{UPSTREAM[1]}", "--dont-query=", "--root-nx-trust=no", "--hint-file=no",
        "--udp-truncation-threshold=4096", "--edns-outgoing-bufsize=4096", "--qname-minimization=no", *settings,
    ]  # fmt: skip


def recursor(folder: Path) -> list[str]:
    return _recursor(folder, "--quiet=no", "--loglevel=6", "--log-timestamp=yes")


def recursor_classic(folder: Path) -> list[str]:
    """The text form that versions before 4.8 wrote."""
    return _recursor(folder, "--quiet=no", "--loglevel=6", "--structured-logging=no")


def recursor_json(folder: Path) -> list[str]:
    """Version 5.2: the structured log as JSON."""
    return _recursor(
        folder,
        "--enable-old-settings",
        "--serve-rfc6303=no",
        "--quiet=no",
        "--loglevel=6",
        "--structured-logging-backend=json",
    )


def recursor_5(folder: Path) -> list[str]:
    """Version 5.2: the structured log in its usual form."""
    return _recursor(folder, "--enable-old-settings", "--serve-rfc6303=no", "--quiet=no", "--loglevel=6")


def dnsdist(folder: Path) -> list[str]:
    """Text of LogAction and LogResponseAction with times, the verbose log, and dnstap of clients."""
    (folder / "dnsdist.conf").write_text(f"""
setSecurityPollSuffix("")
setACL({{"127.0.0.0/8", "::/0"}})
setLocal("127.0.0.53:53")
addLocal("[::1]:53")
addLocal("[fe80::53%lo]:53")
newServer({{address="{UPSTREAM[0]}:{UPSTREAM[1]}", healthCheckMode="up"}})
tap = newFrameStreamUnixLogger("{folder / "dnstap.sock"}")
addAction(AllRule(), LogAction("{folder / "log-action.log"}", false, true, false, false, true))
addAction(AllRule(), LogAction("{folder / "log-action-no-time.log"}", false, true, false, false, false))
addAction(AllRule(), DnstapLogAction("dnsdist1", tap))
addResponseAction(AllRule(), LogResponseAction("{folder / "log-response.log"}", true, false, false, true))
addResponseAction(AllRule(), DnstapLogResponseAction("dnsdist1", tap))
""")
    return ["/usr/bin/dnsdist", "--supervised", "--disable-syslog", "-v", "-C", str(folder / "dnsdist.conf")]


def kresd(folder: Path) -> list[str]:
    """Knot Resolver has no query log: its request trace is what people keep, and dnstap."""
    (folder / "kresd.conf").write_text(f"""
net.listen("127.0.0.53", 53)
net.listen("::1", 53)
net.listen("fe80::53%lo", 53)
cache.open(10 * MB, "lmdb://{folder / "cache"}")
net.bufsize(4096)
trust_anchors.remove(".")
modules = {{ dnstap = {{ socket_path = "{folder / "dnstap.sock"}", identity = "kresd1", version = "Knot Resolver",
  client = {{ log_queries = true, log_responses = true }} }} }}
modules.unload("ta_update")
modules.unload("priming")
policy.add(policy.all(policy.REQTRACE))
policy.add(policy.all(policy.STUB("{UPSTREAM[0]}@{UPSTREAM[1]}")))
log_target("stdout")
""")
    return ["/usr/sbin/kresd", "-n", "-c", str(folder / "kresd.conf"), str(folder)]


def knotd(folder: Path) -> list[str]:
    """Knot DNS, authoritative: dnstap straight into a file."""
    write_zones(folder)
    zones = "".join(f'  - domain: "{zone}"\n    file: "{file_of(folder, zone)}"\n' for zone in (*ZONES, BROKEN))
    (folder / "knot.conf").write_text(f"""
server:
  rundir: "{folder}"
  listen: [ 127.0.0.53@53, "::@53" ]
  identity: "knot1"
  version: "Knot DNS"
  udp-max-payload: 4096
  udp-workers: 1
  tcp-workers: 1
database:
  storage: "{folder}"
mod-dnstap:
  - id: all
    sink: "{folder / "knot.dnstap"}"
    log-queries: on
    log-responses: on
    identity: "knot1"
    version: "Knot DNS"
template:
  - id: default
    storage: "{folder}"
    zonefile-sync: -1
    global-module: mod-dnstap/all
zone:
{zones}""")
    return ["/usr/sbin/knotd", "-c", str(folder / "knot.conf")]


# Captures of the same packets, in the three link types that Linux writes for loopback.
CAPTURES = {
    "ethernet.pcap": ["-i", "lo"],
    "ethernet-nanoseconds.pcap": ["-i", "lo", "--time-stamp-precision=nano"],
    "linux-cooked-v1.pcap": ["-i", "any", "-y", "LINUX_SLL"],
    "linux-cooked-v2.pcap": ["-i", "any", "-y", "LINUX_SLL2"],
}

SERVERS = {
    "bind": Server(
        bind,
        {**{f: f"bind/{f}" for f in (*BIND_CHANNELS, "query-and-errors.log", "bind.dnstap")}},
        upstream=False, captures=CAPTURES, syslog=True,
    ),
    "bind-views": Server(
        bind_views,
        {f: f"bind/{f}" for f in ("query-views.log", "query-views-category-severity.log", "query-views-iso8601.log",
                                  "bind-recursive.dnstap")},
        environment={"TZ": "America/New_York"},
    ),
    "unbound": Server(unbound, {"unbound.log": "unbound/unbound.log", "tap": "unbound/unbound.dnstap"},
                      dnstap_socket=True),
    "unbound-ascii": Server(unbound_ascii, {"unbound.log": "unbound/unbound-time-ascii.log"}),
    "unbound-replies": Server(unbound_replies, {"unbound.log": "unbound/unbound-replies.log"}),
    "dnsmasq": Server(dnsmasq, {"dnsmasq.log": "dnsmasq/dnsmasq.log"}),
    "dnsmasq-extra": Server(dnsmasq_extra, {"dnsmasq.log": "dnsmasq/dnsmasq-extra.log"}),
    "recursor": Server(recursor, {"stderr": "powerdns/recursor.log"}),
    "recursor-classic": Server(recursor_classic, {"stderr": "powerdns/recursor-unstructured.log"}),
    "dnsdist": Server(
        dnsdist,
        {"log-action.log": "dnsdist/log-action.log", "log-action-no-time.log": "dnsdist/log-action-no-time.log",
         "log-response.log": "dnsdist/log-response-action.log", "stdout": "dnsdist/verbose.log",
         "tap": "dnsdist/dnsdist.dnstap"},
        dnstap_socket=True,
    ),
    "bind-9.20": Server(bind_20, {file: f"bind/{file}" for file in BIND_20_CHANNELS}, upstream=False, suite="trixie",
                        environment={"TZ": "America/New_York"}),
    "unbound-iso": Server(unbound_iso, {"unbound.log": "unbound/unbound-1.26-time-iso.log"}, suite="trixie"),
    "dnsmasq-proto": Server(dnsmasq_proto, {"dnsmasq.log": "dnsmasq/dnsmasq-2.91-proto.log"}, suite="trixie"),
    "recursor-5": Server(recursor_5, {"stderr": "powerdns/recursor-5.2.log"}, suite="trixie"),
    "recursor-json": Server(recursor_json, {"stderr": "powerdns/recursor-5.2-json.log"}, suite="trixie"),
    "kresd": Server(kresd, {"stdout": "knot/kresd-reqtrace.log", "tap": "knot/kresd.dnstap"}, dnstap_socket=True),
    "knotd": Server(knotd, {"knot.dnstap": "knot/knotd.dnstap"}, upstream=False,
                    captures={"knotd-linux-cooked-v2.pcap": ["-i", "any", "-y", "LINUX_SLL2"]}),
}  # fmt: skip
