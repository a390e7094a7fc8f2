"""Formats by name and version: one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.formats import (
    bind,
    bind_responses,
    bind_syslog,
    cdns,
    coredns,
    delimited,
    dnsdist,
    dnsmasq,
    dnstap,
    eve,
    jsonl,
    knot,
    lookup_lines,
    passive_dns,
    pcap,
    pcapng,
    powerdns,
    route53,
    umbrella,
    unbound,
    windows_dns,
    zeek,
    zeek_json,
)

if TYPE_CHECKING:
    from evidence.reading.format import Format

FORMATS: dict[str, Format] = {
    form.procedure: form
    for form in (
        bind.FORMAT,
        bind_responses.FORMAT,
        bind_syslog.FORMAT,
        bind_syslog.DATED,
        cdns.FORMAT,
        coredns.FORMAT,
        delimited.FORMAT,
        dnsdist.FORMAT,
        dnsdist.UNDATED,
        dnsdist.DATED,
        dnsmasq.FORMAT,
        dnsmasq.DATED,
        dnstap.FORMAT,
        eve.FORMAT,
        jsonl.FORMAT,
        knot.FORMAT,
        lookup_lines.FORMAT,
        passive_dns.FORMAT,
        pcap.FORMAT,
        pcapng.FORMAT,
        powerdns.FORMAT,
        powerdns.UNDATED,
        powerdns.DATED,
        route53.FORMAT,
        umbrella.FORMAT,
        unbound.FORMAT,
        unbound.UNDATED,
        windows_dns.FORMAT,
        zeek.FORMAT,
        zeek_json.FORMAT,
    )
}
