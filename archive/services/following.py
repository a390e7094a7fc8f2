"""Following a number: from a finding of a result to the lines of the sealed file that carry it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from archive import wiring
from archive.services.refusals import NotVisible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archive.models import Blob, Run

LONGEST_SHOWN = 4096


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a sealed file; `text` shows bytes that are no plain text as escapes."""

    blob: str
    line: int
    start: int
    stop: int
    text: str

    @property
    def shown(self) -> int:
        """How many of its bytes `text` shows."""
        return min(self.stop - self.start, LONGEST_SHOWN)

    @property
    def cut(self) -> bool:
        return self.shown < self.stop - self.start


def read_blob(blob: Blob, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    return wiring.store().open_range(blob.place, start, blob.size if stop is None else stop)


def output(run: Run, name: str) -> Blob:
    """Raises `NotVisible`."""
    found = None if "\0" in name else run.outputs.select_related("blob").filter(name=name).first()
    if found is None:
        raise NotVisible(f"the run {run.pk} has no output {name!r}")
    return found.blob


def result_bytes(run: Run) -> bytes:
    """The exact bytes of result.json. Raises `NotVisible` for a run that has none."""
    return b"".join(read_blob(output(run, "result.json")))


def result_of(run: Run) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(result_bytes(run))
    return value


def finding_of(run: Run, name: str) -> dict[str, Any]:
    """Raises `NotVisible`."""
    for finding in result_of(run)["findings"]:
        if finding["name"] == name:
            found: dict[str, Any] = finding
            return found
    raise NotVisible(f"the result {run.pk} has no finding {name!r}")


def sources_of(run: Run, name: str) -> Blob:
    """The NDJSON of a finding's byte ranges."""
    return output(run, finding_of(run, name)["sources"]["name"])


def ranges_of(run: Run, name: str, offset: int, limit: int) -> list[dict[str, Any]]:
    """Some of a finding's byte ranges: `blob`, `line`, `start`, `stop`."""
    return list(islice(_records(sources_of(run, name)), offset, offset + limit))


def line_at(blob: Blob, item: Mapping[str, Any]) -> Line:
    """The line or record at `start` and `stop` of a sealed file, read now."""
    data = b"".join(read_blob(blob, item["start"], min(item["stop"], item["start"] + LONGEST_SHOWN)))
    return Line(blob.digest, item["line"], item["start"], item["stop"], visible(data))


def visible(data: bytes) -> str:
    """Bytes as text that shows everything: printable characters as they are, all others as escapes."""
    text = data.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _records(blob: Blob) -> Iterator[dict[str, Any]]:
    rest = b""
    for piece in read_blob(blob):
        *lines, rest = (rest + piece).split(b"\n")
        yield from (json.loads(line) for line in lines)
