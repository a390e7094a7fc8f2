"""One server, recorded: a network with nothing but loopback, the server, the capture, the queries, and the files kept.

Runs inside `unshare --net --uts --mount`, so no packet can leave the machine and nothing else's packets are captured.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.recordings import authorities, servers, wire
from tests.recordings.derived import ROOTS

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
PATIENCE = 60  # seconds for a server to start or to end

SYSLOG_FORMS = {
    "query-syslog-traditional.log": "RSYSLOG_TraditionalFileFormat",
    "query-syslog-iso8601.log": "RSYSLOG_FileFormat",
    "query-syslog-rfc5424.log": "RSYSLOG_SyslogProtocol23Format",
}


def record(label: str) -> None:
    """Start everything, ask everything, end everything in order, keep the files."""
    server = servers.SERVERS[label]
    _network()
    with tempfile.TemporaryDirectory(prefix="recording-", dir="/var/tmp") as name:
        folder = Path(name)
        seen = _run(server, folder)
        _keep(server, folder, label, seen)


def _network() -> None:
    for command in (
        "ip link set lo mtu 1280 up",
        "ip addr add 127.0.0.2/8 dev lo",
        "ip addr add 127.0.0.53/8 dev lo",
        "ip addr add fe80::53/64 dev lo nodad",
        "hostname ns1",
    ):
        subprocess.run(command.split(), check=True)


def _run(server: servers.Server, folder: Path) -> list[dict[str, object]]:
    with ExitStack() as stack:
        if server.upstream:
            inner = folder / "upstream"
            inner.mkdir()
            stack.enter_context(_running(authorities.upstream(inner), inner, server, "127.0.0.2", 5353))
        if server.dnstap_socket:
            stack.enter_context(_dnstap_collector(folder))
        if server.syslog:
            stack.enter_context(_syslog(folder))
        stack.enter_context(_captures(server, folder))
        command = server.prepare(folder)
        if server.suite:
            command = stack.enter_context(_inside(ROOTS / server.suite, folder, command))
        stack.enter_context(_running(command, folder, server, wire.SERVER_V4, 53))
        seen = wire.ask_all()
        time.sleep(2)  # buffers of dnstap and of captures are written once a second
    return seen


@contextmanager
def _inside(root: Path, folder: Path, command: list[str]) -> Iterator[list[str]]:
    """The command in another Debian, where the folder has the same path; the mounts are this session's alone."""
    same = root / folder.relative_to("/")
    same.mkdir(parents=True)
    for path in (folder, Path("/proc"), Path("/dev")):
        subprocess.run(["mount", "--rbind", str(path), str(root / path.relative_to("/"))], check=True)
    try:
        yield ["chroot", str(root), *command]
    finally:
        subprocess.run(["umount", str(same)], check=True)
        same.rmdir()


@contextmanager
def _running(command: list[str], folder: Path, server: servers.Server, address: str, port: int) -> Iterator[None]:
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(
            command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=folder, env=os.environ | server.environment
        )
        try:
            _wait_for_port(process, folder, address, port)
            yield
        finally:
            _end(process)


def _wait_for_port(process: subprocess.Popen[bytes], folder: Path, address: str, port: int) -> None:
    """Until the UDP socket is bound, and for BIND also until the zones are loaded."""
    wanted = f"{bytes(map(int, reversed(address.split('.')))).hex().upper()}:{port:04X}"
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended: {(folder / 'stderr').read_text()[-2000:]}")
        bound = wanted in Path("/proc/self/net/udp").read_text(encoding="ascii")
        if bound and ("named" not in str(process.args) or b"running" in (folder / "stderr").read_bytes()):
            time.sleep(1)  # IPv6 and TCP sockets follow
            return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args} did not listen on {address} port {port} within {PATIENCE} s")


def _end(process: subprocess.Popen[bytes], how: int = signal.SIGTERM) -> None:
    process.send_signal(how)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _dnstap_collector(folder: Path) -> Iterator[None]:
    """fstrm_capture writes the frame stream that the server sends to the socket, control frames included."""
    socket = folder / "dnstap.sock"
    process = subprocess.Popen(
        ["fstrm_capture", "-t", "protobuf:dnstap.Dnstap", "-u", str(socket), "-w", str(folder / "tap")],
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for_file(socket)
        socket.chmod(0o777)
        yield
    finally:
        _end(process)


@contextmanager
def _syslog(folder: Path) -> Iterator[None]:
    """rsyslogd on its own /dev/log, in the forms that people keep."""
    rules = "".join(
        f'local3.* action(type="omfile" file="{folder / file}" template="{form}")\n'
        for file, form in SYSLOG_FORMS.items()
    )
    settings = folder / "rsyslog.conf"
    settings.write_text(f'global(workDirectory="{folder}")\nmodule(load="imuxsock")\n{rules}')
    process = subprocess.Popen(["rsyslogd", "-n", "-f", str(settings), "-i", "NONE"], env=os.environ | {"TZ": "UTC"})
    try:
        _wait_for_file(Path("/dev/log"))
        yield
    finally:
        time.sleep(1)
        _end(process)
        Path("/dev/log").unlink(missing_ok=True)


@contextmanager
def _captures(server: servers.Server, folder: Path) -> Iterator[None]:
    processes = []
    try:
        for file, options in server.captures.items():
            command = ["tcpdump", "-n", "-U", "-s", "0", "-Z", "root", *options, "-w", str(folder / file)]
            processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        for file in server.captures:
            _wait_for_file(folder / file)
        yield
    finally:
        for process in processes:
            _end(process, signal.SIGINT)


def _wait_for_file(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{path.name} did not appear within {PATIENCE} s")
        time.sleep(0.05)


def _keep(server: servers.Server, folder: Path, label: str, seen: list[dict[str, object]]) -> None:
    kept = server.keep | {file: f"pcap/{file}" for file in server.captures}
    if server.syslog:
        kept |= {file: f"bind/{file}" for file in SYSLOG_FORMS}
    for source, target in kept.items():
        (HERE / target).parent.mkdir(exist_ok=True)
        shutil.copyfile(folder / source, HERE / target)
    rows = ",\n".join(map(json.dumps, seen))
    (HERE / "seen").mkdir(exist_ok=True)
    (HERE / "seen" / f"{label}.json").write_text(f"[\n{rows}\n]\n", encoding="utf-8")
