"""A log whose keys were replaced, with its events and receipts, made from the golden set's seeds."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from evidence.attest.derivation import Derivation
from evidence.digest import Digest
from evidence.keys import Ed25519Signer, MlDsa44Signer, keyid
from evidence.log.checkpoint import Checkpoint, sign_checkpoint
from evidence.log.hashing import leaf_hash, tree_root
from evidence.log.note import ED25519, ML_DSA_44, Vkey
from evidence.log.policy import policy_text
from evidence.log.proof import inclusion_proof
from evidence.log.tlogproof import TlogProof
from evidence.opening import commitment
from evidence.receipt import receipt_bytes

RUN = Derivation("parse.bind@2", {}, (("source", Digest.of(b"x")),))
UNIX = 1793491200


def listed(signers) -> list[dict[str, str]]:
    return [
        {"keyid": keyid(key.public), "algorithm": key.algorithm, "public": base64.b64encode(key.public).decode()}
        for key in signers
    ]


@dataclass
class World:
    """A log whose statement keys were rotated at index 3, and whose own keys were revoked at index 6."""

    golden: Any
    old: dict[str, tuple] = field(init=False)
    new: dict[str, tuple] = field(init=False)
    events: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        seed = self.golden.seed
        self.old = {"log": self.golden.LOG, "dsse": self.golden.DSSE}
        self.new = {name: (Ed25519Signer(seed(f"{name} 2")), MlDsa44Signer(seed(f"{name} 2"))) for name in self.old}
        self.events = [
            self.introduction(0, "log", self.old["log"], 0), self.introduction(1, "dsse", self.old["dsse"], 0),
            self.creation(2, self.old["dsse"]), self.end(3, "key rotation", "dsse"),
            self.introduction(4, "dsse", self.new["dsse"], 4), self.creation(5, self.new["dsse"]),
            self.end(6, "key revocation", "log"), self.introduction(7, "log", self.new["log"], 7),
        ]  # fmt: skip

    def introduction(self, number: int, purpose: str, signers, after: int) -> bytes:
        detail = {"purpose": purpose, "after": after, "keys": listed(signers)}
        return self.golden.event(number, "key introduction", {}, detail)

    def end(self, number: int, kind: str, purpose: str, following=None) -> bytes:
        keys, next_keys = listed(self.old[purpose]), listed(following or self.new[purpose])
        detail = {"purpose": purpose, "reason": "a test", "keys": keys, "next": next_keys}
        return self.golden.event(number, kind, {}, detail)

    def creation(self, number: int, signers) -> bytes:
        detail = {"run": "r", "procedure": RUN.procedure, "identity": RUN.identity, "keys": listed(signers)}
        return self.golden.event(number, "creation", {"statement": b"%d" % number}, detail)

    def policy(self, signers) -> str:
        return policy_text(
            [
                Vkey(self.golden.ORIGIN, ED25519, signers[0].public),
                Vkey(self.golden.ORIGIN, ML_DSA_44, signers[1].public),
            ]
        )

    def note(self, size: int, signers) -> str:
        return str(sign_checkpoint(Checkpoint(self.golden.ORIGIN, size, tree_root(self.leaves[:size])), *signers, UNIX))

    @property
    def leaves(self) -> list[bytes]:
        return [leaf_hash(commitment(self.golden.seed(f"{n}"), text)) for n, text in enumerate(self.events)]

    def receipt(self, index: int, size: int, signers) -> bytes:
        leaves = self.leaves
        path = inclusion_proof(index, size, lambda start, stop: tree_root(leaves[start:stop]))
        proof = str(TlogProof(index, tuple(path), self.note(size, signers)))
        return receipt_bytes(
            event=self.events[index].decode(), salt=self.golden.seed(f"{index}"), proof=proof, disclosures=[],
            policy=self.policy(signers),
        )  # fmt: skip

    def receipts(self, *indices: int, size: int = 7, signers=None) -> dict[str, bytes]:
        return {f"{index}.receipt.json": self.receipt(index, size, signers or self.old["log"]) for index in indices}
