"""Reading in-toto statements about derivations (in-toto Statement v1, SLSA provenance v1; trust-formats §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evidence.digest import Digest
from evidence.errors import FormatError
from evidence.strictjson import parse_object

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://custos.example/derivation/v1"


@dataclass(frozen=True, slots=True)
class Statement:
    """What was made (`subjects` by name) from what (`inputs`: role and digest) by which procedure."""

    subjects: dict[str, Digest]
    procedure: str
    parameters: dict[str, Any]
    inputs: tuple[tuple[str, Digest], ...]
    builder: str


def parse_statement(payload: bytes) -> Statement:
    """Raises `FormatError`."""
    value = parse_object(payload, "statement")
    if value.get("_type") != STATEMENT_TYPE or value.get("predicateType") != PREDICATE_TYPE:
        raise FormatError("statement: not an in-toto Statement v1 with SLSA provenance v1")
    try:
        predicate = value["predicate"]
        definition = predicate["buildDefinition"]
        if definition["buildType"] != BUILD_TYPE:
            raise FormatError(f"statement: unknown build type {definition['buildType']!r}")
        subjects = {item["name"]: _digest(item) for item in value["subject"]}
        if len(subjects) != len(value["subject"]):
            raise FormatError("statement: a subject's name stands twice")
        return Statement(
            subjects=subjects,
            procedure=definition["externalParameters"]["procedure"],
            parameters=definition["externalParameters"]["parameters"],
            inputs=_inputs(definition["resolvedDependencies"]),
            builder=predicate["runDetails"]["builder"]["id"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"statement: a member is missing or of the wrong kind: {error}") from error


def _inputs(dependencies: list[dict[str, Any]]) -> tuple[tuple[str, Digest], ...]:
    """All dependencies but the code, which has a package's `uri`. Raises `FormatError`."""
    code = [item for item in dependencies if "uri" in item]
    if len(code) > 1 or any(item.get("name") != "code" or not str(item["uri"]).startswith("pkg:") for item in code):
        raise FormatError("statement: the code alone has a uri, a pkg: one, and the name code; inputs have none")
    return tuple((item["name"], _digest(item)) for item in dependencies if "uri" not in item)


def _digest(item: dict[str, Any]) -> Digest:
    return Digest.parse(f"sha256:{item['digest']['sha256']}")
