"""An external signer as a newsroom may write one: a program of its own, one line of JSON in, one out.

It keeps its keys in the folder that is its first argument; the second says in which way it misbehaves.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey


def main(folder: Path, manner: str) -> None:
    request = json.loads(sys.stdin.readline())
    path = folder / request["key"]
    if not path.exists():
        answer(json.dumps({"error": f"no key {request['key']} in this module"}))
        return
    seed = bytes.fromhex(path.read_text())
    key = (
        Ed25519PrivateKey.from_private_bytes(seed)
        if request["algorithm"] == "ed25519"
        else MLDSA44PrivateKey.from_seed_bytes(seed)
    )
    if request["want"] == "public":
        answer(json.dumps({"public": base64.b64encode(key.public_key().public_bytes_raw()).decode()}))
        return
    message = base64.b64decode(request["message"])
    if manner == "wrongly":
        message += b"x"
    if manner == "slowly":
        time.sleep(600)
    if manner == "not at all":
        sys.exit("the module is locked")
    signed = json.dumps({"signature": base64.b64encode(key.sign(message)).decode()})
    answer({"in no JSON": "signed", "as a list": "[1]", "without it": '{"sig": 1}'}.get(manner, signed))


def answer(line: str) -> None:
    sys.stdout.write(line + "\n")


main(Path(sys.argv[1]), sys.argv[2])
