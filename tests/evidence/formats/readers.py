"""Read bytes by a format, and everything that has to hold whatever they are."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evidence.reading.batch import CONTEXT, Conservation
from evidence.reading.source import Source
from evidence.table.trace import read_back, values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evidence.reading.format import Format


@dataclass
class Read:
    """Rows, rejects and counts of one reading; each byte was accounted for once."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    counted: Conservation = field(default_factory=Conservation)
    notes: Sequence[str] = ()

    def reasons(self) -> list[str]:
        return [reject["reason"] for reject in self.rejects]


@contextmanager
def as_file(data: bytes) -> Iterator[Source]:
    descriptor = os.memfd_create("source")
    try:
        os.write(descriptor, data)
        yield Source(descriptor)
    finally:
        os.close(descriptor)


def read(form: Format, data: bytes, parameters: Mapping[str, Any] | None = None) -> Read:
    with as_file(data) as source:
        reading = form.read(source, parameters or {})
        result = Read(notes=reading.notes)
        for batch in reading.batches:
            result.counted.add(batch)
            result.rows += batch.rows.cast(reading.schema).to_pylist()
            result.rejects += batch.rejects.to_pylist()
    assert result.counted.bytes == len(data)
    return result


def check_way_back(form: Format, data: bytes, parameters: Mapping[str, Any] | None = None) -> int:
    """Each row is made again from its own bytes and what they need; how many rows that were."""
    result = read(form, data, parameters)
    context = [(item["start"], item["stop"]) for item in result.rejects if item["kind"] == CONTEXT]
    for row in result.rows:
        again = read_back(
            row, context, lambda start, stop: data[start:stop], lambda part: read(form, part, parameters).rows
        )
        assert values(row) in again, row
    return len(result.rows)
