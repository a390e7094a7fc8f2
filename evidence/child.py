"""The program that reads hostile bytes: one job from standard input, one answer on standard output.

Its one argument is the number of the process that it is to end with. It is started and held to its limits by
`evidence.sandbox`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence import unit_tree
from evidence.digest import Digest
from evidence.errors import EvidenceError, ReadingError
from evidence.extraction import EXTRACTIONS, extract
from evidence.formats.registry import FORMATS
from evidence.parsing import parse
from evidence.sandbox import KEPT, Limits, confine, die_with_parent

if TYPE_CHECKING:
    from evidence.output import Output


_NO_THREAD = "can't start new thread"
"""What Python says where there is no address space left for a thread's stack."""


def main() -> None:
    """The child: one job from standard input, one answer on standard output."""
    die_with_parent(int(sys.argv[1]))
    job = json.load(sys.stdin)
    limits = Limits(*job["limits"])
    try:
        confine(limits)
        answer: dict[str, Any] = {"outputs": [output.name for output in _run(job)]}
    except EvidenceError as error:
        answer = {"refused": str(error)}
    except MemoryError:
        answer = {"refused": _short_of_memory(limits)}
    except OSError as error:
        answer = {"errno": error.errno or 0, "text": error.strerror or str(error)}
    except RuntimeError as error:
        if str(error) != _NO_THREAD:
            raise
        answer = {"refused": _short_of_memory(limits)}
    json.dump(answer, sys.stdout)


def _short_of_memory(limits: Limits) -> str:
    return f"the reader was stopped: it wanted more than {limits.memory >> 20} MiB of memory{KEPT}"


def _run(job: dict[str, Any]) -> list[Output]:
    procedure = job["procedure"]
    run = _JOBS.get(procedure)
    if run is None:
        raise ReadingError(f"{procedure} is no reader")
    paths = {role: Path(path) for role, path in job["paths"].items()}
    digests = {role: Digest.parse(digest) for role, digest in job["digests"].items()}
    return run(procedure, paths, digests, job["parameters"], Path(job["folder"]))


_JOBS = {
    **dict.fromkeys(FORMATS, parse), **dict.fromkeys(EXTRACTIONS, extract),
    **dict.fromkeys((unit_tree.PLANT, unit_tree.DISCLOSE), unit_tree.run),
}  # fmt: skip


if __name__ == "__main__":
    main()
