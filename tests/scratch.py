"""A database and a state folder of a test's own, used by processes of their own, as the service's are."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.prepared import Ended, Prepared
from tests.stores import store_for

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
SET_UP = "import django; django.setup()\n"

WRITE = """
from archive.models import Case
from archive.services.custody import record_event
from archive.services.sequencing import sequence_pending
from django.db import transaction
case = Case.objects.get()
with transaction.atomic():
    for n in range({count}):
        record_event(case=case, type="access", objects=[], detail={{"n": n}})
sequence_pending()
"""


def _unchecked(arguments: Sequence[str]) -> tuple[str, ...]:
    """Django's checks load every door; the witness's command has a parser of its own and knows none of them."""
    return () if arguments[0] == "witness" else ("--skip-checks",)


class Scratch:
    """An empty database in the tests' own server. What is committed in it is committed for good."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.name = f"scratch_{secrets.token_hex(6)}"
        self._server = os.environ["DATABASE_URL"]
        self._copies: list[str] = []
        self._prepared: dict[str, Prepared] = {}
        self.conninfo = make_conninfo(self._server, dbname=self.name)
        self.environment = os.environ | {
            "DATABASE_URL": self.conninfo, "CUSTOS_HOME": str(home), "CUSTOS_STORE": store_for(home),
            "CELERY_BROKER_URL": "memory://", "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": str(ROOT),
        }  # fmt: skip

    def __enter__(self) -> Self:
        self._on_server("CREATE DATABASE {}")
        return self

    def __exit__(self, *_: object) -> None:
        for prepared in self._prepared.values():
            prepared.close()
        self._on_server("DROP DATABASE {} WITH (FORCE)")
        with psycopg.connect(self._server, autocommit=True) as connection:
            for copy in self._copies:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(copy)))

    def keep_copy(self) -> str:
        """A backup as it is now; its name. Whoever is connected, and does nothing, connects anew."""
        copy = f"{self.name}_{secrets.token_hex(3)}"
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self.name])
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(copy), sql.Identifier(self.name)
            )
            connection.execute(statement)
        self._copies.append(copy)
        return copy

    def restore(self, copy: str) -> None:
        """Put the backup in the database's place."""
        self._on_server("DROP DATABASE {} WITH (FORCE)")
        with psycopg.connect(self._server, autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(self.name), sql.Identifier(copy)
            )
            connection.execute(statement)

    def _on_server(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(self.name)))  # type: ignore[arg-type]

    def manage(self, *arguments: str) -> str:
        """Run manage.py; what it prints. Raises `AssertionError` if it fails."""
        return _out(self._process().manage(*arguments, *_unchecked(arguments)))

    def python(self, code: str) -> str:
        """Run code with Django set up; what it prints. Raises `AssertionError` if it fails."""
        return _out(self._process().code(code))

    def _process(self) -> Prepared:
        """One that was loaded with the environment as it is now."""
        key = repr(sorted(self.environment.items()))
        return self._prepared.get(key) or self._prepared.setdefault(key, Prepared(self.environment))

    def with_log(self, events: int) -> None:
        """Migrated, with keys, a case, and so many events under a checkpoint, two of which introduce the keys."""
        self.manage("migrate", "--verbosity", "0")
        self.manage("make_keys")
        self.python("from archive.services import access\naccess.ensure_case(principal=access.principal_of("
                    "access.ensure_user(user_name='ann')), reference='a')")  # fmt: skip
        self.add_events(events - 2)

    def add_events(self, count: int) -> None:
        self.python(WRITE.format(count=count))

    def start(self, code: str) -> subprocess.Popen[str]:
        """The same in the background."""
        command = [sys.executable, "-c", SET_UP + code]
        return subprocess.Popen(
            command, env=self.environment, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run SQL as the owner and commit; the rows that it gives."""
        with psycopg.connect(self.conninfo) as connection:
            cursor = connection.execute(query.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def tamper(self, statement: str) -> None:
        """Run SQL as somebody who owns the server and takes the triggers away for himself."""
        with psycopg.connect(self.conninfo) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(statement.encode())

    def refused(self, *arguments: str) -> str:
        """Run manage.py, which has to fail without a traceback; what it says."""
        done = self._process().manage(*arguments, *_unchecked(arguments))
        assert done.status != 0, done.out
        assert "Traceback" not in done.err
        return done.err


def _out(done: Ended) -> str:
    assert done.status == 0, f"ended with {done.status}: {done.err[-3000:]}"
    return done.out
