"""Numbers followed down: result → sources file → byte ranges in the raw file, counted.

Before the raw files are read, `claims_of` says what is to be looked for in them; afterwards `count_numbers` says what
was found, and `recompute` makes every other figure of the result anew from the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.verify.claims import Claim, word
from evidence.verify.fields import Format
from evidence.verify.findings import Number
from evidence.verify.recompute import check_figures, gather_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evidence.verify.attestations import OpenAttestation
    from evidence.verify.findings import Findings
    from evidence.verify.results import Answer, OpenResult
    from evidence.verify.scan import RawFile
    from evidence.verify.sources import Ranges, SourcesFile


def claims_of(
    results: Sequence[OpenResult], sources: Mapping[str, SourcesFile], parses: Sequence[OpenAttestation]
) -> dict[str, list[Claim]]:
    """What every finding says of every blob that its result names as a source."""
    claims: dict[str, list[Claim]] = {}
    for result in results:
        for answer in result.answers:
            given = sources.get(answer.sources_digest)
            for blob, ranges in given.blobs.items() if given else ():
                if blob in result.sources:
                    claims.setdefault(blob, []).append(_claim(result, answer, ranges, _format(blob, result, parses)))
    return claims


def _claim(result: OpenResult, answer: Answer, ranges: Ranges, of: Format | None) -> Claim:
    name = result.parameters.get("name")
    return Claim(
        key=_key(result, answer), ranges=ranges, words=tuple(map(word, answer.words)), format=of,
        name=name if isinstance(name, str) else "", client=answer.client,
        gather=gather_for(result.procedure, answer.name),
    )  # fmt: skip


def _key(result: OpenResult, answer: Answer) -> tuple[str, str]:
    """What tells a finding from all others: two results in two folders may well have one file name."""
    return result.digest, answer.name


def _format(blob: str, result: OpenResult, parses: Sequence[OpenAttestation]) -> Format | None:
    """How the blob was read into an input of this result; None if no given attestation says it, or two differ."""
    behind = [parse for parse in parses if parse.is_parse and blob in parse.inputs]
    behind = [parse for parse in behind if parse.outputs & result.input_digests]
    formats = [Format(parse.statement.procedure, parse.statement.parameters) for parse in behind]
    return formats[0] if formats and all(other == formats[0] for other in formats) else None


def count_numbers(
    results: Sequence[OpenResult],
    sources: Mapping[str, SourcesFile],
    raw: Mapping[str, RawFile],
    findings: Findings,
) -> None:
    found = {(blob, claim.key): claim for blob, file in raw.items() for claim in file.claims}
    for result in results:
        claims: dict[str, dict[str, Claim]] = {}
        for answer in result.answers:
            given = sources.get(answer.sources_digest)
            if given is None:
                _say_absent(result, answer, findings)
            elif _follow(result, answer, given, raw, found, findings):
                claims[answer.name] = {blob: found[blob, _key(result, answer)] for blob in given.blobs}
        check_figures(result, claims, findings)


def _say_absent(result: OpenResult, answer: Answer, findings: Findings) -> None:
    message = f"{answer.name} ({answer.value} {answer.unit}) was not followed: its sources were not given"
    wanted = f"{answer.sources_name} ({answer.sources_digest})"
    findings.unchecked("sources-absent", result.where, message, wanted=wanted)
    findings.numbers.append(Number(result.where, answer.name, answer.title, answer.value, 0, "", "", followed=False))


def _follow(
    result: OpenResult,
    answer: Answer,
    given: SourcesFile,
    raw: Mapping[str, RawFile],
    found: Mapping[tuple[str, tuple[str, str]], Claim],
    findings: Findings,
) -> bool:
    """Whether the number was followed to the last of its ranges."""
    counts = all_followed = _check_counts(result, answer, given, findings)
    if not given.blobs:
        findings.numbers.append(
            Number(result.where, answer.name, answer.title, answer.value, 0, "", given.name, followed=counts)
        )
    for blob, ranges in given.blobs.items():
        file, claim = raw.get(blob), found.get((blob, _key(result, answer)))
        good = _of_blob(result, answer, blob, file, claim, findings)
        followed = counts and good == len(ranges)
        all_followed = all_followed and followed
        name = file.name if file else ""
        findings.numbers.append(
            Number(result.where, answer.name, answer.title, answer.value, good, blob, name, followed=followed)
        )
    return all_followed


def _check_counts(result: OpenResult, answer: Answer, given: SourcesFile, findings: Findings) -> bool:
    at, lines, counts = f"{result.where}: {answer.name}", f"{given.count} ranges in {given.name}", True
    if given.count != answer.sources_count:
        message = "the result names another count of sources"
        findings.wrong("sources-count", at, message, got=lines, wanted=f"{answer.sources_count}")
        counts = False
    if answer.value != given.count:
        message = "the number is not the count of its lines"
        findings.wrong("sources-count", at, message, got=f"{answer.value} {answer.unit}", wanted=lines)
        counts = False
    for blob in given.blobs:
        if blob not in result.sources:
            message = "a range lies in a file that is no source of the result"
            findings.wrong("sources-count", at, message, got=blob, wanted=f"one of {list(result.sources)}")
            counts = False
    return counts


def _of_blob(
    result: OpenResult, answer: Answer, blob: str, file: RawFile | None, claim: Claim | None, findings: Findings
) -> int:
    at = f"{result.where}: {answer.name}"
    if file is None:
        message = "its numbers were not counted in the raw file, which was not given"
        findings.unchecked("lines-absent", result.where, message, wanted=blob)
        return 0
    if claim is None:
        # Nothing was looked for in it: it is no source of the result or a receipt gives it another size, as said there.
        findings.unchecked("lines", at, f"its lines were not counted in {file.name}", wanted=blob)
        return 0
    count = len(claim.ranges)
    for message, got, wanted in claim.problems:
        findings.wrong("lines", at, f"{file.name}, {message}", got=got, wanted=wanted)
    if claim.wrong > len(claim.problems):
        message = f"{file.name}: more ranges are wrong than the {len(claim.problems)} named"
        findings.wrong("lines", at, message, got=f"{claim.wrong} of {count} wrong", wanted="none")
    if claim.unjudged:
        message = f"{file.name}: {claim.unjudged} ranges could not be judged"
        findings.unchecked("lines", at, message, got=claim.first_unjudged)
    if claim.good == count:
        _say_counted(answer, blob, file, claim, at, findings)
    return claim.good


def _say_counted(answer: Answer, blob: str, file: RawFile, claim: Claim, at: str, findings: Findings) -> None:
    said = [claim.name, claim.client] if claim.is_read else list(answer.words)
    names = " and ".join(repr(text) for text in said if text)
    how = "read as of" if claim.is_read else "holding"
    unit = "record" if claim.has_records else "line"
    findings.ok(
        "lines",
        at,
        f"{claim.good} {unit}{'s' * (claim.good != 1)} counted in {blob} ({file.name})"
        + (f", each {how} {names}" * bool(names)),
    )
    if not claim.is_read:
        done = "were counted" if claim.has_records else "were searched for words"
        message = f"{file.name}: its {unit}s {done} but not read, so whose lookups they are is unchecked"
        procedure = claim.format.procedure if claim.format else "no attestation of its reading"
        findings.unchecked("lines-unread", at, message, got=procedure, wanted="a reader that is known here")
