"""A whole installation in a folder of its own, as `make up` starts it, for tests that go the whole way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.stores import store_for

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
UNWANTED = ("DATABASE_URL", "CELERY_BROKER_URL", "CUSTOS_HOME", "CUSTOS_TOKEN", "CUSTOS_URL", "XDG_RUNTIME_DIR")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """`manage.py up`, its output, and the commands that talk to it."""

    def __init__(self, home: Path, port: int | None = None, **environment: str) -> None:
        self.home, self.port = home, port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {key: value for key, value in os.environ.items() if key not in UNWANTED}
        self.environment = {
            **kept, "CUSTOS_HOME": str(home), "CUSTOS_PORT": str(self.port), "CUSTOS_URL": self.url,
            "CUSTOS_STORE": store_for(home), **environment,
        }  # fmt: skip
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def start(self, *, wait: bool = True, command: tuple[str, ...] = ()) -> Service:
        self.lines.clear()
        self.process = subprocess.Popen(
            command or (sys.executable, str(ROOT / "manage.py"), "up"), env=self.environment, cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        if wait:
            self.wait_for("Stop with")
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stdout:
            with process.stdout as said:
                for line in said:
                    self.lines.append(line)

    def wait_for(self, text: str, patience: float = 120) -> str:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            found = next((line for line in self.lines if text in line), "")
            if found:
                return found
            if self.process and self.process.poll() is not None and not any(text in line for line in self.lines):
                time.sleep(0.3)
                break
            time.sleep(0.05)
        found = next((line for line in self.lines if text in line), "")
        assert found, f"{text!r} was never said: {''.join(self.lines)}{self.logs()}"
        return found

    def wait_until_ready(self, patience: float = 120) -> None:
        """Until the database, the store, the broker and a worker answer again."""
        deadline, said = time.monotonic() + patience, ""
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                answer = httpx.get(f"{self.url}/readyz", trust_env=False, timeout=10)
                if answer.status_code == 200:
                    return
                said = answer.text
            time.sleep(0.1)
        raise AssertionError(f"not ready: {said} {''.join(self.lines)}{self.logs()}")

    def logs(self) -> str:
        return "".join(path.read_text()[-3000:] for path in self.home.glob("logs/*.log"))

    def stop(self, number: int = signal.SIGTERM) -> float:
        """How long it took."""
        assert self.process is not None
        begin = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - begin

    def processes(self) -> list[str]:
        """Command lines of all processes that belong to this installation."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                environment, command = (path / "environ").read_bytes(), (path / "cmdline").read_bytes()
            except OSError:
                continue
            if f"CUSTOS_HOME={self.home}\0".encode() in environment + b"\0" and int(path.name) != os.getpid():
                found.append(f"{path.name} {command.decode(errors='replace')}")
        return found

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(PROGRAMS / command[0]), *command[1:]], env={**self.environment, **environment}, text=True,
            capture_output=True, check=False, cwd=ROOT, timeout=240,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}{self.logs()}"
        return done

    def token(self, user: str, scope: str = "upload,read") -> str:
        said = self.run("python", "manage.py", "token", "--user", user, "--scope", scope, "--json", "--skip-checks")
        return str(json.loads(said.stdout)["token"])

    def json(self, *command: str, token: str) -> Any:
        return json.loads(self.run(*command, "--json", CUSTOS_TOKEN=token).stdout)

    def link(self, user: str, *flags: str) -> str:
        return self.run(
            "python", "manage.py", "sign_in_link", "--user", user, "--new", *flags, "--skip-checks"
        ).stdout.strip()
