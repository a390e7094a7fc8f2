"""Results: read strictly, tied to the attestation that made them and to the parses behind them.

Following a result's numbers into the raw files is the business of `counting.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING, Any

from evidence.digest import Digest
from evidence.errors import FormatError
from evidence.strictjson import members, parse_object
from evidence.verify.trust import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence.verify.attestations import OpenAttestation
    from evidence.verify.files import Document
    from evidence.verify.findings import Findings

RESULT_FORMAT = "custos/result@1"
WHOLE = "lookups"
"""The finding that shares of a concentration are shares of."""
CONCENTRATION = "querier_concentration@"
LARGEST = 2**53


@dataclass(frozen=True, slots=True)
class Share:
    numerator: int
    denominator: int
    percent: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One finding of a result: a number and the file of byte ranges it was counted from."""

    name: str
    title: str
    value: int
    unit: str
    share: Share | None
    cumulative: Share | None
    needles: tuple[bytes, ...]
    sources_name: str
    sources_digest: str
    sources_count: int


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


def open_result(document: Document, findings: Findings) -> OpenResult | None:
    try:
        value = parse_object(document.content, "result")
        result = _result(document, value)
    except (*REFUSALS, KeyError) as error:
        findings.wrong("result-format", document.name, "not a result", got=str(error), wanted=RESULT_FORMAT)
        return None
    for answer in result.answers:
        _check_shares(result, answer, findings)
    return result


def _result(document: Document, value: dict[str, Any]) -> OpenResult:
    needed = {"format": str, "procedure": str, "parameters": dict, "inputs": list, "sources": list, "findings": list}
    members({name: value[name] for name in needed}, dict(needed), "result")
    if value["format"] != RESULT_FORMAT:
        raise FormatError(f"unknown format {value['format']!r}")
    inputs = tuple((_text(item, "role"), str(Digest.parse(_text(item, "digest")))) for item in value["inputs"])
    sources = tuple(str(Digest.parse(_text(item, "digest"))) for item in value["sources"])
    answers = tuple(_answer(item) for item in value["findings"])
    if len({answer.name for answer in answers}) != len(answers):
        raise FormatError("a finding's name stands twice")
    procedure, parameters = value["procedure"], value["parameters"]
    return OpenResult(document.name, str(document.digest), procedure, parameters, inputs, sources, answers)


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
        share=_share(item.get("share")),
        cumulative=_share(item.get("cumulative")),
        needles=tuple(needle.lower().encode("ascii") for needle in needles),
        sources_name=_text(sources, "name"),
        sources_digest=str(Digest.parse(_text(sources, "digest"))),
        sources_count=_count(sources, "count"),
    )


def _share(item: Any) -> Share | None:
    if item is None:
        return None
    share = Share(_count(item, "numerator"), _count(item, "denominator"), _text(item, "percent"))
    if share.denominator == 0:
        raise FormatError("a share of nothing")
    return share


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


def _check_shares(result: OpenResult, answer: Answer, findings: Findings) -> None:
    at = f"{result.where}: {answer.name}"
    for share in filter(None, (answer.share, answer.cumulative)):
        percent = _percent(share)
        if share.percent != percent:
            findings.wrong("result-share", at, "a percentage is not its fraction's", got=share.percent, wanted=percent)
    whole = next((other.value for other in result.answers if other.name == WHOLE), None)
    if answer.share and whole is not None and result.procedure.startswith(CONCENTRATION):
        share = answer.share
        if share.numerator * whole != answer.value * share.denominator:
            got, wanted = f"{share.numerator}/{share.denominator}", f"{answer.value}/{whole}"
            findings.wrong("result-share", at, "a share is not the number's part of the whole", got=got, wanted=wanted)


def _percent(share: Share) -> str:
    exact = Context(prec=60).divide(Decimal(share.numerator * 100), Decimal(share.denominator))
    return str(exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN, context=Context(prec=60)))


def check_result(result: OpenResult, attestations: Sequence[OpenAttestation], findings: Findings) -> None:
    """The attestation that made this result, and the parses that made what it was made from."""
    made_by = [attestation for attestation in attestations if result.digest in attestation.outputs]
    for attestation in made_by:
        _check_made(result, attestation, findings)
    parses = [attestation for attestation in attestations if attestation.is_parse]
    for role, digest in result.inputs:
        _check_parse(result, role, digest, parses, findings)


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
        if answer.sources_digest not in attestation.outputs:
            message = f"the sources of {answer.name} are no output of the statement"
            findings.wrong("result-attestation", at, message, got=answer.sources_digest, wanted="an attested output")
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
