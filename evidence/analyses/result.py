"""The result that an analysis leaves: canonical JSON, and for each number the byte ranges that carry it.

The format `custos/result@1` is described in docs/results.md. A finding's `sources` names the NDJSON of its ranges by
digest, so that whoever holds the result can count them; `each_line_contains` says what stands in every such line.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from evidence.canonical import canonical
from evidence.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from evidence.digest import Digest

RESULT_FORMAT = "custos/result@1"
ALWAYS = (
    "A lookup is not a communication: somebody's software asked for an address; nothing need have been sent.",
    "The querying address is a resolver, not a person.",
    "The records show what one vantage point kept; lookups that it did not see or keep are not in them.",
)
_PLAIN = re.compile(r"[a-z0-9._:-]+")


@dataclass(slots=True)
class ResultWriter:
    """Collects findings and writes their sources beside the result; owned by one run of an analysis."""

    procedure: str
    parameters: dict[str, Any]
    inputs: Sequence[tuple[str, Digest]]
    folder: Path
    findings: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    blobs: set[str] = field(default_factory=set)

    def finding(
        self, name: str, title: str, blob: str, batches: Iterable[pa.RecordBatch], *, unit: str,
        contains: Sequence[str] = (), facts: dict[str, Any] | None = None,
    ) -> int:  # fmt: skip
        """Write the ranges and count them: the number is how many there are."""
        path = self.folder / f"{name}.sources.ndjson"
        count, digest = write_sources(path, blob, batches)
        self.blobs.add(blob)
        self.outputs.append(Output(path.name, path))
        self.findings.append({
            "name": name, "title": title, "value": count, "unit": unit,
            "each_line_contains": [text for text in contains if _PLAIN.fullmatch(text)],
            "sources": {"name": path.name, "digest": f"sha256:{digest}", "count": count}, **(facts or {}),
        })  # fmt: skip
        return count

    def close(
        self, *, title: str, answer: str, table: dict[str, Any], assumptions: Sequence[str], limits: Sequence[str]
    ) -> list[Output]:
        """Write result.json; all that the run made."""
        value = {
            "format": RESULT_FORMAT, "procedure": self.procedure, "parameters": self.parameters,
            "inputs": [{"role": role, "digest": str(digest)} for role, digest in sorted(self.inputs)],
            "sources": [{"digest": digest} for digest in sorted(self.blobs)],
            "title": title, "answer": answer, "findings": self.findings, "table": table,
            "assumptions": list(assumptions), "limits": [*ALWAYS, *limits],
        }  # fmt: skip
        path = self.folder / "result.json"
        path.write_bytes(canonical(value))
        return [Output("result.json", path), *self.outputs]


def write_sources(path: Path, blob: str, batches: Iterable[pa.RecordBatch]) -> tuple[int, str]:
    """One canonical JSON line a byte range, ascending; how many, and the digest of it all."""
    state, count = hashlib.sha256(), 0
    with path.open("wb") as file:
        for batch in batches:
            columns = (batch.column(name).to_pylist() for name in ("line", "start", "stop"))
            text = "".join(
                f'{{"blob":"{blob}","line":{line},"start":{start},"stop":{stop}}}\n'
                for line, start, stop in zip(*columns, strict=True)
            ).encode()
            state.update(text)
            file.write(text)
            count += batch.num_rows
    return count, state.hexdigest()


def share(part: int, whole: int) -> dict[str, Any]:
    """An exact share in lowest terms, and for people its per cent, half to even."""
    fraction = Fraction(part, whole)
    percent = round(fraction * 10_000)
    return {
        "numerator": fraction.numerator,
        "denominator": fraction.denominator,
        "percent": f"{percent // 100}.{percent % 100:02}",
    }
