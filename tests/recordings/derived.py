"""What real tools make of the recorded capture: other link types and containers, and Suricata's reading of it."""

from __future__ import annotations

import platform
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOTS = Path("/var/tmp/recording-roots")  # noqa: S108  # whole Debian systems: too large for a folder in memory

# One system a version of Suricata: 6 writes versions 1 and 2 of its DNS records, 8 versions 2 and 3.
SURICATAS = {"bullseye": (1, 2), "sid": (2, 3)}
PACKAGES = {
    "bullseye": "netbase suricata",
    "sid": "netbase suricata",
    "trixie": "netbase bind9 unbound dnsmasq-base pdns-recursor",
}

CHAINS = (
    "editcap -F pcapng ethernet.pcap ethernet.pcapng",
    "editcap -F pcapng ethernet-nanoseconds.pcap ethernet-nanoseconds.pcapng",
    "mergecap -F pcapng -w two-interfaces.pcapng ethernet.pcap knotd-linux-cooked-v2.pcap",
    "editcap -F pcap -C 14 -T rawip ethernet.pcap raw-ip.pcap",
    "editcap -F pcap -s 60 ethernet.pcap snapped.pcap",
    "tcprewrite --enet-vlan=add --enet-vlan-tag=10 --enet-vlan-pri=0 --enet-vlan-cfi=0 -i ethernet.pcap -o vlan.pcap",
)


def mirror() -> str:
    """Where this machine takes Debian's packages from."""
    asked = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    sites = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    return next(site for site in sites if not site.rstrip("/").endswith("-security"))


def derive() -> None:
    """Every variant of `pcap/ethernet.pcap`, from scratch."""
    folder = HERE / "pcap"
    for command in CHAINS:
        subprocess.run(command.split(), check=True, cwd=folder, stderr=subprocess.DEVNULL)
    _without_kernel(folder / "two-interfaces.pcapng")
    _null_link(folder / "raw-ip.pcap", folder / "loopback-null.pcap")
    _other_byte_order(folder / "ethernet.pcap", folder / "ethernet-big-endian.pcap")
    for suite, versions in SURICATAS.items():
        for version in versions:
            _suricata(suite, version)


def _without_kernel(capture: Path) -> None:
    """mergecap writes the release of the kernel that it runs on into the section header: a matter of this machine."""
    release = platform.release().encode()
    capture.write_bytes(capture.read_bytes().replace(release, b"0" * len(release)))


def _packets(capture: bytes) -> list[tuple[int, int, int, bytes]]:
    """Seconds, microseconds, original length and bytes of each packet of a little-endian pcap file."""
    packets, at = [], 24
    while at < len(capture):
        seconds, micros, kept, length = struct.unpack_from("<4I", capture, at)
        packets.append((seconds, micros, length, capture[at + 16 : at + 16 + kept]))
        at += 16 + kept
    return packets


def _null_link(raw: Path, target: Path) -> None:
    """BSD loopback (DLT_NULL), which no Linux interface captures: the address family before each IP packet."""
    family = {4: 2, 6: 30}
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 0)]
    for seconds, micros, length, data in _packets(raw.read_bytes()):
        head = struct.pack("<I", family[data[0] >> 4])
        out.append(struct.pack("<4I", seconds, micros, len(data) + 4, length + 4) + head + data)
    target.write_bytes(b"".join(out))


def _other_byte_order(source: Path, target: Path) -> None:
    """As a big-endian machine would have written it."""
    capture = source.read_bytes()
    out = [struct.pack(">IHHiIII", *struct.unpack_from("<IHHiIII", capture))]
    for seconds, micros, length, data in _packets(capture):
        out.append(struct.pack(">4I", seconds, micros, len(data), length) + data)
    target.write_bytes(b"".join(out))


def install_roots() -> None:
    """A Debian of its own for each version that bookworm does not have; one that broke off is begun again."""
    ROOTS.mkdir(exist_ok=True)
    for suite, packages in PACKAGES.items():
        root = ROOTS / suite
        if not (root / "installed").exists():
            shutil.rmtree(root, ignore_errors=True)
            subprocess.run(["debootstrap", "--variant=minbase", suite, str(root), mirror()], check=True)
            policy = root / "usr/sbin/policy-rc.d"  # nothing starts by being installed
            policy.write_text("#!/bin/sh\nexit 101\n")
            policy.chmod(0o755)
            # A mirror whose copy of sid is some weeks old is signed all the same, and says itself what it gives.
            update = "apt-get update -qq -o Acquire::Check-Valid-Until=false"
            install = f"{update} && apt-get install -y -qq --no-install-recommends {packages}"
            subprocess.run(["chroot", str(root), "sh", "-c", install], check=True)
            (root / "installed").touch()


def _suricata(suite: str, version: int) -> None:
    """EVE records of the DNS in the capture, without any rule."""
    root = ROOTS / suite
    with tempfile.TemporaryDirectory(dir=root / "tmp") as name:
        folder = Path(name)
        inside = f"/tmp/{folder.name}"  # noqa: S108  # as seen from within the root
        shutil.copyfile(HERE / "pcap/ethernet.pcap", folder / "ethernet.pcap")
        (folder / "suricata.yaml").write_text(_settings(version))
        command = f"suricata -c {inside}/suricata.yaml -r {inside}/ethernet.pcap -l {inside} -k none --runmode single"
        subprocess.run(["chroot", str(root), *command.split()], check=True, capture_output=True)
        (HERE / "suricata").mkdir(exist_ok=True)
        shutil.copyfile(folder / "eve.json", HERE / f"suricata/eve-v{version}-{suite}.json")


def _settings(version: int) -> str:
    return f"""%YAML 1.1
---
vars:
  address-groups: {{HOME_NET: "any", EXTERNAL_NET: "any"}}
  port-groups: {{}}
default-rule-path: /tmp
rule-files: []
classification-file: /etc/suricata/classification.config
reference-config-file: /etc/suricata/reference.config
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      types:
        - dns:
            version: {version}
            enabled: yes
            requests: yes
            responses: yes
            formats: [detailed, grouped]
app-layer:
  protocols:
    dns:
      tcp: {{enabled: yes, detection-ports: {{dp: 53}}}}
      udp: {{enabled: yes, detection-ports: {{dp: 53}}}}
"""
