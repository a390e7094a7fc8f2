"""Make every recording again: `python3 -m tests.recordings.record`, as root on Debian 12, from the project's root.

Steps can be named (`install`, `servers`, `derived`, `manifest`), and so can servers (`python3 -m tests.recordings.record
bind unbound`). Only `install` needs the network; each server runs in a network of its own that has only loopback.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.recordings import derived, manifest, session, traffic
from tests.recordings.servers import SERVERS

HERE = Path(__file__).parent
PACKAGES = [
    "bind9", "unbound", "dnsmasq-base", "pdns-recursor", "dnsdist", "knot-resolver", "knot", "knot-module-dnstap",
    "rsyslog", "fstrm-bin", "golang-github-dnstap-golang-dnstap-cli", "tcpdump", "tshark", "tcpreplay", "jq",
    "iproute2", "debootstrap", "python3-cbor2",
]  # fmt: skip


def install() -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    subprocess.run(command, check=True, env=environment)
    derived.install_roots()


def servers(*labels: str) -> None:
    """Record each server, or those that are named, in a fresh network: no port of one run is still held in the next."""
    traffic.write_truth(HERE / "traffic.json")
    for label in labels or SERVERS:
        inside = [sys.executable, "-m", "tests.recordings.record", "--inside", label]
        subprocess.run(["unshare", "--net", "--uts", "--mount", *inside], check=True)


STEPS = {"install": install, "servers": servers, "derived": derived.derive, "manifest": manifest.write}


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--inside"]:
        session.record(arguments[1])
        return
    named = [label for label in arguments if label in SERVERS]
    unknown = set(arguments) - set(SERVERS) - set(STEPS)
    if unknown:
        sys.exit(f"not known: {', '.join(sorted(unknown))}; there are {', '.join([*STEPS, *SERVERS])}")
    if named:
        servers(*named)
    for step in STEPS if not arguments else [name for name in STEPS if name in arguments]:
        STEPS[step]()


if __name__ == "__main__":
    main(sys.argv[1:])
