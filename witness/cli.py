"""The command `custos-witness`: make a witness, let it follow logs, run it."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.errors import EvidenceError
from witness import state
from witness.server import serve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence.log.witness import WitnessKeys

FAILED = 1
_LAST_PORT = 65_535


def main(argv: Sequence[str] | None = None, prog: str = "custos-witness") -> int:
    said = _parser(prog).parse_args(argv)
    try:
        if said.act == "init":
            print(policy_lines(state.found(said.folder, said.name), said.url))
        elif said.act == "show":
            print(policy_lines(state.open_keys(said.folder), said.url))
        elif said.act == "follow":
            state.follow(said.folder, said.vkey)
        else:
            _run(said.folder, said.listen)
    except (EvidenceError, OSError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return FAILED
    return 0


def policy_lines(keys: WitnessKeys, url: str) -> str:
    """What a log and its readers put into their C2SP tlog-policy."""
    plain, quantum = keys.vkeys
    name = keys.name.replace("/", "-")
    address = f" {url}" if url else ""
    return f"witness {name} {plain}{address}\nwitness {name}-pq {quantum}{address}"


def _run(folder: Path, listen: str) -> None:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or len(port) > 5 or int(port) > _LAST_PORT:
        raise state.WitnessError(f"--listen {listen!r}: write ADDRESS:PORT")
    with state.claim(folder):
        server = serve(folder, host.strip("[]"), int(port))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        print(f"READY http://{host}:{server.server_address[1]}", flush=True)
        try:
            server.serve_forever()
        finally:
            server.server_close()


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="A witness for transparency logs (C2SP tlog-witness).")
    acts = parser.add_subparsers(dest="act", required=True)
    init = acts.add_parser("init", help="make a new witness; prints its lines for a tlog-policy")
    init.add_argument("--name", required=True, help="its name for ever: a URL without the scheme")
    show = acts.add_parser("show", help="print its lines for a tlog-policy again")
    for one in (init, show):
        one.add_argument("--url", default="", help="where it will be reached, to stand in the lines")
    follow = acts.add_parser("follow", help="cosign for a log")
    follow.add_argument("vkey", nargs="+", help="all verifier keys of the log, from its policy")
    run = acts.add_parser("run", help="answer requests until stopped")
    run.add_argument("--listen", default="127.0.0.1:8100", metavar="ADDRESS:PORT")
    for one in (init, show, follow, run):
        one.add_argument("--folder", type=Path, required=True, help="where it keeps its keys and its memory")
    return parser


if __name__ == "__main__":
    sys.exit(main())
