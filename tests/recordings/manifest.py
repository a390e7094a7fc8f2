"""MANIFEST.json: what each file is, who wrote it with which settings, and what an independent tool counts in it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.recordings import contents, documented

if TYPE_CHECKING:
    from tests.recordings.entry import Entry

HERE = Path(__file__).parent


def write() -> None:
    """Count everything anew; a file that nobody describes, or that is described and missing, is an error."""
    described = contents.recorded() + documented.samples()
    missing = [entry.path for entry in described if not (HERE / entry.path).is_file()]
    stray = sorted(files() - {entry.path for entry in described})
    if missing or stray:
        raise RuntimeError(f"described but missing: {missing}; there but not described: {stray}")
    rows = [_row(entry) for entry in described]
    text = json.dumps({"format": "recordings/manifest@1", "files": rows}, indent=1, ensure_ascii=False)
    (HERE / "MANIFEST.json").write_text(text + "\n", encoding="utf-8")


def files() -> set[str]:
    """Every data file of the folder; code, the manifest and its README are not data."""
    return {
        str(path.relative_to(HERE))
        for path in HERE.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".md", ".pyc"} and path.name != "MANIFEST.json"
    }


def count(command: str) -> int:
    """The whole number that a shell command prints, run in this folder; `grep -c` also says 0."""
    done = subprocess.run(["sh", "-c", command], cwd=HERE, capture_output=True, text=True, check=False)
    return int(done.stdout.strip())


def _row(entry: Entry) -> dict[str, object]:
    data = (HERE / entry.path).read_bytes()
    return {
        "path": entry.path,
        "format": entry.format,
        "origin": entry.origin,
        "software": entry.software,
        "settings": entry.settings,
        "zone": entry.zone,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "counts": {what: {"command": command, "count": count(command)} for what, command in entry.counts.items()},
        "notes": entry.notes,
    }
