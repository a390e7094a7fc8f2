"""Archives and compressed files: their members become blobs of their own, as the outputs of any derivation do.

A member that is an archive itself is taken out by the next extraction, to a depth of `DEPTH`. What unpacks to more
than `RATIO` times its size, beyond `FREE` bytes, is taken for a decompression bomb and stopped; inside another
archive, `RATIO` times the size of the `outermost`, so that bombs in bombs do not multiply. Paths inside an archive
are text: no file is ever made under them.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from evidence.canonical import canonical
from evidence.errors import ReadingError
from evidence.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from evidence.digest import Digest

    type Member = tuple[str, IO[bytes] | str]

MEMBERS_FORMAT = "custos/members@1"
INDEX = "members.json"
DEPTH, RATIO, FREE, MOST = 4, 1000, 64 << 20, 10_000
PIECE, _SMALL = 1 << 20, 1 << 14
FOLDER, EMPTY = "a folder", "empty"
_SAID = 20
_LONGEST_PATH = 1000
_DAMAGE = (
    OSError, EOFError, ValueError, NotImplementedError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
    tarfile.TarError, pa.ArrowException,
)  # fmt: skip


@dataclass(slots=True)
class _Extraction:
    """One archive being unpacked into a folder; owned by `extract`."""

    folder: Path
    allowed: int
    taken: int = 0
    members: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)

    def take(self, path: str, stream: IO[bytes]) -> None:
        """A member as far as it can be unpacked. Raises `ReadingError` for a bomb."""
        name = f"member-{len(self.members) + 1}"
        state, size, problem = hashlib.sha256(), 0, ""
        with (self.folder / name).open("wb") as file:
            pieces = _pieces(stream)
            while piece := _next(pieces):
                if isinstance(piece, str):
                    problem = piece
                    break
                self._count(len(piece))
                state.update(piece)
                file.write(piece)
                size += len(piece)
        if not size:
            (self.folder / name).unlink()
            self.leave(path, problem or EMPTY)
            return
        said = {"output": name, "path": path, "size": size, "digest": f"sha256:{state.hexdigest()}"}
        self.members.append(said | ({"cut_off": problem} if problem else {}))
        self.outputs.append(Output(name, self.folder / name))

    def leave(self, path: str, reason: str) -> None:
        self.left_out.append({"path": path, "reason": reason})

    def _count(self, size: int) -> None:
        self.taken += size
        if self.taken > self.allowed:
            raise ReadingError(
                f"stopped after {self.taken} bytes: it unpacks to more than {RATIO} times its size, or that of the "
                "archive that it lies in, as decompression bombs do. The file is kept as it is; if it is none, unpack "
                "it yourself and upload what is inside"
            )


def container_of(head: bytes) -> str | None:
    """The extraction for a file that begins so."""
    if head[257:262] == b"ustar" or _has_tar_checksum(head):
        return "extract.tar@1"
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def _has_tar_checksum(head: bytes) -> bool:
    """Of tar before POSIX, which has no other mark: the sum of the first header's octets, with spaces for the sum."""
    written = re.fullmatch(rb" *([0-7]{1,7})[ \0]+", head[148:156])
    return written is not None and int(written[1], 8) == sum(head[:148]) + 8 * ord(" ") + sum(head[156:512])


def extract(
    identifier: str, paths: dict[str, Path], digests: dict[str, Digest], parameters: dict[str, Any], folder: Path
) -> list[Output]:
    """Members and their index. Raises `ReadingError` for what is no such archive, too deep, or a bomb."""
    size = paths["source"].stat().st_size
    depth, outermost = _parameters(parameters, size)
    work = _Extraction(folder, max(FREE, min(size, outermost) * RATIO))
    for path, found in _each(EXTRACTIONS[identifier](paths["source"]), work):
        _take(work, as_text(path)[:_LONGEST_PATH], found)
    if not work.members and _losses(work.left_out):
        raise ReadingError(f"nothing in it can be unpacked ({_reasons(work)}); compare the file with its origin")
    index = {
        "format": MEMBERS_FORMAT, "procedure": identifier, "depth": depth,
        "source": {"digest": str(digests["source"]), "size": size},
        "members": work.members, "left_out": work.left_out,
    }  # fmt: skip
    (folder / INDEX).write_bytes(canonical(index))
    return [*work.outputs, Output(INDEX, folder / INDEX)]


def _parameters(parameters: Mapping[str, Any], size: int) -> tuple[int, int]:
    """The depth, and the size of the file that was handed in, if it is another one than this of `size` bytes."""
    depth, outermost = parameters.get("depth"), parameters.get("outermost", size)
    if set(parameters) - {"depth", "outermost"} or type(depth) is not int or not 1 <= depth <= DEPTH:
        raise ReadingError(
            f"parameters {parameters}: wanted is a depth of 1 to {DEPTH}; deeper archives are kept closed"
        )
    if type(outermost) is not int or outermost < 0:
        raise ReadingError(f"outermost {outermost!r}: the size of the file that was handed in is wanted")
    return depth, outermost


def inside(depth: int, outermost: int) -> dict[str, int]:
    """Parameters for an archive inside `depth` others, the outermost of so many bytes; that itself lies in none."""
    return {"depth": depth + 1} | ({"outermost": outermost} if depth else {})


def _each(members: Iterator[Member], work: _Extraction) -> Iterator[Member]:
    """The members. Raises `ReadingError` if damage comes before the first, `OSError` for a disk that does not do."""
    while True:
        try:
            found = next(members, None)
        except _DAMAGE as error:
            _raise_unless_damage(error)
            if not work.members:
                raise ReadingError(f"nothing can be unpacked: {error}; compare the file with its origin") from error
            work.leave("", f"unpacking ended early: {error}")
            return
        if found is None:
            return
        yield found


def _raise_unless_damage(error: BaseException) -> None:
    """Errors of the machine have a number; Python's readers of archives seek to impossible places in damaged ones."""
    is_machine = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)
    if is_machine or isinstance(error, MemoryError):
        raise error


def as_text(path: str) -> str:
    r"""A path whose octets are no UTF-8, which tar allows, with those as `\xe9`."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def shortfalls(index: Mapping[str, Any]) -> list[str]:
    """What of an archive did not become a whole member, in words, from its `members.json`; folders hold nothing."""
    cut = [(item["path"], f"is not whole: {item['cut_off']}") for item in index["members"] if "cut_off" in item]
    left = [(item["path"], f"left out: {item['reason']}") for item in index["left_out"] if item["reason"] != FOLDER]
    said = [f"{path}: {what}".removeprefix(": ") for path, what in (*cut, *left)]
    more = len(said) - _SAID
    return [*said[:_SAID], f"and {more:,} more: see {INDEX}"] if more > 0 else said


def is_whole(index: Mapping[str, Any]) -> bool:
    """Whether all that an archive holds became a whole member."""
    return not _losses(index["left_out"]) and not any("cut_off" in item for item in index["members"])


def _losses(left_out: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Of what was left out that which held something: an archive of nothing, as of a log that was empty, is whole."""
    return [item for item in left_out if item["reason"] not in (FOLDER, EMPTY)]


def _reasons(work: _Extraction) -> str:
    return (
        "; ".join(f"{item['path']}: {item['reason']}".removeprefix(": ") for item in work.left_out[:3]) or "no members"
    )


def _take(work: _Extraction, path: str, found: IO[bytes] | str) -> None:
    if len(work.members) >= MOST:
        raise ReadingError(f"it has more than {MOST} members; unpack it yourself and upload what is to be read")
    if isinstance(found, str):
        work.leave(path, found)
    else:
        work.take(path, found)


def _next(pieces: Iterator[bytes]) -> bytes | str:
    """The next piece, nothing at the end, or in words why there is none."""
    try:
        return next(pieces, b"")
    except _DAMAGE as error:
        _raise_unless_damage(error)
        return f"damaged or cut off: {error}"


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """Each as soon as it is unpacked: reading on to a full piece would lose it if there is damage behind."""
    read = getattr(stream, "read1", stream.read)
    with stream:
        while piece := read(PIECE):
            yield piece


def _single(opened: Callable[[Path], Any]) -> Callable[[Path], Iterator[Member]]:
    def members(path: Path) -> Iterator[Member]:
        yield "", opened(path)

    return members


class _Streams(io.RawIOBase):
    """xz and bzip2: one stream behind another. Python's own readers pass over what stands behind and is none."""

    def __init__(self, path: Path, begin: Callable[[], Any]) -> None:
        self._file, self._begin = path.open("rb"), begin
        self._stream = begin()

    def read1(self, size: int) -> bytes:
        while True:
            more = b""
            if self._stream.eof:
                more = self._next_stream()
                if not more:
                    return b""
            elif self._stream.needs_input:
                more = self._file.read(PIECE)
                if not more:
                    raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            data: bytes = self._stream.decompress(more, size)
            if data:
                return data

    def _next_stream(self) -> bytes:
        """The first bytes of the next one, behind padding (xz file format §2.2); none at the file's end."""
        more: bytes = self._stream.unused_data or self._file.read(PIECE)
        while more and not (more := more.lstrip(b"\0")):
            more = self._file.read(PIECE)
        self._stream = self._begin() if more else self._stream
        return more

    def close(self) -> None:
        self._file.close()
        super().close()


class _Zstd(io.RawIOBase):
    """Zstandard in small pieces, since what PyArrow unpacked is lost if there is damage behind it in the same piece."""

    def __init__(self, path: Path) -> None:
        self._stream = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")

    def read1(self, size: int) -> bytes:
        data: bytes = self._stream.read(min(size, _SMALL))
        return data


def _zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                yield info.filename, FOLDER
            elif info.flag_bits & 1:
                yield info.filename, "encrypted"
            else:
                yield info.filename, _opened(archive, info)


def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes] | str:
    try:
        return archive.open(info)
    except (RuntimeError, *_DAMAGE) as error:
        _raise_unless_damage(error)
        return f"cannot be opened: {error}"


def _tar(path: Path) -> Iterator[Member]:
    with tarfile.open(path, "r:") as archive:
        for info in archive:
            stream = archive.extractfile(info) if info.isreg() else None
            yield info.name, stream or (FOLDER if info.isdir() else "no regular file")


EXTRACTIONS: dict[str, Callable[[Path], Iterator[Member]]] = {
    "extract.gzip@1": _single(gzip.open),
    "extract.zstd@1": _single(_Zstd),
    "extract.xz@1": _single(partial(_Streams, begin=lzma.LZMADecompressor)),
    "extract.bzip2@1": _single(partial(_Streams, begin=bz2.BZ2Decompressor)),
    "extract.zip@1": _zip,
    "extract.tar@1": _tar,
}
PACKED = {
    "extract.gzip@1": "compressed by gzip",
    "extract.zstd@1": "compressed by Zstandard",
    "extract.xz@1": "compressed by xz",
    "extract.bzip2@1": "compressed by bzip2",
    "extract.zip@1": "ZIP archive",
    "extract.tar@1": "tar archive",
}
"""What people call it."""
_MAGIC = {
    b"\x1f\x8b": "extract.gzip@1", b"\x28\xb5\x2f\xfd": "extract.zstd@1", b"\xfd7zXZ\0": "extract.xz@1",
    b"BZh": "extract.bzip2@1", b"PK\x03\x04": "extract.zip@1",
}  # fmt: skip
