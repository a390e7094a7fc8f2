"""One audit: the files in the order in which one is needed to judge the next, each check filling the findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.verify.attestations import open_attestation
from evidence.verify.checkpoints import History, check_bare_proof, check_checkpoint_file
from evidence.verify.counting import claims_of, count_numbers
from evidence.verify.disclosures import check_shown, open_disclosure_file
from evidence.verify.files import Given, gather, say_unreadable
from evidence.verify.findings import Findings
from evidence.verify.keyfile import check_keys_file
from evidence.verify.keylives import check_checkpoint_keys, check_statement_keys, read_lives
from evidence.verify.receipts import open_receipt
from evidence.verify.results import check_result, open_result
from evidence.verify.scan import scan
from evidence.verify.sources import read_sources
from evidence.verify.ties import Bag, check_ties, sizes_by_receipt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from evidence.verify.keylives import Lives
    from evidence.verify.trust import Trust


def audit(paths: Iterable[Path], trust: Trust) -> Findings:
    findings = Findings()
    given = gather(paths, findings)
    bag = Bag(documents={str(document.digest): document for document in given.documents})
    bag.digests.update(bag.documents)
    history = History()
    _open_documents(given, bag, trust, history, findings)
    history.say_untied(trust, findings)
    _read_streamed(given, bag, findings)
    for result in bag.results:
        check_result(result, bag.attestations, findings)
    check_ties(bag, findings)
    count_numbers(bag.results, bag.sources, bag.raw, findings)
    if not (given.documents or given.sources or given.raw):
        findings.unchecked("nothing-given", "", "there is no file under the paths given")
    return findings


def _open_documents(given: Given, bag: Bag, trust: Trust, history: History, findings: Findings) -> None:
    for document in given.of("receipt"):
        receipt = open_receipt(document.content, document.name, trust, history, findings)
        if receipt is not None:
            bag.receipts.append(receipt)
    for document in given.of("attestation"):
        attestation = open_attestation(document, bag.receipts, findings)
        if attestation is not None:
            bag.attestations.append(attestation)
    for document in given.of("result"):
        result = open_result(document, findings)
        if result is not None:
            bag.results.append(result)
    lives = read_lives(bag.receipts, findings)
    _open_others(given, bag, trust, history, lives, findings)
    check_statement_keys(lives, bag.receipts, findings)
    check_checkpoint_keys(lives, history.notes, history.ties(trust), findings)


def _open_others(given: Given, bag: Bag, trust: Trust, history: History, lives: Lives, findings: Findings) -> None:
    hints = list({id(receipt.hint): receipt.hint for receipt in bag.receipts if receipt.hint}.values())
    for document in given.of("checkpoint"):
        check_checkpoint_file(document, trust, hints, history, findings)
    for document in given.of("proof"):
        check_bare_proof(document, trust, hints, history, findings)
    for document in given.of("keys"):
        check_keys_file(document, bag.receipts, lives, trust, findings)
    for document in given.of("disclosure"):
        shown = open_disclosure_file(document, bag.receipts, trust, history, findings)
        if shown is not None:
            bag.disclosed.append(shown)


def _read_streamed(given: Given, bag: Bag, findings: Findings) -> None:
    """Sources first, for they say what to look for; then each raw file, once."""
    for path in given.sources:
        try:
            source = read_sources(path, findings)
        except OSError as error:
            say_unreadable(path, error, findings)
            continue
        bag.sources.setdefault(str(source.digest), source)
        bag.digests.add(str(source.digest))
    claims = claims_of(bag.results, bag.sources, bag.attestations)
    sizes = sizes_by_receipt(bag)
    for path in given.raw:
        try:
            raw = scan(path, claims, sizes)
        except OSError as error:
            say_unreadable(path, error, findings)
            continue
        bag.raw.setdefault(str(raw.digest), raw)
        bag.digests.add(str(raw.digest))
    for shown in bag.disclosed:
        if shown.blob in bag.raw:
            check_shown(shown, bag.raw[shown.blob].path, findings)
