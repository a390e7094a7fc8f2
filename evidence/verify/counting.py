"""Numbers followed down: result → sources file → byte ranges in the raw file, counted.

Before the raw files are read, `claims_of` says what is to be looked for in them; afterwards `count_numbers` says what
was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.verify.findings import Number
from evidence.verify.scan import Claim

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evidence.verify.attestations import OpenAttestation
    from evidence.verify.findings import Findings
    from evidence.verify.results import Answer, OpenResult
    from evidence.verify.scan import RawFile
    from evidence.verify.sources import SourcesFile

COUNTS_LINES = frozenset({"lookups"})
DELIMITED = "parse.delimited@"
SHOWN_PROBLEMS = 3


def claims_of(
    results: Sequence[OpenResult], sources: Mapping[str, SourcesFile], parses: Sequence[OpenAttestation]
) -> dict[str, list[Claim]]:
    """What every finding says of every blob."""
    claims: dict[str, list[Claim]] = {}
    for result in results:
        for answer in result.answers:
            given = sources.get(answer.sources_digest)
            for blob, ranges in given.blobs.items() if given else ():
                claim = Claim(_key(result, answer), ranges, answer.needles, _many_lines_in_one(blob, parses))
                claims.setdefault(blob, []).append(claim)
    return claims


def _key(result: OpenResult, answer: Answer) -> tuple[str, str]:
    """What tells a finding from all others: two results in two folders may well have one file name."""
    return result.digest, answer.name


def _many_lines_in_one(blob: str, parses: Sequence[OpenAttestation]) -> bool | None:
    """Whether the reader of this blob takes quoted line ends; None if no given attestation says which reader."""
    procedures = [parse.statement.procedure for parse in parses if parse.is_parse and blob in parse.inputs]
    if not procedures:
        return None
    return any(procedure.startswith(DELIMITED) for procedure in procedures)


def count_numbers(
    results: Sequence[OpenResult],
    sources: Mapping[str, SourcesFile],
    raw: Mapping[str, RawFile],
    findings: Findings,
) -> None:
    for result in results:
        absent = [answer for answer in result.answers if answer.sources_digest not in sources]
        for answer in absent:
            message = f"{answer.name} ({answer.value} {answer.unit}) was not followed: its sources were not given"
            wanted = f"{answer.sources_name} ({answer.sources_digest})"
            findings.unchecked("sources-absent", result.where, message, wanted=wanted)
            findings.numbers.append(
                Number(result.where, answer.name, answer.title, answer.value, 0, "", "", followed=False)
            )
        for answer in result.answers:
            if answer not in absent:
                _follow(result, answer, sources[answer.sources_digest], raw, findings)


def _follow(
    result: OpenResult, answer: Answer, given: SourcesFile, raw: Mapping[str, RawFile], findings: Findings
) -> None:
    at = f"{result.where}: {answer.name}"
    counts = _check_counts(result, answer, given, at, findings)
    if not given.blobs:
        findings.numbers.append(
            Number(result.where, answer.name, answer.title, answer.value, 0, "", given.name, followed=counts)
        )
    for blob, ranges in given.blobs.items():
        file = raw.get(blob)
        good = _of_blob(result, answer, blob, len(ranges), file, findings)
        followed = counts and good == len(ranges)
        name = file.name if file else ""
        findings.numbers.append(
            Number(result.where, answer.name, answer.title, answer.value, good, blob, name, followed=followed)
        )


def _check_counts(result: OpenResult, answer: Answer, given: SourcesFile, at: str, findings: Findings) -> bool:
    lines, counts = f"{given.count} ranges in {given.name}", True
    if given.count != answer.sources_count:
        message = "the result names another count of sources"
        findings.wrong("sources-count", at, message, got=lines, wanted=f"{answer.sources_count}")
        counts = False
    if answer.value != given.count and answer.unit in COUNTS_LINES:
        message = "the number is not the count of its lines"
        findings.wrong("sources-count", at, message, got=f"{answer.value} {answer.unit}", wanted=lines)
        counts = False
    elif answer.value != given.count:
        message = f"a number of {answer.unit} is not a count of lines and was not recomputed"
        findings.unchecked("sources-count", at, message, got=f"{answer.value} {answer.unit} in {lines}")
        counts = False
    for blob in given.blobs:
        if blob not in result.sources:
            message = "a range lies in a file that is no source of the result"
            findings.wrong("sources-count", at, message, got=blob, wanted=f"one of {list(result.sources)}")
            counts = False
    return counts


def _of_blob(
    result: OpenResult, answer: Answer, blob: str, count: int, file: RawFile | None, findings: Findings
) -> int:
    at = f"{result.where}: {answer.name}"
    if file is None:
        message = "its numbers were not counted in the raw file, which was not given"
        findings.unchecked("lines-absent", result.where, message, wanted=blob)
        return 0
    claim = next((claim for claim in file.claims if claim.key == _key(result, answer)), None)
    if claim is None:
        # A receipt gives this digest another size, so its lines were not looked for in this file; that is said there.
        findings.unchecked("lines", at, f"its lines were not counted in {file.name}", wanted=blob)
        return 0
    for message, got, wanted in claim.problems[:SHOWN_PROBLEMS]:
        findings.wrong("lines", at, f"{file.name}, {message}", got=got, wanted=wanted)
    if len(claim.problems) > SHOWN_PROBLEMS:
        message = f"{file.name}: more ranges are wrong than the {SHOWN_PROBLEMS} named"
        findings.wrong("lines", at, message, got=f"{len(claim.problems)} of {count} wrong", wanted="none")
    if claim.not_looked_at:
        message = f"{file.name}: {len(claim.not_looked_at)} ranges could not be judged"
        findings.unchecked("lines", at, message, got=claim.not_looked_at[0])
    if claim.good == count:
        words = "".join(f" {needle.decode()!r}" for needle in answer.needles)
        holding = f", each holding{words}" if words else ""
        findings.ok("lines", at, f"{count} lines counted in {blob} ({file.name}){holding}")
    return claim.good
