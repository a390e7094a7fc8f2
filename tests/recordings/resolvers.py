"""Settings of the resolvers and forwarders, which ask the silent BIND beside them for everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.recordings.authorities import UPSTREAM

if TYPE_CHECKING:
    from pathlib import Path


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
