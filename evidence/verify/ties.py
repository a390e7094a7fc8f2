"""What belongs together: every digest that is spoken of, every file that was given, and what is left over on each side.

A file that nothing speaks of is wrong where something given could have spoken of it: it may be a changed copy of one
that is missing, so those are named beside it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evidence.verify.attestations import STATEMENT_ROLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evidence.opening import EventObject
    from evidence.verify.attestations import OpenAttestation
    from evidence.verify.disclosures import Shown
    from evidence.verify.files import Document
    from evidence.verify.findings import Findings
    from evidence.verify.receipts import OpenReceipt
    from evidence.verify.results import OpenResult
    from evidence.verify.scan import RawFile
    from evidence.verify.sources import SourcesFile

REASON = 400
"""Characters shown of a reason, which anybody may have written."""
RESULT_OUTPUT = "result.json"
SOURCES_OUTPUT = ".sources.ndjson"
PARSED = frozenset({"table.parquet", "rejects.parquet", "report.json"})
"""What a parse makes beside the rows that are followed here."""


@dataclass(frozen=True, slots=True)
class Mention:
    """Somewhere a blob is spoken of."""

    by: str
    role: str
    size: int | None


@dataclass(slots=True)
class Bag:
    """Everything that could be opened; filled by one audit, in the order of the checks."""

    receipts: list[OpenReceipt] = field(default_factory=list)
    attestations: list[OpenAttestation] = field(default_factory=list)
    results: list[OpenResult] = field(default_factory=list)
    sources: dict[str, SourcesFile] = field(default_factory=dict)
    raw: dict[str, RawFile] = field(default_factory=dict)
    digests: set[str] = field(default_factory=set)
    """Of every file given, whatever its kind."""
    documents: dict[str, Document] = field(default_factory=dict)
    """Those read whole, by digest."""
    disclosed: list[Shown] = field(default_factory=list)


def mentions(bag: Bag) -> dict[str, list[Mention]]:
    """Every digest that is spoken of, and by what."""
    found: defaultdict[str, list[Mention]] = defaultdict(list)
    for receipt in bag.receipts:
        for item in receipt.event.objects:
            found[str(item.digest)].append(Mention(receipt.where, item.role, item.size))
    for attestation in bag.attestations:
        for name, digest in attestation.statement.subjects.items():
            found[str(digest)].append(Mention(attestation.where, name, None))
        for role, digest in attestation.statement.inputs:
            found[str(digest)].append(Mention(attestation.where, role, None))
    for result in bag.results:
        for digest_text in result.sources:
            found[digest_text].append(Mention(result.where, "source", None))
        for answer in result.answers:
            found[answer.sources_digest].append(Mention(result.where, answer.sources_name, None))
    for shown in bag.disclosed:
        found[shown.blob].append(Mention(shown.where, "source", None))
    return dict(found)


def sizes_by_receipt(bag: Bag) -> dict[str, int]:
    """Sizes that no receipt contradicts; they spare following claims on files that a file cannot be."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for receipt in bag.receipts:
        for item in receipt.event.objects:
            found[str(item.digest)].add(item.size)
    return {digest: size for digest, (size, *others) in ((d, tuple(s)) for d, s in found.items()) if not others}


def check_ties(bag: Bag, findings: Findings) -> None:
    spoken = mentions(bag)
    absent = {digest: by for digest, by in spoken.items() if digest not in bag.digests}
    for raw in bag.raw.values():
        _check_given(str(raw.digest), raw.name, raw.size, spoken, absent, findings)
        _check_receipt_of(str(raw.digest), raw.name, spoken, bag, findings)
    for source in bag.sources.values():
        _check_given(str(source.digest), source.name, source.size, spoken, absent, findings)
    for digest, document in bag.documents.items():
        if digest in spoken:
            _check_size(digest, document.name, len(document.content), spoken[digest], findings)
    _check_made(bag, absent, findings)
    _say_kept_elsewhere(bag, findings)
    for receipt in bag.receipts:
        for item in receipt.event.objects:
            if str(item.digest) not in bag.digests:
                _say_absent(receipt, item, bag, findings)


def _check_given(
    digest: str,
    name: str,
    size: int,
    spoken: dict[str, list[Mention]],
    absent: dict[str, list[Mention]],
    findings: Findings,
) -> None:
    by = spoken.get(digest)
    if by is None and not spoken:
        findings.unchecked(
            "file-untied", name, "nothing was given that speaks of this file", got=f"{digest}, {size} bytes"
        )
    elif by is None:
        message = "no receipt, statement or result speaks of this file: it is another one, or was changed"
        findings.wrong("file-unknown", name, message, got=f"{digest}, {size} bytes", wanted=_wanted(name, size, absent))
    else:
        _check_size(digest, name, size, by, findings)


def _check_size(digest: str, name: str, size: int, by: list[Mention], findings: Findings) -> None:
    sizes = [mention for mention in by if mention.size is not None]
    for mention in sizes:
        if mention.size != size:
            message = f"{mention.by} gives another size for {digest}"
            findings.wrong("file-size", name, message, got=f"{size} bytes", wanted=f"{mention.size} bytes")
    if all(mention.size == size for mention in sizes):
        findings.ok(
            "file-digest", name, f"is {digest} ({size} bytes), spoken of by {', '.join(sorted({m.by for m in by}))}"
        )


def _check_receipt_of(digest: str, name: str, spoken: dict[str, list[Mention]], bag: Bag, findings: Findings) -> None:
    """A raw file that only a result or statement names has no proof of when it was there."""
    if digest in spoken and not any(receipt.names(digest) for receipt in bag.receipts):
        message = "no receipt of this file was given: nothing shows when the archive had it"
        findings.unchecked("receipt-absent", name, message, wanted=f"a receipt with {digest}")


def _check_made(bag: Bag, absent: dict[str, list[Mention]], findings: Findings) -> None:
    """Attestations need a receipt and results an attestation."""
    for attestation in bag.attestations:
        if not any(receipt.names(attestation.digest) for receipt in bag.receipts):
            lost = _with_role(absent, STATEMENT_ROLE)
            _say_untied("receipt-absent", attestation.where, attestation.digest, "receipt", lost, findings)
    for result in bag.results:
        if not any(result.digest in attestation.outputs for attestation in bag.attestations):
            lost = _with_role(absent, RESULT_OUTPUT)
            _say_untied("attestation-absent", result.where, result.digest, "attestation", lost, findings)


def _with_role(absent: dict[str, list[Mention]], ending: str) -> dict[str, list[Mention]]:
    return {digest: by for digest, by in absent.items() if any(mention.role.endswith(ending) for mention in by)}


def _say_untied(
    code: str, where: str, digest: str, kind: str, lost: dict[str, list[Mention]], findings: Findings
) -> None:
    if lost:
        message = f"no {kind} given names this file, and one that a given {kind} names is missing: it was changed"
        findings.wrong("file-unknown", where, message, got=digest, wanted=", ".join(sorted(lost)))
    else:
        message = f"no {kind} that names this file was given, so nobody vouches for it"
        findings.unchecked(code, where, message, wanted=f"the {kind} with {digest}")


def _wanted(name: str, size: int, absent: dict[str, list[Mention]]) -> str:
    """The files that are missing, likeliest first: those of this name, then those of this size."""

    def likeliness(entry: tuple[str, list[Mention]]) -> tuple[bool, bool, str]:
        digest, by = entry
        return (
            not any(mention.role == name for mention in by),
            not any(mention.size == size for mention in by),
            digest,
        )

    likely = sorted(absent.items(), key=likeliness)[:4]
    if not likely:
        return "a file that is spoken of; none of those is missing"
    return " or ".join(f"{digest} ({_sizes(by)}{by[0].role}, in {by[0].by})" for digest, by in likely)


def _sizes(by: Iterable[Mention]) -> str:
    sizes = sorted({mention.size for mention in by if mention.size is not None})
    return "".join(f"{size} bytes, " for size in sizes)


def _deaccession(digest: str, bag: Bag) -> OpenReceipt | None:
    """The receipt that says that the law took these bytes away; the earliest, where there are several."""
    found = [receipt for receipt in bag.receipts if receipt.is_of_deaccession and receipt.names(digest)]
    return min(found, key=lambda receipt: receipt.event.time, default=None)


def _taken_away(gone: OpenReceipt) -> str:
    reason = gone.event.detail.get("reason")
    why = f", for this reason: {reason[:REASON]}" if isinstance(reason, str) and reason else ", without a reason"
    return f"its bytes were taken away by law; said on {gone.event.time}{why} ({gone.where})"


def _say_kept_elsewhere(bag: Bag, findings: Findings) -> None:
    """A file that was given although the archive was made to take its own copy away is the same file as ever."""
    for raw in bag.raw.values():
        gone = _deaccession(str(raw.digest), bag)
        if gone is not None:
            findings.ok("file-deaccessioned", raw.name, f"the archive no longer has this file: {_taken_away(gone)}")


def _say_absent(receipt: OpenReceipt, item: EventObject, bag: Bag, findings: Findings) -> None:
    wanted = f"{item.digest}, {item.size} bytes"
    gone = _deaccession(str(item.digest), bag)
    if gone is not None:
        message = f"the file it speaks of ({item.role}) cannot be given: {_taken_away(gone)}"
        findings.unchecked("file-deaccessioned", receipt.where, message, wanted=wanted)
    elif not receipt.is_of_derivation:
        message = f"the file it speaks of ({item.role}) was not given"
        findings.unchecked("file-absent", receipt.where, message, wanted=wanted)
    elif item.role == STATEMENT_ROLE:
        findings.unchecked(
            "attestation-absent", receipt.where, "the attestation it speaks of was not given", wanted=wanted
        )
    elif item.role.endswith(RESULT_OUTPUT):
        findings.unchecked("result-absent", receipt.where, "the result it speaks of was not given", wanted=wanted)
    elif item.role in PARSED:
        # No number is read from a table or a report: each is followed into the raw file itself.
        findings.ok("file-absent", receipt.where, f"{item.role} was not given, and no number here is read from it")
    elif not item.role.endswith(SOURCES_OUTPUT) or not bag.results:
        findings.unchecked("file-absent", receipt.where, f"its output {item.role} was not given", wanted=wanted)
