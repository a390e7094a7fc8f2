"""Formats that no server here can write: samples after their documentation, marked so.

The files of `documentation/` are written by hand; names and addresses are those of the traffic or of the documentation.
"""

from __future__ import annotations

from tests.recordings.entry import Entry

FROM = "from documentation"
COF = "draft-dulaunoy-dnsop-passive-dns-cof-13"
SAF = "DomainTools, DNSDB API v2, Streaming API Framing"
WINDOWS = "Microsoft, DNS server debug logging: the legend that opens the file, and published lines"
ZEEK = "Zeek 7.0, script reference base/protocols/dns/main.zeek and Log Formats"
CDNS = "RFC 8618, appendix A; the traffic put together by compacted.py and encoded by cbor2"
UMBRELLA = "Cisco Umbrella User Guide, DNS Log Formats"


def samples() -> list[Entry]:
    """One entry a file of `documentation/`; `software` names the documentation that its grammar is from."""
    return [*_text(), *_passive(), *_zeek(), *_tables(), *_compacted()]


def _lines(path: str) -> str:
    return f"awk 'END {{ print NR }}' {path}"


def _text() -> list[Entry]:
    coredns, dated = "documentation/coredns-common.log", "documentation/coredns-combined-dated.log"
    old = "documentation/bind-9.9-query.log"
    query = "grep -cE '^([0-9TZ:.-]+ )?\\[INFO\\] [^ ]+:[0-9]+ - [0-9]+ ' {0}"
    return [
        Entry(coredns, "CoreDNS log", "CoreDNS, plugin/log/README.md", "Common Log Format",
              {"lines": _lines(coredns), "lookups": query.format(coredns)}, "no time in the file", FROM),
        Entry(dated, "CoreDNS log", "CoreDNS 1.3, plugin/log/README.md", "{combined}; dated as releases before 1.4 did",
              {"lines": _lines(dated), "lookups": query.format(dated)}, "UTC, stated in the file", FROM),
        Entry(old, "BIND 9 query log", "BIND 9 ARM: 9.2 and 9.9 without `client @0x…`, a TSIG key, an ECS option",
              "several channels in one file", {"lines": _lines(old), "lookups": f"grep -c 'query: ' {old}"},
              "none in the file", FROM),
        *(
            Entry(path, "Windows DNS debug log", WINDOWS, f"locale: {locale}; CRLF",
                  {"lines": _lines(path), "packets": f"grep -c ' PACKET ' {path}",
                   "received queries": f"grep -cE ' Rcv .{{15,}}   Q \\[' {path}",
                   "responses": f"grep -c ' R Q \\[' {path}", "updates": f"grep -c ' U \\[' {path}"},
                  "none in the file", FROM)
            for path, locale in (("documentation/windows-dns-us.log", "month/day/year, 12 hours"),
                                 ("documentation/windows-dns-24h.log", "day/month/year, 24 hours"))
        ),
    ]  # fmt: skip


def _passive() -> list[Entry]:
    variants = {
        "cof-circl.ndjson": (f"{COF}, CIRCL flavour", ".", "one rdata a record"),
        "cof-strings.ndjson": (f"{COF}, section 3.1", ".", "times as strings, as in the draft's example"),
        "cof-dnsdb.ndjson": (f"{COF}, DNSDB flavour", ".", "final dots, rdata as a list, zone times"),
        "dnsdb-saf.ndjson": (SAF, "select(.obj)", "begin, ongoing, succeeded"),
        "dnsdb-saf-limited.ndjson": (SAF, "select(.obj)", "ended by `limited`: there is more than this"),
    }
    return [
        Entry(path, "passive DNS, ndjson", source, settings,
              {"lines": _lines(path), "records": f"jq -c '{records}' {path} | awk 'END {{ print NR }}'",
               "pairs of name and data": f"jq -c '{records} | (.obj // .).rdata | if type == \"array\" then .[] else . end' "
                                         f"{path} | awk 'END {{ print NR }}'"},
              "Unix time", FROM)
        for file, (source, records, settings) in variants.items()
        for path in (f"documentation/{file}",)
    ]  # fmt: skip


def _zeek() -> list[Entry]:
    tsv = "documentation/zeek-dns.log"
    notes = ["the last row has no answer: rtt and rcode are unset"]
    variants = (
        ("documentation/zeek-dns.json", "JSON"),
        ("documentation/zeek-dns-iso8601.json", "JSON, ISO 8601 times"),
    )
    return [
        Entry(tsv, "Zeek dns.log", ZEEK, "TSV with headers",
              {"lines": _lines(tsv), "lookups": f"grep -vc '^#' {tsv}", "headers": f"grep -c '^#' {tsv}"},
              "Unix time", FROM, notes),
        *(
            Entry(path, "Zeek dns.log", ZEEK, settings,
                  {"lookups": f"jq -c . {path} | awk 'END {{ print NR }}'",
                   "lookups NXDOMAIN": f"jq -c 'select(.rcode == 3)' {path} | awk 'END {{ print NR }}'"},
                  "UTC", FROM, notes)
            for path, settings in variants
        ),
    ]  # fmt: skip


def _tables() -> list[Entry]:
    route53 = "documentation/route53-resolver.json"
    counts = {
        "lookups": f"jq -c . {route53} | awk 'END {{ print NR }}'",
        "answers": f"jq -c '.answers[]' {route53} | awk 'END {{ print NR }}'",
    }
    umbrella = (
        ("documentation/umbrella-dns-v1.csv", "10 columns"),
        ("documentation/umbrella-dns-v3.csv", "13 columns"),
    )
    return [
        Entry(route53, "AWS Route 53 Resolver query log", "AWS, Route 53 Developer Guide, VPC Resolver query logs",
              "version 1.1, one object a line", counts, "UTC, stated in the file", FROM),
        *(
            Entry(path, "Cisco Umbrella DNS log", UMBRELLA, settings,
                  {"lookups": _lines(path), "lookups blocked": f"grep -c ',\"Blocked\",' {path}"},
                  "UTC by definition, not stated in the file", FROM)
            for path, settings in umbrella
        ),
    ]  # fmt: skip


def _compacted() -> list[Entry]:
    variants = {
        "cdns-one-block.cdns": "one block, lengths stated, microseconds",
        "cdns-two-blocks.cdns": "two blocks with their own parameters, lengths left open, micro- and nanoseconds",
        "cdns-prefixes.cdns": "prefixes of addresses, no ports, no delays, milliseconds",
    }
    decoded = "/usr/bin/python3 -m cbor2.tool {0} | jq '{1} | length'"
    counted = {
        "blocks": ".[2]",
        "query/response items": '[.[2][]["3"][]]',
        "address events": '[.[2][]["4"][]]',
        "malformed messages": '[.[2][]["5"][]]',
    }
    return [
        Entry(path, "C-DNS", CDNS, settings,
              {what: decoded.format(path, items) for what, items in counted.items()}, "UTC", FROM)
        for file, settings in variants.items()
        for path in (f"documentation/{file}",)
    ]  # fmt: skip
