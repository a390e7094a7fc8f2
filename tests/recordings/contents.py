"""What was recorded: one entry a file, with the commands that count what is in it."""

from __future__ import annotations

from tests.recordings.entry import UNIX, Entry, debian
from tests.recordings.logs import logs
from tests.recordings.servers import SERVERS


def recorded() -> list[Entry]:
    return [*logs(), *_dnstap(), *_captures(), *_suricata(), *_client()]


def _dnstap() -> list[Entry]:
    taps = {
        "bind/bind.dnstap": ("bind9", "dnstap { all; }; authoritative; written by named", ("AQ", "AR", "CR")),
        "bind/bind-recursive.dnstap": (
            "bind9", "dnstap { all; }; three views, one of them forwards", ("AQ", "AR", "CQ", "CR", "RQ", "RR"),
        ),
        "unbound/unbound.dnstap": ("unbound", "client and forwarder messages; fstrm_capture", ("CQ", "CR", "FQ", "FR")),
        "dnsdist/dnsdist.dnstap": ("dnsdist", "DnstapLogAction, DnstapLogResponseAction; fstrm_capture", ("CQ", "CR")),
        "knot/kresd.dnstap": ("knot-resolver", "module dnstap, client messages; fstrm_capture", ("CQ", "CR")),
        "knot/knotd.dnstap": ("knot", "mod-dnstap, queries and responses; written by knotd", ("AQ", "AR")),
    }  # fmt: skip
    return [
        Entry(
            path, "dnstap frame stream", debian(package), settings,
            {
                "frames": f"dnstap -r {path} -q 2>/dev/null | awk 'END {{ print NR }}'",
                **{
                    f"frames {kind}": f"dnstap -r {path} -q 2>/dev/null | awk '$2 == \"{kind}\"' | awk 'END {{ print NR }}'"
                    for kind in kinds
                },
            },
            UNIX + ", nanoseconds",
            notes=["named writes CR, not AR, for answers with RD set"] if package == "bind9" else [],
        )
        for path, (package, settings, kinds) in taps.items()
    ]  # fmt: skip


CAPTURES = {
    "ethernet.pcap": ("pcap, Ethernet", "tcpdump -i lo"),
    "ethernet-nanoseconds.pcap": ("pcap with nanoseconds, Ethernet", "tcpdump -i lo --time-stamp-precision=nano"),
    "linux-cooked-v1.pcap": ("pcap, Linux cooked v1", "tcpdump -i any -y LINUX_SLL"),
    "linux-cooked-v2.pcap": ("pcap, Linux cooked v2", "tcpdump -i any -y LINUX_SLL2"),
    "knotd-linux-cooked-v2.pcap": ("pcap, Linux cooked v2, Knot DNS", "tcpdump -i any -y LINUX_SLL2"),
    "ethernet.pcapng": ("pcapng, Ethernet", "editcap of ethernet.pcap"),
    "ethernet-nanoseconds.pcapng": ("pcapng with nanoseconds, Ethernet", "editcap of ethernet-nanoseconds.pcap"),
    "two-interfaces.pcapng": ("pcapng, two interfaces", "mergecap of ethernet.pcap and knotd-linux-cooked-v2.pcap"),
    "raw-ip.pcap": ("pcap, raw IP", "editcap -C 14 -T rawip of ethernet.pcap"),
    "snapped.pcap": ("pcap, Ethernet, packets cut at 60 octets", "editcap -s 60 of ethernet.pcap"),
    "vlan.pcap": ("pcap, Ethernet with 802.1Q", "tcprewrite --enet-vlan=add of ethernet.pcap"),
    "loopback-null.pcap": ("pcap, BSD loopback (DLT_NULL)", "derived.py of raw-ip.pcap"),
    "ethernet-big-endian.pcap": ("pcap, big-endian, Ethernet", "derived.py of ethernet.pcap"),
}


def _captures() -> list[Entry]:
    notes = [
        "the answer of sequence 54 comes in IPv4 fragments; tshark counts it, a reader that does not join them has one less",
        "TCP port 53 has one message a connection; the answer of sequence 53 spans several segments",
    ]
    return [
        Entry(f"pcap/{file}", form, f"{debian('tcpdump')}, {debian('tshark')}, {debian('tcpreplay')}", settings,
              _tshark(f"pcap/{file}", whole=file == "ethernet.pcap"), UNIX, notes=notes,
              origin="recorded" if settings.startswith("tcpdump") else "made from a recording")
        for file, (form, settings) in CAPTURES.items()
    ]  # fmt: skip


def _tshark(path: str, *, whole: bool) -> dict[str, str]:
    filters = {
        "packets": "",
        "lookups": "dns.flags.response == 0",
        "responses": "dns.flags.response == 1",
        "lookups over TCP": "dns.flags.response == 0 && tcp",
        "lookups over IPv6": "dns.flags.response == 0 && ipv6",
        "lookups with EDNS": "dns.flags.response == 0 && dns.resp.type == 41",
        "lookups of type AAAA": "dns.flags.response == 0 && dns.qry.type == 28",
        "lookups of type TYPE65280": "dns.flags.response == 0 && dns.qry.type == 65280",
        "responses NXDOMAIN": "dns.flags.rcode == 3",
        "responses SERVFAIL": "dns.flags.rcode == 2",
        "responses truncated": "dns.flags.truncated == 1 && dns.flags.response == 1",
        "IP fragments": "ip.flags.mf == 1 || ip.frag_offset > 0",
    }
    return {
        what: f"tshark -n -r {path} -Y '{text}' 2>/dev/null | awk 'END {{ print NR }}'".replace(" -Y ''", "")
        for what, text in filters.items()
        if whole or what in {"lookups", "responses", "lookups over TCP"}
    }


def _suricata() -> list[Entry]:
    entries = []
    for version, suite in ((1, "bullseye"), (2, "bullseye"), (2, "sid"), (3, "sid")):
        path = f"suricata/eve-v{version}-{suite}.json"
        asked, answered = ("request", "response") if version == 3 else ("query", "answer")
        counts = {
            "records": f"jq -c . {path} | awk 'END {{ print NR }}'",
            "lookups": f"jq -c 'select(.dns.type == \"{asked}\")' {path} | awk 'END {{ print NR }}'",
            "response records": f"jq -c 'select(.dns.type == \"{answered}\")' {path} | awk 'END {{ print NR }}'",
        }
        notes = ["version 1 writes one record an answer, not one a response"] if version == 1 else []
        entries.append(
            Entry(path, f"Suricata EVE dns version {version}", debian("suricata", suite),
                  f"-r ethernet.pcap -k none, eve-log dns version {version}", counts, "offset stated in the file",
                  origin="made from a recording", notes=notes)
        )  # fmt: skip
    return entries


def _client() -> list[Entry]:
    """The truth: what was sent, and for each server what the client saw."""
    truth = Entry("traffic.json", "JSON", "traffic.py", "what is sent to every server",
                  {"queries": "jq length traffic.json", "messages sent": "jq 'map(.sent) | add' traffic.json"})  # fmt: skip
    return [truth, *(
        Entry(f"seen/{label}.json", "JSON", "wire.py", f"what the client saw of {label}: Unix seconds of its clock",
              {"messages sent": f"jq length seen/{label}.json",
               "answers": f"jq 'map(select(.answered)) | length' seen/{label}.json"})
        for label in SERVERS
    )]  # fmt: skip
