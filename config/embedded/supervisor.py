"""`manage.py up`: everything on one machine, started in order, watched, and stopped in the opposite order."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from config import env
from config.embedded import databases, postgres, processes
from config.embedded.commands import SEPARATOR
from config.embedded.watch import GivenUpError, Watched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_READY_WITHIN = 90.0
_STOP_WITHIN = 4.0
ADMINISTRATOR = "admin"
WORKERS = ("worker-1", "worker-2")


class StartError(Exception):
    """The installation cannot be started; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Where this installation lives and answers."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Stop(Exception):  # noqa: N818 -- a wish, not a fault
    """Somebody asked the supervisor to stop."""


def run(installation: Installation) -> None:
    """Start, say READY, and stay until asked to stop. Raises `StartError`."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _raise_stop)
    with ExitStack() as stack:
        try:
            _run(installation, stack)
        except _Stop:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            print("stopping", flush=True)


def _raise_stop(*_: object) -> None:
    raise _Stop


def _run(installation: Installation, stack: ExitStack) -> None:
    home = installation.home
    for folder in (home, home / "logs"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _lock(installation, stack)
    _refuse_busy_port(installation.port)
    database, environment = _database(home, stack)
    environment |= {"PYTHONUNBUFFERED": "1"}
    environment |= {"CUSTOS_HOME": str(home), "CUSTOS_PORT": str(installation.port)}
    link = _prepare_archive(home, environment)
    programs = [_watched(_program(installation, name, environment)) for name in _programs(installation)]
    stack.callback(lambda: processes.stop([part.child for part in programs], _STOP_WITHIN))
    parts = programs if database is None else [*programs, database]
    _wait_until_ready(installation, parts)
    print(f"READY {installation.url}", flush=True)
    print(f"Sign in once as {ADMINISTRATOR}: {link}", flush=True)
    print("Stop with Ctrl-C.", flush=True)
    _watch(parts)


def _lock(installation: Installation, stack: ExitStack) -> None:
    """One supervisor a state folder; whoever comes second is told where the first one is."""
    file = stack.enter_context((installation.home / "up.lock").open("a+"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        said: dict[str, Any] = json.loads(file.read() or "{}")
        raise StartError(
            f"Custos is running already for {installation.home}: {said.get('url', 'it is just starting')} "
            f"(process {said.get('pid', 'unknown')}); stop it first, or set CUSTOS_HOME and CUSTOS_PORT for another one"
        ) from error
    file.truncate(0)
    file.write(json.dumps({"url": installation.url, "pid": os.getpid()}))
    file.flush()


def _refuse_busy_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StartError(f"port {port} is taken by another program; set CUSTOS_PORT to a free one") from error


def _database(home: Path, stack: ExitStack) -> tuple[Watched | None, dict[str, str]]:
    """Schema and grants on the given database, or on the embedded one; the environment that all parts share."""
    given, database = env.text("DATABASE_URL", ""), None
    if given:
        owner, application = env.text("CUSTOS_OWNER_DATABASE_URL", given), given
    else:
        try:
            server = postgres.start(home / "pg")
        except postgres.PostgresError as error:
            raise StartError(str(error)) from error
        database = _watched(lambda: _database_child(home, postgres.start(home / "pg")), _database_child(home, server))
        stack.callback(lambda part: postgres.stop(part.child.process, 2.0), database)
        owner, application = databases.prepare(server), env.conninfo(home)
    migrate = ["migrate", "--no-input", "--verbosity", "0"]
    grant = ["grant_application_role", env.APPLICATION_ROLE if not given else str(env.database(given)["USER"])]
    wanted = [migrate] if owner == application else [migrate, grant]
    _manage(home, {"DATABASE_URL": owner, "CUSTOS_HOME": str(home)}, *wanted)
    if env.text("CELERY_BROKER_URL", "pgmq://").startswith("pgmq"):
        databases.install_broker(application)
    return database, {"DATABASE_URL": application}


def _database_child(home: Path, server: postgres.EmbeddedPostgres) -> processes.Child:
    return processes.Child("database", server.process, home / "postgres.log")


def _watched(again: Callable[[], processes.Child], running: processes.Child | None = None) -> Watched:
    return Watched(running or again(), again, time.monotonic())


def _prepare_archive(home: Path, environment: dict[str, str]) -> str:
    """Keys, and a look at store and ledger before anybody is served; the administrator's way in."""
    link = ["sign_in_link", "--user", ADMINISTRATOR, "--administrator"]
    said = _manage(home, environment, ["make_keys"], ["check_worm"], ["check_ledger", "--start"], link)
    return said.splitlines()[-1]


def _manage(home: Path, environment: dict[str, str], *wanted: list[str]) -> str:
    """Run manage.py's commands in turn; what they print. Raises `StartError`."""
    words = [word for command in wanted for word in (SEPARATOR, *command)]
    done = subprocess.run(
        [sys.executable, "-m", "config.embedded.commands", *words], env={**os.environ, **environment},
        capture_output=True, text=True, check=False, cwd=env.ROOT,
    )  # fmt: skip
    if done.returncode:
        raise StartError(f"{home} cannot be prepared:\n{done.stderr[-3000:]}")
    return done.stdout


def _programs(installation: Installation) -> dict[str, list[str]]:
    home = installation.home
    web = [
        sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{installation.port}",
        "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--timeout", "120", "--graceful-timeout", "2",
        "--no-control-socket", "--preload",
    ]  # fmt: skip
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    workers = {  # without a pool: a process of one that is killed may leave a lock behind for which all others wait
        name: [
            sys.executable, "-m", "celery", "-A", "config.celery", "worker", "--pool", "solo",
            "--hostname", f"{name}@%h", "--loglevel", "WARNING", *quiet,
        ]
        for name in WORKERS
    }  # fmt: skip
    sequencer = [
        sys.executable, "-m", "celery", "-A", "config.celery", "worker", "--queues", env.LEDGER_QUEUE, "--pool", "solo",
        "--hostname", "sequencer@%h", "--loglevel", "WARNING", *quiet,
    ]  # fmt: skip
    beat = [  # a process of its own: a worker does not notice when the beat inside it ends
        sys.executable, "-m", "celery", "-A", "config.celery", "beat", "--schedule", str(home / "beat"),
        "--pidfile", "", "--loglevel", "WARNING",
    ]  # fmt: skip
    return {"web": web, **workers, "sequencer": sequencer, "beat": beat}


def _wait_until_ready(installation: Installation, parts: list[Watched]) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    said = "no answer"
    while time.monotonic() < deadline:
        _refuse_ended(parts)
        try:
            with urllib.request.urlopen(f"{installation.url}/readyz", timeout=10):  # noqa: S310 -- our own address
                return
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
        except OSError as error:
            said = str(error)
        time.sleep(0.2)
    raise StartError(f"not ready after {_READY_WITHIN:.0f} s: {said}; see {installation.home / 'logs'}")


def _refuse_ended(parts: list[Watched]) -> None:
    for child in [part.child for part in parts]:
        if child.ended:
            raise StartError(f"the {child.name} process ended; the end of {child.log}:\n{processes.tail(child.log)}")


def _watch(parts: list[Watched]) -> None:
    """Start again what ends. Raises `StartError` when something does not stay."""
    while True:
        time.sleep(0.5)
        for part in parts:
            try:
                part.tend(time.monotonic())
            except GivenUpError as error:
                raise StartError(str(error)) from error


def _program(installation: Installation, name: str, environment: dict[str, str]) -> Callable[[], processes.Child]:
    """How to start one of the programs."""
    log = installation.home / "logs" / f"{name}.log"
    return lambda: processes.start(name, _programs(installation)[name], env.ROOT, environment, log)
