"""Reading a source: from its bytes to the table, the rejects, and a report in which every byte is accounted for."""

from __future__ import annotations

import ctypes
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evidence.canonical import canonical
from evidence.errors import ReadingError
from evidence.formats.registry import FORMATS
from evidence.output import Output, written
from evidence.reading.batch import REJECTS, Conservation
from evidence.reading.clock import split_parameters
from evidence.reading.source import Source
from evidence.table.parquet import TableWriter
from evidence.table.schema import LOOKUPS, NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from evidence.digest import Digest

REPORT_FORMAT = "custos/parse-report@2"
TABLE, REJECTED, REPORT = "table.parquet", "rejects.parquet", "report.json"
_BATCHES = 128
_LIBC = ctypes.CDLL(None)
_MMAP_THRESHOLD, _LARGE = -3, 4 << 20  # of glibc's mallopt, and bytes


def parse(
    identifier: str, paths: dict[str, Path], digests: dict[str, Digest], parameters: dict[str, Any], folder: Path
) -> list[Output]:
    """Table, rejects and report of a source. Raises `ReadingError`, also if the bytes read are not those named."""
    descriptor = os.open(paths["source"], os.O_RDONLY)
    try:
        return _parse(identifier, descriptor, digests["source"], parameters, folder)
    finally:
        os.close(descriptor)


def _parse(identifier: str, descriptor: int, digest: Digest, parameters: dict[str, Any], folder: Path) -> list[Output]:
    """Table, rejects and report of a source; refused if the bytes read are not those named."""
    source = Source(descriptor)
    form = FORMATS[identifier]
    own, clock = split_parameters(form, parameters)
    reading = form.read(source, own)
    holds = "lookups" if reading.schema is LOOKUPS else "sightings"
    about = {
        "custos.schema": NAMES[holds], "custos.source": str(digest), "custos.procedure": identifier,
        "custos.unit": form.unit, "custos.text": "yes" if form.is_text else "no",
    }  # fmt: skip
    counted = Conservation()
    table, rejects = folder / TABLE, folder / REJECTED
    with TableWriter(table, reading.schema, about) as rows, TableWriter(rejects, REJECTS, about) as others:
        for number, batch in enumerate(reading.batches, 1):
            timed = replace(batch, rows=clock.to_utc(batch.rows))
            counted.add(timed)
            rows.write(timed.rows)
            others.write(timed.rejects)
            if number % _BATCHES == 0:
                _give_back()
    if source.digest != digest.hex:
        raise ReadingError(f"the source has the digest sha256:{source.digest}, wanted {digest}: the store is damaged")
    report = {
        "format": REPORT_FORMAT, "procedure": identifier, "parameters": parameters, "schema": NAMES[holds],
        "unit": form.unit, "source": {"digest": str(digest), "size": counted.bytes},
        "conservation": counted.counts(), "reasons": counted.reasons, "notes": [*reading.notes, *clock.notes()],
        "first_time": written(counted.first) if counted.first else None,
        "last_time": written(counted.last) if counted.last else None,
    }  # fmt: skip
    (folder / REPORT).write_bytes(canonical(report))
    return [Output(name, folder / name) for name in (TABLE, REJECTED, REPORT)]


def _give_back() -> None:
    """Give back what the heap holds and does not use, and keep what is large out of it from now on.

    What stays, such as what is known of row groups, comes to lie between what comes and goes, so that the heap would
    grow by some 25 MiB with each GiB that is read. For shorter files one heap for all is faster (`evidence.sandbox`).
    """
    if hasattr(_LIBC, "malloc_trim"):  # glibc's
        _LIBC.mallopt(_MMAP_THRESHOLD, _LARGE)
        _LIBC.malloc_trim(0)
