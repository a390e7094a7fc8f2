"""A process of its own for bytes that may be hostile: limits on memory, processor time and file size, and no network.

`run_in_child` is for the caller, `confine` for the program `evidence.child` that it starts. That knows nothing of the
caller's environment, opens no socket and starts no program (seccomp), and dies with its parent.
A file that kills it kills nothing else.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import signal
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import evidence
from evidence.errors import ReadingError
from evidence.output import Output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evidence.digest import Digest

KEPT = "; the file is kept as it is, and nothing else was harmed"
ENVIRONMENT = {
    "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}  # fmt: skip
"""All that a child sees of an environment. Chunks and columns of a few MiB come and go all the time: heaps that keep
what they were given save making their pages anew. With two, threads seldom wait for each other; more take memory."""
_PATIENCE = 20
"""Times its processor seconds, which is how long a child may take by the clock."""
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER, _DIE_WITH_PARENT = 38, 22, 2, 1
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with EPERM
_ARCHITECTURES = {
    # AUDIT_ARCH, and the numbers of socket, io_uring_setup, execve, execveat, ptrace
    "x86_64": (0xC000003E, (41, 425, 59, 322, 101)),
    "aarch64": (0xC00000B7, (198, 425, 221, 281, 117)),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use: bytes of memory, processor seconds, bytes of one file that it writes."""

    memory: int
    seconds: int
    file_size: int


def run_in_child(
    procedure: str, paths: Mapping[str, Path], digests: Mapping[str, Digest], parameters: Mapping[str, Any],
    folder: Path, limits: Limits,
) -> list[Output]:  # fmt: skip
    """The outputs of a parse, an extraction or a unit tree.

    Raises `ReadingError` for what the procedure refuses and for a child that was stopped, with the limit that stopped
    it; `OSError` for a disk that does not take the outputs.
    """
    job = {
        "procedure": procedure, "paths": {role: str(path) for role, path in paths.items()},
        "digests": {role: str(digest) for role, digest in digests.items()}, "parameters": dict(parameters),
        "folder": str(folder), "limits": [limits.memory, limits.seconds, limits.file_size],
    }  # fmt: skip
    root = str(Path(evidence.__path__[0]).parent)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "evidence.child", str(os.getpid())], input=json.dumps(job).encode(),
            capture_output=True,
            env={"PYTHONPATH": root, **ENVIRONMENT}, timeout=limits.seconds * _PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ReadingError(f"the reader was stopped: it took more than {error.timeout:.0f} seconds{KEPT}") from error
    return [Output(name, folder / name) for name in _answer(done, limits)]


def _answer(done: subprocess.CompletedProcess[bytes], limits: Limits) -> list[str]:
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise ReadingError(f"the reader was stopped: {_cause(done, limits)}{KEPT}") from None
    if "errno" in said:
        raise OSError(said["errno"], said["text"])
    if "refused" in said:
        raise ReadingError(said["refused"])
    outputs: list[str] = said["outputs"]
    return outputs


def _cause(done: subprocess.CompletedProcess[bytes], limits: Limits) -> str:
    """Why a child ended without an answer."""
    if done.returncode == -signal.SIGXCPU:
        return f"it used more than {limits.seconds} seconds of processor time"
    if done.returncode < 0:
        return f"it was ended by {signal.Signals(-done.returncode).name}"
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    return f"it ended with {done.returncode}: {last[0][:300] if last else 'no word'}"


def confine(limits: Limits) -> None:
    """Hold this process to the limits, and take sockets and other programs away from it, for good."""
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory), (resource.RLIMIT_CPU, limits.seconds),
        (resource.RLIMIT_FSIZE, limits.file_size), (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        _, hard = resource.getrlimit(kind)
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (least, least if kind != resource.RLIMIT_CPU else hard))
    _refuse_calls()


def _refuse_calls() -> None:
    """A seccomp filter: load the architecture and compare, load the call's number and compare with each refused one."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise ReadingError(f"readers cannot be kept from the network on {machine}; use one of {list(_ARCHITECTURES)}")
    architecture, calls = _ARCHITECTURES[machine]
    steps = [(0x20, 0, 0, 4), (0x15, 1, 0, architecture), (0x06, 0, 0, _REFUSE), (0x20, 0, 0, 0)]
    for place, call in enumerate(calls):
        steps.append((0x15, len(calls) - place, 0, call))
    steps += [(0x06, 0, 0, _ALLOW), (0x06, 0, 0, _REFUSE)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HxxxxxxQ", len(steps), ctypes.addressof(code)))
    _c("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _c("prctl", _SET_SECCOMP, _FILTER, ctypes.addressof(program), 0, 0)


def die_with_parent(parent: int) -> None:
    """The kernel kills this process when its parent, the process of this number, is gone; at once if it is already."""
    _c("prctl", _DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked, which then says nothing
        os.kill(os.getpid(), signal.SIGKILL)


def _c(function: str, *arguments: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, function)(*(ctypes.c_ulong(value) for value in arguments)):
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")
