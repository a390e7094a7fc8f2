"""Settings of the authoritative servers, which hold the zones: BIND in its variants, and Knot DNS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.recordings.zones import BROKEN, ZONES, bind_zones, file_of, write_zones

if TYPE_CHECKING:
    from pathlib import Path

UPSTREAM = ("127.0.0.2", 5353)


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
