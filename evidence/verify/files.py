"""The files an auditor was handed: found in folders, told apart, and the small ones read.

A name's ending decides first and the content second; whatever is nothing of ours is a raw file, that is evidence. Raw
files and sources files may be of any size and are not read here (`scan.py` and `sources.py` stream them); every other
document is read whole, up to a limit, and parsed by the file of its kind.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evidence.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from evidence.verify.findings import Findings

type Kind = Literal["receipt", "attestation", "result", "sources", "disclosure", "keys", "checkpoint", "proof", "raw"]

DOCUMENT_LIMIT = 64 << 20
SNIFF_LIMIT = 16 << 20

SUFFIXES: dict[str, Kind] = {
    ".receipt.json": "receipt",
    ".attestation.json": "attestation",
    ".result.json": "result",
    ".sources.ndjson": "sources",
    ".disclosure.json": "disclosure",
    ".keys.json": "keys",
    "custos-keys.json": "keys",
    ".checkpoint": "checkpoint",
}
FORMATS: dict[str, Kind] = {
    "custos/receipt@1": "receipt",
    "custos/result@1": "result",
    "custos/disclosure@1": "disclosure",
    "custos/keys@1": "keys",
}
STREAMED: frozenset[Kind] = frozenset({"raw", "sources"})


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read whole: its bytes and their digest."""

    path: Path
    kind: Kind
    content: bytes
    digest: Digest

    @property
    def name(self) -> str:
        return self.path.name


@dataclass(frozen=True, slots=True)
class Given:
    """Everything handed over, told apart: documents read, large files by path."""

    documents: tuple[Document, ...]
    sources: tuple[Path, ...]
    raw: tuple[Path, ...]

    def of(self, kind: Kind) -> Iterator[Document]:
        return (document for document in self.documents if document.kind == kind)


def gather(paths: Iterable[Path], findings: Findings) -> Given:
    """Tell apart every file under the paths; one that cannot be read is itself a finding."""
    documents: list[Document] = []
    streamed: dict[Kind, list[Path]] = {"sources": [], "raw": []}
    for path in sorted(set(_walk(paths))):
        try:
            kind = classify(path)
            if kind in STREAMED:
                streamed[kind].append(path)
            else:
                _read(path, kind, documents, findings)
        except OSError as error:
            findings.wrong("file-unreadable", path.name, "this file cannot be read", got=str(error.strerror))
    return Given(tuple(documents), tuple(streamed["sources"]), tuple(streamed["raw"]))


def _walk(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from _walk(child for child in path.iterdir() if not child.name.startswith("."))
        else:
            yield path


def _read(path: Path, kind: Kind, documents: list[Document], findings: Findings) -> None:
    size = path.stat().st_size
    if size > DOCUMENT_LIMIT:
        wanted = f"at most {DOCUMENT_LIMIT} bytes"
        findings.wrong("file-too-large", path.name, f"too large for a {kind}", got=f"{size} bytes", wanted=wanted)
        return
    content = path.read_bytes()
    documents.append(Document(path, kind, content, Digest.of(content)))


def classify(path: Path) -> Kind:
    """Tell what a file is: by the ending of its name, then by its content."""
    for suffix, kind in SUFFIXES.items():
        if path.name.endswith(suffix):
            return kind
    if path.name == "checkpoint":
        return "checkpoint"
    with path.open("rb") as stream:
        head = stream.read(4096)
    return _by_content(path, head)


def _by_content(path: Path, head: bytes) -> Kind:
    if head.startswith(b"c2sp.org/tlog-proof@v1\n"):
        return "proof"
    if head.lstrip()[:1] == b"{" and path.stat().st_size <= SNIFF_LIMIT:
        return _by_members(path.read_bytes())
    lines = head.split(b"\n", 4)
    # A note's text has three lines here; then come a blank line and signature lines that begin with an em dash.
    if len(lines) == 5 and lines[3] == b"" and lines[4].startswith("\u2014 ".encode()):
        return "checkpoint"
    return "raw"


def _by_members(content: bytes) -> Kind:
    try:
        members = json.loads(content)
    except (ValueError, RecursionError):
        return "raw"
    if not isinstance(members, dict):
        return "raw"
    if "payloadType" in members and "payload" in members:
        return "attestation"
    name = members.get("format")
    return FORMATS.get(name, "raw") if isinstance(name, str) else "raw"
