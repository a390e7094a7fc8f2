"""Bundles: everything that a stranger needs to check a result, under the names that the verifier knows."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archive.models import Checkpoint, CustodyEvent, Run, Submission
from archive.services import finding
from archive.services.deaccessions import deaccession_behind, deaccession_in
from archive.services.keys import events_of_keys
from archive.services.receipts import common_size, issue_receipt
from archive.services.refusals import NotReady
from archive.services.whole import read_whole
from archive.services.witnessing import cosigned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from archive.models import Blob

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # a zip archive must have a time; this one says nothing


@dataclass(frozen=True, slots=True)
class Item:
    """A file of a bundle: a blob's bytes, or small ones made for it."""

    name: str
    content: Blob | bytes


def items(run: Run, *, raw: bool) -> Iterator[Item]:
    """The files of a result's bundle, named so that many bundles fit into one folder. Raises `NotReady`.

    All receipts lead to the one checkpoint that is in it: also those of the keys' lives up to there, so that a verifier
    knows of each signature whether its key was in force.
    """
    size = common_size(_events(run)) if run.event else None
    checkpoint = Checkpoint.objects.filter(size=size).first() if size is not None else None
    if checkpoint is None or run.event is None:
        raise NotReady("the ledger has no checkpoint for this result yet; ask again in a second")
    stem = f"{run.procedure.partition('@')[0]}-{run.identity[:8]}"
    yield Item(f"{checkpoint.size}.checkpoint", cosigned(checkpoint).encode())
    for output in run.outputs.select_related("blob").order_by("name"):
        yield Item(f"{stem}.{output.name}", output.blob)
    for event in events_of_keys().filter(leaf__index__lt=checkpoint.size):
        yield Item(f"keys-{event.leaf.index}.receipt.json", _receipt(event, checkpoint.size))
    yield from _statement(run, f"{stem}.result", checkpoint.size)
    for parse in finding.parses_behind(run):
        yield from _statement(parse, f"parse-{parse.identity[:8]}", checkpoint.size)
        for extraction in finding.extractions_behind(parse):
            yield from _statement(extraction, f"extract-{extraction.identity[:8]}", checkpoint.size)
        for source, origin in _origins(parse):
            name = f"source-{source.digest.removeprefix('sha256:')[:8]}"
            yield Item(f"{name}.receipt.json", _receipt(origin, checkpoint.size))
            gone = deaccession_in(run.case, source.digest)
            if gone is not None:
                yield Item(f"{name}.deaccession.receipt.json", _receipt(gone, checkpoint.size))
            elif raw and deaccession_behind(source, [run.case]) is None:
                yield Item(f"{name}.raw", source)


def sources(run: Run) -> Iterator[Blob]:
    """The sealed files behind a result whose bytes can still be given."""
    for parse in finding.parses_behind(run):
        for source, _ in _origins(parse):
            if deaccession_behind(source, [run.case]) is None:
                yield source


def blobs(run: Run, *, raw: bool) -> Iterator[Blob]:
    """The sealed bytes that the bundle holds: outputs, statements, and the sources' own if they are asked for."""
    yield from (output.blob for output in run.outputs.select_related("blob").order_by("name"))
    parses = finding.parses_behind(run).select_related("statement")
    extractions = [each for parse in parses for each in finding.extractions_behind(parse)]
    yield from (each.statement for each in (run, *parses, *extractions) if each.statement)
    if raw:
        yield from sources(run)


def _source(run: Run) -> Blob:
    return run.inputs.select_related("blob").get(role="source").blob


def _origins(parse: Run) -> Iterator[tuple[Blob, CustodyEvent]]:
    """What was read, and the archives that it came out of, each with the event that says where it came from."""
    chain = finding.extractions_behind(parse)
    for source, extraction in zip([_source(each) for each in (parse, *chain)], [*chain, None], strict=True):
        yield source, _ingestion(parse, source) if extraction is None else _extracted(extraction, source)


def _extracted(extraction: Run, member: Blob) -> CustodyEvent:
    """Of the events of an unpacking the one that names the member."""
    named = CustodyEvent.objects.filter(case=extraction.case, type="creation", objects_named__digest=member.digest)
    return named.filter(text__contains=f'"run":"{extraction.pk}"').order_by("time", "id")[0]


def _events(run: Run) -> Iterator[CustodyEvent]:
    """All events whose receipts the bundle holds. Raises `NotReady`."""
    for each in (run, *finding.parses_behind(run)):
        if each.event is None:
            raise NotReady(f"the run {each.pk} has not ended; ask again when it has")
        yield each.event
    for parse in finding.parses_behind(run):
        yield from (each.event for each in finding.extractions_behind(parse) if each.event)
        for source, origin in _origins(parse):
            yield origin
            gone = deaccession_in(run.case, source.digest)
            if gone is not None:
                yield gone


def _statement(run: Run, stem: str, size: int) -> Iterator[Item]:
    if run.statement is None or run.event is None:
        raise NotReady(f"the run {run.pk} has not ended; ask again when it has")
    yield Item(f"{stem}.attestation.json", run.statement)
    yield Item(f"{stem}.receipt.json", _receipt(run.event, size))


def _ingestion(run: Run, source: Blob) -> CustodyEvent:
    row = Submission.objects.filter(case=run.case, blob=source).order_by("created").select_related("event").first()
    if row is None or row.event is None:
        raise NotReady(f"the source {source.digest} is not under a checkpoint yet; ask again in a second")
    return row.event


def _receipt(event: CustodyEvent, size: int) -> bytes:
    """Without disclosures: a bundle may be handed on, and the file's name is the uploader's to open."""
    return issue_receipt(event=event, size=size)


class _Pipe:
    """What `zipfile` writes, to be taken away piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def zip_stream(files: Iterable[Item]) -> Iterator[bytes]:
    """A stored zip archive of any size in constant memory."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload] # the stubs ask for a seekable file, zipfile does not
        for item in files:
            with archive.open(zipfile.ZipInfo(item.name, _EARLIEST), "w", force_zip64=True) as file:
                for piece in [item.content] if isinstance(item.content, bytes) else read_whole(item.content):
                    file.write(piece)
                    yield pipe.take()
    yield pipe.take()
