"""The files an auditor was handed: found in folders, told apart, and the small ones read.

A name's ending decides first and the content second; whatever is nothing of ours is a raw file, that is evidence. Raw
files and sources files may be of any size and are not read here (`scan.py` and `sources.py` stream them); every other
document is read whole, up to a limit, and parsed by the file of its kind. Only regular files are read: a link in a
folder could lead anywhere, and a pipe or a device has no end.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evidence.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import BufferedReader
    from pathlib import Path

    from evidence.verify.findings import Findings

type Kind = Literal["receipt", "attestation", "result", "sources", "disclosure", "keys", "checkpoint", "proof", "raw"]

DOCUMENT_LIMIT = 4 << 20
DISCLOSURE_LIMIT = 64 << 20
"""A disclosure shows lines and may hold many; JSON in memory is many times its size, so no other may be so large."""

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
    for path in _found(paths, findings):
        try:
            kind = classify(path)
            if kind in STREAMED:
                streamed[kind].append(path)
            else:
                _read(path, kind, documents, findings)
        except OSError as error:
            say_unreadable(path, error, findings)
    return Given(tuple(documents), tuple(streamed["sources"]), tuple(streamed["raw"]))


def say_unreadable(path: Path, error: OSError, findings: Findings) -> None:
    findings.wrong("file-unreadable", path.name, "this file cannot be read", got=error.strerror or str(error))


def open_regular(path: Path) -> BufferedReader:
    """Open a file without waiting for a pipe's other end. Raises `OSError`, also if it is no regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "not a regular file")
    return os.fdopen(descriptor, "rb")


def size_of(path: Path) -> int:
    """Raises `OSError`, also if it is no regular file."""
    with open_regular(path) as stream:
        return os.fstat(stream.fileno()).st_size


def _found(paths: Iterable[Path], findings: Findings) -> list[Path]:
    """Every file under the paths, in order; what is named by the caller may be a link, what lies in a folder not."""
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found.update(_walk(path, findings))
        else:
            found.add(path)
    return sorted(found)


def _walk(folder: Path, findings: Findings) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        findings.wrong(
            "file-unreadable", str(error.filename), "this folder cannot be read", got=error.strerror or str(error)
        )

    for place, folders, names in folder.walk(on_error=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = place / name
            if name.startswith("."):
                continue
            if path.is_symlink():
                findings.unchecked("file-link", name, "a link is not followed; give what it leads to by its own path")
            else:
                yield path


def _read(path: Path, kind: Kind, documents: list[Document], findings: Findings) -> None:
    limit = DISCLOSURE_LIMIT if kind == "disclosure" else DOCUMENT_LIMIT
    with open_regular(path) as stream:
        content = stream.read(limit + 1)
        size = os.fstat(stream.fileno()).st_size
    if len(content) > limit:
        wanted = f"at most {limit} bytes"
        findings.wrong("file-too-large", path.name, f"too large for a {kind}", got=f"{size} bytes", wanted=wanted)
        return
    documents.append(Document(path, kind, content, Digest.of(content)))


def classify(path: Path) -> Kind:
    """Tell what a file is: by the ending of its name, then by its content."""
    for suffix, kind in SUFFIXES.items():
        if path.name.endswith(suffix):
            return kind
    if path.name == "checkpoint":
        return "checkpoint"
    with open_regular(path) as stream:
        head = stream.read(4096)
        if head.lstrip()[:1] == b"{":
            head += stream.read(DOCUMENT_LIMIT)
    return _by_content(head)


def _by_content(head: bytes) -> Kind:
    if head.startswith(b"c2sp.org/tlog-proof@v1\n"):
        return "proof"
    if head.lstrip()[:1] == b"{" and len(head) <= DOCUMENT_LIMIT:
        return _by_members(head)
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
