"""The command `custos`: which part of it is meant, and what has to be installed for it.

`custos read` needs no server, and the extra `replay`; everything else talks to a server and needs the extra `client`.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

_EXTRAS = {"client.read": "replay", "client.cli": "client"}


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    part, rest = ("client.read", words[1:]) if words[:1] == ["read"] else ("client.cli", words)
    try:
        module: Any = importlib.import_module(part)
    except ModuleNotFoundError as error:
        extra = _EXTRAS[part]
        print(f"custos: {error.name} is missing; pip install 'custos[{extra}]'", file=sys.stderr)
        return 2
    answer: int = module.main(rest)
    return answer
