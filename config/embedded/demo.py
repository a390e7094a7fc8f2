"""`make demo`: start everything, file the founding case, check it with custos-verify, and stay up."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from config import env


def main() -> int:
    """Exit status of the supervisor, or 1 if the demonstration failed."""
    supervisor = subprocess.Popen(
        [sys.executable, str(env.ROOT / "manage.py"), "up"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.send_signal(signal.SIGTERM))
    lines: list[str] = []
    for line in supervisor.stdout or ():
        lines.append(line)
        print(line, end="", flush=True)
        if line.startswith("Stop with"):
            break
    else:
        return supervisor.wait()
    status = _demonstrate()
    print("DONE: the service stays up. Stop with Ctrl-C." if status == 0 else "FAILED", flush=True)
    if status:
        supervisor.send_signal(signal.SIGTERM)
    supervisor.wait()
    return status


def _demonstrate() -> int:
    home = env.home()
    folder = Path(tempfile.mkdtemp(prefix="custos-demo-"))
    environment = {**os.environ, "CUSTOS_HOME": str(home)}
    programs = Path(sys.executable).parent
    status = subprocess.run(
        [str(programs / "custos"), "demo", "--folder", str(folder)], env=environment, check=False
    ).returncode
    if status:
        return status
    for part in ("concentration", "crosscheck"):
        command = ["custos-verify", str(folder / part), "--policy", str(home / "policy.txt")]
        print(f"\n$ {shlex.join(command)}", flush=True)
        if subprocess.run([str(programs / command[0]), *command[1:]], check=False).returncode not in (0, 3):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
