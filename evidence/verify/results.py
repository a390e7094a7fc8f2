"""Results: read strictly, tied to the attestation that made them and to the parses behind them.

Following a result's numbers into the raw files is the business of `counting.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evidence.digest import Digest
from evidence.errors import FormatError
from evidence.strictjson import LARGEST, members, parse_object, refuse_other_form
from evidence.verify.trust import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence.verify.attestations import OpenAttestation
    from evidence.verify.files import Document
    from evidence.verify.findings import Findings

RESULT_FORMAT = "custos/result@1"
MEMBERS: dict[str, type | tuple[type, ...]] = {
    "format": str, "procedure": str, "parameters": dict, "inputs": list, "sources": list, "title": str, "answer": str,
    "findings": list, "table": dict, "assumptions": list, "limits": list,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """One finding of a result: a number and the file of byte ranges it was counted from."""

    name: str
    title: str
    value: int
    unit: str
    words: tuple[str, ...]
    client: str
    sources_name: str
    sources_digest: str
    sources_count: int
    said: dict[str, Any]
    """All that the result says of this finding."""


@dataclass(frozen=True, slots=True)
class OpenResult:
    """A result that could be read; that it was checked is in the findings, not here."""

    where: str
    digest: str
    procedure: str
    parameters: dict[str, Any]
    inputs: tuple[tuple[str, str], ...]
    sources: tuple[str, ...]
    answers: tuple[Answer, ...]
    said: dict[str, Any]

    @property
    def input_digests(self) -> set[str]:
        return {digest for _role, digest in self.inputs}


def open_result(document: Document, findings: Findings) -> OpenResult | None:
    try:
        value = parse_object(document.content, "result")
        result = _result(document, value)
    except (*REFUSALS, KeyError) as error:
        findings.wrong("result-format", document.name, "not a result", got=str(error), wanted=RESULT_FORMAT)
        return None
    return result


def _result(document: Document, value: dict[str, Any]) -> OpenResult:
    members(value, MEMBERS, "result")
    refuse_other_form(document.content, value, "result")
    if value["format"] != RESULT_FORMAT:
        raise FormatError(f"unknown format {value['format']!r}")
    inputs = tuple((_text(item, "role"), str(Digest.parse(_text(item, "digest")))) for item in value["inputs"])
    sources = tuple(str(Digest.parse(_text(item, "digest"))) for item in value["sources"])
    answers = tuple(_answer(item) for item in value["findings"])
    if len({answer.name for answer in answers}) != len(answers):
        raise FormatError("a finding's name stands twice")
    digest, procedure, parameters = str(document.digest), value["procedure"], value["parameters"]
    return OpenResult(document.name, digest, procedure, parameters, inputs, sources, answers, value)


def _answer(item: Any) -> Answer:
    sources = _member(item, "sources", dict)
    needles = _member(item, "each_line_contains", list)
    if not all(isinstance(needle, str) and needle and needle.isascii() for needle in needles):
        raise FormatError("each_line_contains: texts of ASCII characters are wanted")
    return Answer(
        name=_text(item, "name"),
        title=_text(item, "title"),
        value=_count(item, "value"),
        unit=_text(item, "unit"),
        words=tuple(needles),
        client=_text(item, "client") if "client" in item else "",
        sources_name=_text(sources, "name"),
        sources_digest=str(Digest.parse(_text(sources, "digest"))),
        sources_count=_count(sources, "count"),
        said=item,
    )


def _member(item: Any, name: str, kind: type) -> Any:
    if not isinstance(item, dict) or not isinstance(item.get(name), kind):
        raise FormatError(f"member {name!r} is missing or of the wrong kind")
    return item[name]


def _text(item: Any, name: str) -> str:
    return str(_member(item, name, str))


def _count(item: Any, name: str) -> int:
    count = _member(item, name, int)
    if isinstance(count, bool) or not 0 <= count < LARGEST:
        raise FormatError(f"member {name!r} is no count")
    return int(count)


def check_result(result: OpenResult, attestations: Sequence[OpenAttestation], findings: Findings) -> None:
    """The attestation that made this result, and the parses that made what it was made from."""
    made_by = [attestation for attestation in attestations if result.digest in attestation.outputs]
    for attestation in made_by:
        _check_made(result, attestation, findings)
    parses = [attestation for attestation in attestations if attestation.is_parse]
    read_from = {blob for parse in parses if parse.outputs & result.input_digests for blob in parse.inputs}
    for role, digest in result.inputs:
        _check_parse(result, role, digest, parses, findings)
    for blob in result.sources:
        if blob not in read_from and result.input_digests <= _outputs(parses):
            message = "none of the result's inputs was read from this source of it"
            findings.wrong("result-inputs", result.where, message, got=blob, wanted=f"one of {sorted(read_from)}")


def _outputs(parses: Sequence[OpenAttestation]) -> set[str]:
    return {digest for parse in parses for digest in parse.outputs}


def _check_made(result: OpenResult, attestation: OpenAttestation, findings: Findings) -> None:
    statement = attestation.statement
    at = f"{result.where} under {attestation.where}"
    if (statement.procedure, statement.parameters) != (result.procedure, result.parameters):
        got, wanted = f"{result.procedure} {result.parameters}", f"{statement.procedure} {statement.parameters}"
        findings.wrong("result-attestation", at, "procedure or parameters differ", got=got, wanted=wanted)
    inputs = sorted((role, str(digest)) for role, digest in statement.inputs)
    if inputs != sorted(result.inputs):
        message = "the result names other inputs than the statement"
        findings.wrong("result-inputs", at, message, got=str(sorted(result.inputs)), wanted=str(inputs))
    for answer in result.answers:
        if str(statement.subjects.get(answer.sources_name)) != answer.sources_digest:
            message = f"the sources of {answer.name} are no output of the statement"
            wanted = f"an attested output named {answer.sources_name}"
            findings.wrong("result-attestation", at, message, got=answer.sources_digest, wanted=wanted)
    if attestation.is_vouched:
        findings.ok("result-attestation", at, f"an attested output of {statement.procedure}")


def _check_parse(
    result: OpenResult, role: str, digest: str, parses: Sequence[OpenAttestation], findings: Findings
) -> None:
    made_by = [parse for parse in parses if digest in parse.outputs]
    if not made_by:
        message = f"how its input {role} was read from the raw file: no attestation of that was given"
        findings.unchecked("parse-absent", result.where, message, wanted=f"the attestation with output {digest}")
    for parse in made_by:
        if parse.inputs & set(result.sources):
            findings.ok("result-inputs", result.where, f"{role} is an output of {parse.where}, read from its source")
        else:
            message = f"{role} was not read from a source of this result ({parse.where})"
            got, wanted = str(sorted(parse.inputs)), f"one of {list(result.sources)}"
            findings.wrong("result-inputs", result.where, message, got=got, wanted=wanted)
