"""A process that has loaded the archive once and forks for each piece of work.

What runs has a process of its own, in the state of one that has just begun: nobody has asked the database before.
Loading takes a second of a core; the tests of the ledger do it some hundred times.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process printed, and with which status it ended."""

    status: int
    out: str
    err: str


class Prepared:
    """The side that asks."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], env=dict(environment), cwd=ROOT, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip

    def code(self, text: str) -> Ended:
        """Run it with Django set up."""
        return self._ask({"code": text})

    def manage(self, *arguments: str) -> Ended:
        """Run manage.py."""
        return self._ask({"arguments": arguments})

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, work: dict[str, object]) -> Ended:
        asks, tells = self._process.stdin, self._process.stdout
        if asks is None or tells is None:
            raise AssertionError("a prepared process has both")
        print(json.dumps(work), file=asks, flush=True)
        told = tells.readline()
        assert told, f"the prepared process ended with {self._process.wait()}"
        return Ended(**json.loads(told))


def _serve() -> None:
    import django

    django.setup()
    importlib.import_module("config.celery")
    importlib.import_module("archive.services.sequencing")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_in_a_fork(json.loads(line))) + "\n")
        sys.stdout.flush()


def _in_a_fork(work: dict[str, object]) -> dict[str, object]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os._exit(_status(work))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = {}
        for name, file in (("out", out), ("err", err)):
            file.seek(0)
            said[name] = file.read().decode()
        return {"status": status, **said}


def _status(work: dict[str, object]) -> int:
    """As the interpreter ends: what was raised is printed, and what was printed is written."""
    try:
        if "code" in work:
            exec(compile(str(work["code"]), "<code>", "exec"), {"__name__": "__main__"})  # noqa: S102 -- a test's own
        else:
            sys.argv = ["manage.py", *work["arguments"]]  # type: ignore[misc]
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
            return 1
        return ended.code or 0
    except BaseException:  # noqa: BLE001 -- whatever it is, the test is told
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    _serve()
