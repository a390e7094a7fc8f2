"""Statements about derivations, written: our buildType of SLSA provenance, and a derivation's identity."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evidence.attest.statement import BUILD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE
from evidence.canonical import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evidence.digest import Digest


@dataclass(frozen=True, slots=True)
class Derivation:
    """Inputs by digest, a named procedure, its parameters: all that decides what comes out."""

    procedure: str
    parameters: Mapping[str, Any]
    inputs: tuple[tuple[str, Digest], ...]

    @property
    def identity(self) -> str:
        """Hexadecimal; engine, machine and time are not in it, so that the same work is found again."""
        inputs = sorted([role, str(digest)] for role, digest in self.inputs)
        value = {"procedure": self.procedure, "parameters": dict(self.parameters), "inputs": inputs}
        return hashlib.sha256(b"custos-derivation-v1\n" + canonical(value)).hexdigest()


@dataclass(frozen=True, slots=True)
class Invocation:
    """One making of a derivation: where, by which engine and code, from when to when (RFC 3339)."""

    id: str
    builder: str
    engine: Mapping[str, str]
    code: Digest
    software: str
    started: str
    finished: str


BYPRODUCTS = frozenset({"report.json", "rejects.parquet"})
"""Outputs that tell of the making: the conservation report of a parse, and what it could not read."""


def _resource(name: str, digest: Digest) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest.hex}}


def statement_bytes(derivation: Derivation, invocation: Invocation, outputs: Sequence[tuple[str, Digest]]) -> bytes:
    """The statement's exact bytes. The code stands among the dependencies, told apart by its `uri`."""
    name, _, version = invocation.software.partition("/")
    inputs = [_resource(*item) for item in sorted(derivation.inputs)]
    code = {"uri": f"pkg:pypi/{name}@{version}", **_resource("code", invocation.code)}
    return canonical({
        "_type": STATEMENT_TYPE,
        "predicateType": PREDICATE_TYPE,
        "subject": [_resource(*output) for output in sorted(outputs)],
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "procedure": derivation.procedure, "parameters": dict(derivation.parameters)
                },
                "internalParameters": dict(invocation.engine),
                "resolvedDependencies": [*inputs, code],
            },
            "runDetails": {
                "builder": {"id": invocation.builder},
                "metadata": {
                    "invocationId": invocation.id,
                    "startedOn": invocation.started,
                    "finishedOn": invocation.finished,
                },
                "byproducts": [_resource(*output) for output in sorted(outputs) if output[0] in BYPRODUCTS],
            },
        },
    })  # fmt: skip
