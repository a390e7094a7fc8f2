"""Every figure of a result made anew from the rows behind it: shares, order, first and last, table, answer.

The counts themselves are followed by `counting.py`. What a procedure says beyond them follows from the same lines, so
the whole of what it says is made here a second time, from the lines that were read, and compared. A result of a
procedure that is not known here is said to be unchecked in all but its counts. That no further line should have been
counted is shown only by running the procedure itself again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evidence.errors import EvidenceError
from evidence.verify import concentration, sightings
from evidence.verify.claims import TooManyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evidence.verify.claims import Claim, Gather
    from evidence.verify.findings import Findings
    from evidence.verify.results import OpenResult

PROCEDURES = {module.ID: module for module in (concentration, sightings)}
SHOWN = 5
FROM_LINES = ("sources", "each_line_contains")
"""Members of a finding that are followed elsewhere."""


def gather_for(procedure: str, finding: str) -> Gather:
    """What has to be kept of a finding's rows to recompute the result."""
    module = PROCEDURES.get(procedure)
    return module.GATHER.get(finding, "nothing") if module else "nothing"


def check_figures(result: OpenResult, claims: Mapping[str, Mapping[str, Claim]], findings: Findings) -> None:
    """`claims` are those that were followed to their last range, by finding and blob."""
    module = PROCEDURES.get(result.procedure)
    if module is None:
        message = "its figures beside the counts were not recomputed: this procedure is not known here"
        findings.unchecked("result-figures", result.where, message, got=result.procedure, wanted=str(list(PROCEDURES)))
        return
    unread = [answer.name for answer in result.answers if not _is_read(claims.get(answer.name))]
    if unread:
        message = "its figures beside the counts were not recomputed: not all lines behind them were read"
        findings.unchecked(
            "result-figures", result.where, message, got=", ".join(unread), wanted="lines of all numbers"
        )
        return
    try:
        expected = module.expected(result.parameters, claims)
    except TooManyError as error:
        message = "its figures beside the counts were not recomputed"
        findings.unchecked("result-figures", result.where, message, got=str(error))
        return
    except EvidenceError as error:
        message = f"is not what {result.procedure} makes of these lines"
        findings.wrong("result-figures", result.where, message, got=str(error))
        return
    _compare(result, expected, findings)


def _is_read(claims: Mapping[str, Claim] | None) -> bool:
    return claims is not None and all(claim.is_read for claim in claims.values())


def _compare(result: OpenResult, expected: dict[str, Any], findings: Findings) -> None:
    said = {name: result.said[name] for name in expected}
    said["findings"] = [_without(answer.said) for answer in result.answers]
    expected["findings"] = [_without(answer) for answer in expected["findings"]]
    different = list(_differences(said, expected, ""))
    for place, got, wanted in different[:SHOWN]:
        message = f"{place} is not what the lines give"
        findings.wrong("result-figures", result.where, message, got=got, wanted=wanted)
    if not different:
        findings.ok("result-figures", result.where, f"all that {result.procedure} says follows from its lines")


def _without(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in FROM_LINES}


def _differences(got: Any, wanted: Any, place: str) -> Iterator[tuple[str, str, str]]:
    """Where two values differ, as deep as they have the same shape."""
    if isinstance(got, dict) and isinstance(wanted, dict) and got.keys() == wanted.keys():
        for name, value in wanted.items():
            yield from _differences(got[name], value, f"{place}.{name}".lstrip("."))
    elif isinstance(got, list) and isinstance(wanted, list) and len(got) == len(wanted):
        for number, (one, other) in enumerate(zip(got, wanted, strict=True)):
            yield from _differences(one, other, f"{place}[{number}]")
    elif type(got) is not type(wanted) or got != wanted:
        yield place, repr(got)[:400], repr(wanted)[:400]
