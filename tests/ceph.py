"""A real S3 server with Object Lock for tests: one-node Ceph behind its RADOS gateway, in memory, on loopback only.

The programs come with Debian's radosgw, ceph-mon, ceph-mgr, ceph-osd and ceph-common. Ceph's gateway enforces COMPLIANCE,
and silently ignores If-None-Match and the checksums of PutObject, as other stores do that people run.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = ("ceph-mon", "ceph-mgr", "ceph-osd", "ceph", "radosgw", "radosgw-admin", "ceph-authtool", "monmaptool")
KEY, SECRET = "custos-test-key", "custos-test-secret"
_CONFIG = """
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{mon2},v1:127.0.0.1:{mon1}]
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
keyring = {folder}/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_crush_chooseleaf_type = 0
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 1000
osd_objectstore = memstore
memstore_device_bytes = {size}
run_dir = {folder}
log_file = {folder}/$name.log
admin_socket = {folder}/$name.asok
pid_file = {folder}/$name.pid
mon_data = {folder}/mon
mgr_data = {folder}/mgr
osd_data = {folder}/osd
mon_data_avail_crit = 1
mon_data_avail_warn = 2
[client.rgw.a]
rgw_frontends = beast endpoint=127.0.0.1:{port}
rgw_data = {folder}/rgw
rgw_dns_name = localhost
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]
    finally:
        for item in sockets:
            item.close()


class Ceph:
    """A running gateway; `environment` is what an S3 client needs."""

    def __init__(self, folder: Path, size: int = 2 << 30) -> None:
        self.folder, self.port, self._size = folder, 0, size

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.port}", "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip

    def start(self) -> Ceph:
        self.port, mon1, mon2 = free_ports(3)
        identifier = str(uuid.uuid4())
        for name in ("mon", "mgr", "osd", "rgw"):
            (self.folder / name).mkdir(parents=True)
        values = {"fsid": identifier, "mon1": mon1, "mon2": mon2, "port": self.port, "folder": self.folder}
        (self.folder / "ceph.conf").write_text(_CONFIG.format(size=self._size, **values))
        self._keys()
        self._run("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{mon2},v1:127.0.0.1:{mon1}]",
                  "--fsid", identifier, str(self.folder / "monmap"), configured=False)  # fmt: skip
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(self.folder / "monmap"))
        self._run("ceph-mon", "-i", "a")
        self._run("ceph", "-s")
        self._run("ceph-mgr", "-i", "a")
        disk = str(uuid.uuid4())
        self._run("ceph", "osd", "create", disk, "0")
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        self._run("ceph-osd", "-i", "0")
        self.start_gateway()
        self._run("radosgw-admin", "user", "create", "--uid=custos", "--display-name=custos",
                  f"--access-key={KEY}", f"--secret-key={SECRET}")  # fmt: skip
        return self

    def start_gateway(self) -> None:
        self._run("radosgw", "-n", "client.rgw.a")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.2)
        raise RuntimeError(f"Ceph's gateway did not come up; see {self.folder}")

    def stop_gateway(self) -> None:
        """S3 is gone, its objects are not."""
        self._kill("client.rgw.a.pid", signal.SIGKILL)

    def freeze_gateway(self) -> None:
        """S3 takes connections and answers nothing, until it is thawed."""
        os.kill(self._gateway(), signal.SIGSTOP)

    def thaw_gateway(self) -> None:
        os.kill(self._gateway(), signal.SIGCONT)

    def _gateway(self) -> int:
        return int((self.folder / "client.rgw.a.pid").read_text())

    def stop(self) -> None:
        for name in ("client.rgw.a.pid", "osd.0.pid", "mgr.a.pid", "mon.a.pid"):
            self._kill(name, signal.SIGKILL)

    def _kill(self, name: str, how: signal.Signals) -> None:
        with suppress(OSError, ValueError):
            number = int((self.folder / name).read_text())
            os.kill(number, how)
            for _ in range(100):
                os.kill(number, 0)
                time.sleep(0.05)

    def _keys(self) -> None:
        ring = str(self.folder / "keyring")
        self._run(
            "ceph-authtool",
            "--create-keyring",
            ring,
            "--gen-key",
            "-n",
            "mon.",
            "--cap",
            "mon",
            "allow *",
            configured=False,
        )
        for name in ("client.admin", "client.rgw.a", "mgr.a", "osd.0"):
            self._run("ceph-authtool", ring, "--gen-key", "-n", name, "--cap", "mon", "allow *", "--cap", "osd", "allow *",
                      "--cap", "mgr", "allow *", configured=False)  # fmt: skip

    def _run(self, program: str, *arguments: str, configured: bool = True) -> None:
        """A program that is missing, or that fails, fails the tests: nothing is skipped."""
        place = ["-c", str(self.folder / "ceph.conf")] if configured else []
        done = subprocess.run(
            [program, *place, *arguments], capture_output=True, text=True, timeout=90, check=False,
            env={**os.environ, "CEPH_ARGS": f"--keyring={self.folder / 'keyring'}" if configured else ""},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments[:2])}: {done.stderr[-2000:]}")
