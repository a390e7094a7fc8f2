"""The text logs that were recorded, with the commands that count their lines."""

from __future__ import annotations

from tests.recordings.entry import NEW_YORK, NO_ZONE, UNIX, Entry, debian


def logs() -> list[Entry]:
    return [*_bind(), *_bind_20(), *_unbound(), *_dnsmasq(), *_powerdns(), *_powerdns_5(), *_dnsdist(), *_knot()]


def _by_type(
    path: str, pattern: str, types: tuple[str, ...] = ("A", "AAAA", "TXT", "ANY", "TYPE65280")
) -> dict[str, str]:
    return {f"lookups of type {kind}": f"grep -c '{pattern.format(kind)}' {path}" for kind in types}


def _bind_counts(path: str) -> dict[str, str]:
    return {
        "lines": f"awk 'END {{ print NR }}' {path}",
        "lookups": f"grep -c ': query: ' {path}",
        "rejects": f"awk '!/: query: /' {path} | awk 'END {{ print NR }}'",
        "lookups over TCP": f"grep -cE ' [+-](E\\([0-9]+\\))?T[A-Z]* ' {path}",
        "lookups from IPv6": f"grep -cE ' (::1|fe80::53%1)#[0-9]+ \\(' {path}",
        **_by_type(path, " IN {} [+-]"),
    }


BIND_LOGS = {
    "query.log": ("print-time yes", NO_ZONE),
    "query-category-severity.log": ("print-time yes; print-category yes; print-severity yes", NO_ZONE),
    "query-iso8601.log": ("print-time iso8601", NEW_YORK),
    "query-iso8601-utc.log": ("print-time iso8601-utc; print-category yes; print-severity yes", "UTC, stated in the file"),
    "query-no-time.log": ("print-time no", "no time in the file"),
    "query-no-time-category.log": ("print-time no; print-category yes; print-severity yes", "no time in the file"),
    "query-and-errors.log": ("query-errors in the same channel; print-category yes; print-severity yes", NO_ZONE),
    "query-syslog-traditional.log": ("through rsyslog, RSYSLOG_TraditionalFileFormat", NO_ZONE + "; no year"),
    "query-syslog-iso8601.log": ("through rsyslog, RSYSLOG_FileFormat", "offset stated in the file"),
    "query-syslog-rfc5424.log": ("through rsyslog, RSYSLOG_SyslogProtocol23Format", "offset stated in the file"),
    "query-views.log": ("three views, print-time yes", NEW_YORK),
    "query-views-category-severity.log": (
        "three views, query-errors in the same channel; print-category yes; print-severity yes",
        NEW_YORK,
    ),
    "query-views-iso8601.log": (
        "three views, print-time iso8601", NEW_YORK,
    ),
}  # fmt: skip


def _bind() -> list[Entry]:
    return [
        Entry(f"bind/{file}", "BIND 9 query log", debian("bind9"), settings, _bind_counts(f"bind/{file}"), zone)
        for file, (settings, zone) in BIND_LOGS.items()
    ]


def _bind_20() -> list[Entry]:
    software = debian("bind9", "trixie")
    counts = {
        "query-9.20.log": ("queries", NEW_YORK),
        "responses-9.20.log": ("responselog yes; responses only, print-time iso8601", NEW_YORK),
        "query-and-responses-9.20.log": ("responselog yes; both in one channel", "UTC, stated in the file"),
    }
    return [
        Entry(
            f"bind/{file}", "BIND 9 query log", software, settings,
            {
                "lines": f"awk 'END {{ print NR }}' bind/{file}",
                "lookups": f"grep -c ': query: ' bind/{file}",
                "responses": f"grep -c ': response: ' bind/{file}",
            },
            zone,
        )
        for file, (settings, zone) in counts.items()
    ]  # fmt: skip


def _unbound() -> list[Entry]:
    query = "awk '/ (info|query): [0-9a-f.:%]+ [^ ]+ [A-Z0-9]+ IN$/' {0} | awk 'END {{ print NR }}'"
    reply = "awk '/ (info|reply): [0-9a-f.:%]+ [^ ]+ [A-Z0-9]+ IN [A-Z]+ [0-9.]+ [01] [0-9]+( on (udp|tcp) [^ ]+ 53)?$/' {0} | awk 'END {{ print NR }}'"
    notes = [
        "every octet of a name that is not a letter, digit, hyphen, underscore or asterisk is written as ?",
        "sequence 43 (a name of 255 octets) is cut and ends with &",
        "neither the client's port nor the message id is in the line",
    ]
    variants = {
        "unbound.log": ("log-queries yes; log-replies yes", UNIX),
        "unbound-time-ascii.log": (
            "log-queries yes; log-replies yes; log-time-ascii yes; log-tag-queryreply yes; log-servfail yes", NO_ZONE + "; no year",
        ),
        "unbound-replies.log": ("log-replies yes", UNIX),
        "unbound-1.26-time-iso.log": (
            "log-queries yes; log-replies yes; log-time-iso yes; log-tag-queryreply yes; log-destaddr yes",
            "offset stated in the file",
        ),
    }  # fmt: skip
    return [
        Entry(
            f"unbound/{file}", "Unbound query and reply log", debian("unbound", "trixie" if "1.26" in file else ""), settings,
            {
                "lines": f"awk 'END {{ print NR }}' unbound/{file}",
                "queries": query.format(f"unbound/{file}"),
                "replies": reply.format(f"unbound/{file}"),
                "replies NXDOMAIN": f"grep -c ' IN NXDOMAIN ' unbound/{file}",
                "replies SERVFAIL": f"grep -cE ' IN SERVFAIL [0-9.]+ [01] [0-9]+' unbound/{file}",
            },
            zone, notes=notes,
        )
        for file, (settings, zone) in variants.items()
    ]  # fmt: skip


def _dnsmasq() -> list[Entry]:
    notes = [
        "names with a dot inside a label or an octet that is not printable are all `<name unprintable>`",
        "a space in a name is written as it is: sequence 26, 45 and 46",
        "neither year nor zone; SERVFAIL is `reply error is SERVFAIL`, without the name",
    ]
    return [
        Entry(
            f"dnsmasq/{file}", "dnsmasq log", debian("dnsmasq-base", "trixie" if "2.91" in file else ""), settings,
            {
                "lines": f"awk 'END {{ print NR }}' {path}",
                "lookups": f"grep -cE ' query\\[[A-Za-z0-9=]+\\] ' {path}",
                "forwarded": f"grep -c ' forwarded ' {path}",
                "replies": f"grep -cE '(\\]:|/[0-9]+) reply ' {path}",
                "cached": f"grep -cE '(\\]:|/[0-9]+) cached(-stale)? ' {path}",
                "unprintable names looked up": f"grep -c '\\] <name unprintable> from ' {path}",
                **_by_type(path, " query.{}. ", ("A", "AAAA", "TXT", "ANY")),
            },
            NO_ZONE + "; no year", notes=notes,
        )
        for file, settings in (("dnsmasq.log", "log-queries"), ("dnsmasq-extra.log", "log-queries=extra"),
                               ("dnsmasq-2.91-proto.log", "log-queries=proto"))
        for path in (f"dnsmasq/{file}",)
    ]  # fmt: skip


def _powerdns() -> list[Entry]:
    structured, classic = "powerdns/recursor.log", "powerdns/recursor-unstructured.log"
    software = debian("pdns-recursor")
    return [
        Entry(
            structured, "PowerDNS Recursor log (structured)", software, "quiet=no, log-timestamp=yes",
            {
                "lines": f"awk 'END {{ print NR }}' {structured}",
                "lookups": f"grep -c 'msg=\"Question\"' {structured}",
                "answers": f"grep -c 'msg=\"Answer\"' {structured}",
                "from the packet cache": f"grep -c 'packet cache' {structured}",
                **_by_type(structured, 'msg="Question".* qtype="{}"'),
            },
            UNIX + " in ts; the first column is local time without year or zone",
            notes=["an answer from the packet cache has its own line and no Question of its own"],
        ),
        Entry(
            classic, "PowerDNS Recursor log (unstructured)", software, "quiet=no, structured-logging=no",
            {
                "lines": f"awk 'END {{ print NR }}' {classic}",
                "lookups": f"grep -c \" question for '\" {classic}",
                "answers": f"grep -cE \" answer to (non-rd )?question '\" {classic}",
                "from the packet cache": f"grep -c 'packet cache' {classic}",
            },
            NO_ZONE + "; no year",
        ),
    ]  # fmt: skip


def _powerdns_5() -> list[Entry]:
    variants = {
        "recursor-5.2.log": (
            'msg="{}"',
            "quiet=no",
            UNIX + " in ts; the first column is local time without year or zone",
        ),
        "recursor-5.2-json.log": ('"msg": "{}"', "quiet=no, structured-logging-backend=json", UNIX + " in ts"),
    }
    return [
        Entry(
            path, "PowerDNS Recursor log (structured)", debian("pdns-recursor", "trixie"), settings,
            {
                "lines": f"awk 'END {{ print NR }}' {path}",
                "lookups": f"grep -c '{message.format('Question')}' {path}",
                "answers": f"grep -c '{message.format('Answer')}' {path}",
                "from the packet cache": f"grep -c 'packet cache' {path}",
            },
            zone, notes=["an answer from the packet cache has its own line and no Question of its own"],
        )
        for file, (message, settings, zone) in variants.items()
        for path in (f"powerdns/{file}",)
    ]  # fmt: skip


def _dnsdist() -> list[Entry]:
    software = debian("dnsdist")
    actions = {
        "log-action.log": ("LogAction(file, false, true, false, false, true)", "Packet from", UNIX + ", nanoseconds"),
        "log-action-no-time.log": ("LogAction(file, false, true, false, false, false)", "Packet from", "no time"),
        "log-response-action.log": ("LogResponseAction(file, true, false, false, true)", "Answer to", UNIX),
    }
    notes = ["the id is printed in the machine's byte order: 16 is 0x1000", "escapes as in PowerDNS: ; is not escaped"]
    entries = [
        Entry(
            f"dnsdist/{file}", "dnsdist LogAction", software, settings,
            {
                "lines": f"awk 'END {{ print NR }}' dnsdist/{file}",
                "rows": f"grep -c '{words} ' dnsdist/{file}",
                **_by_type(f"dnsdist/{file}", f"{words} .* {{}} .*with id "),
            },
            zone, notes=notes,
        )
        for file, (settings, words, zone) in actions.items()
    ]  # fmt: skip
    verbose = "dnsdist/verbose.log"
    counts = {"lines": f"awk 'END {{ print NR }}' {verbose}", "lookups": f"grep -c '^Got query for ' {verbose}"}
    return [*entries, Entry(verbose, "dnsdist verbose log", software, "dnsdist -v", counts, "no time in the file")]


def _knot() -> list[Entry]:
    path = "knot/kresd-reqtrace.log"
    counts = {
        "lines": f"awk 'END {{ print NR }}' {path}",
        "requests": f"grep -cE '\\[0[0-9]+\\.[0-9]+\\] request packet:$' {path}",
        "requests of its own": f"grep -cE '\\[65536\\.[0-9]+\\] request packet:$' {path}",
    }
    notes = ["Knot Resolver has no query log; this is policy.REQTRACE; there is no client in it"]
    return [
        Entry(path, "Knot Resolver request trace", debian("knot-resolver"), "policy.REQTRACE for all", counts,
              "no time in the file", notes=notes),
    ]  # fmt: skip
