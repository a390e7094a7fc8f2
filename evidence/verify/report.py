"""A report of findings for people and for programs; it adds no judgement of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from evidence.verify.findings import ALL_CHECKED, SOMETHING_WRONG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evidence.verify.findings import Finding, Findings, Level, Number

HEADINGS: Final[tuple[tuple[Level, str], ...]] = (
    ("ok", "Checked"),
    ("unchecked", "Not checked"),
    ("wrong", "Wrong"),
)
COMPLETENESS = (
    "What is counted here is there; that no further line should have been counted is not shown by this, "
    "only by running the procedure again."
)


def as_json(findings: Findings) -> str:
    return json.dumps(
        {
            "exit": findings.exit_status,
            "verdict": verdict(findings),
            "findings": [
                {
                    "level": finding.level,
                    "code": finding.code,
                    "clause": finding.clause,
                    "where": finding.where,
                    "message": finding.message,
                    "got": finding.got,
                    "wanted": finding.wanted,
                }
                for finding in findings.said
            ],
            "numbers": [
                {
                    "result": number.result,
                    "finding": number.finding,
                    "title": number.title,
                    "value": number.value,
                    "ranges": number.ranges,
                    "blob": number.blob or None,
                    "file": number.file or None,
                    "followed": number.followed,
                }
                for number in findings.numbers
            ],
        },
        indent=1,
        ensure_ascii=True,
    )


def as_text(findings: Findings) -> str:
    return "\n".join((*_lines(findings), verdict(findings)))


def as_lines(findings: Findings, *, only_open: bool = False) -> str:
    """One line a finding, for a mail from cron; with `only_open` nothing at all if everything was checked."""
    said = [finding for finding in findings.said if finding.level != "ok" or not only_open]
    lines = [f"{finding.level:9} {_line(finding)}" for finding in said]
    return "\n".join(lines if only_open else [*lines, verdict(findings)])


def _lines(findings: Findings) -> Iterator[str]:
    for level, heading in HEADINGS:
        said = list(findings.of(level))
        if said:
            yield f"{heading} ({len(said)})"
            yield from (f"  {_line(finding)}" for finding in said)
            yield ""
    if findings.numbers:
        yield f"Numbers ({len(findings.numbers)})"
        yield from (f"  {_number(number)}" for number in findings.numbers)
        yield f"  {COMPLETENESS}"
        yield ""


def _line(finding: Finding) -> str:
    got = f"; got {finding.got}" if finding.got else ""
    wanted = f"; wanted {finding.wanted}" if finding.wanted else ""
    return printable(f"{finding.code} {finding.clause}  {finding.where}: {finding.message}{got}{wanted}")


def _number(number: Number) -> str:
    what = f"{number.result}, {number.finding} ({number.title})"
    if number.followed and number.blob:
        return printable(f"{what}: {_lines_counted(number)} in {number.blob} ({number.file})")
    if number.followed:
        return printable(f"{what}: 0, with no line to count")
    place = f" in {number.blob}" if number.blob else ""
    return printable(f"{what}: {number.value} is said, {_lines_counted(number)}{place}")


def _lines_counted(number: Number) -> str:
    return f"{number.ranges} line{'s' * (number.ranges != 1)} counted"


def verdict(findings: Findings) -> str:
    wrong, unchecked = (sum(1 for _ in findings.of(level)) for level in ("wrong", "unchecked"))
    if findings.exit_status == SOMETHING_WRONG:
        return f"WRONG: {_things(wrong)} wrong{_first(findings)}. Do not rely on these files as they are."
    if findings.exit_status == ALL_CHECKED:
        return f"CHECKED: all that was given holds under your policy{_counted(findings)}."
    return f"NOT ALL CHECKED: nothing is wrong, but {_things(unchecked)} unchecked and named above{_counted(findings)}."


def _things(count: int) -> str:
    return "one thing is" if count == 1 else f"{count} things are"


def _first(findings: Findings) -> str:
    first = next(findings.of("wrong"))
    return printable(f", first {first.code} in {first.where}")


def _counted(findings: Findings) -> str:
    followed = sum(1 for number in findings.numbers if number.followed and number.blob)
    return f"; numbers followed to their lines and counted: {followed}, listed above" if followed else ""


def printable(text: str) -> str:
    """Foreign text on a terminal: one line, and no character that could command it."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
