"""Members of archives become files of their own; bombs, damage and depth are said in words."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import resource
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from evidence.digest import Digest
from evidence.errors import ReadingError
from evidence.extraction import DEPTH, EXTRACTIONS, FREE, container_of, extract, shortfalls

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"line of a log\n" * 5000


def zipped(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


def tarred(**members: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return target.getvalue()


def zstd(data: bytes) -> bytes:
    target = pa.BufferOutputStream()
    with pa.CompressedOutputStream(target, "zstd") as stream:
        stream.write(data)
    return target.getvalue().to_pybytes()


SINGLE = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstd}


def unpack(data: bytes, folder: Path, depth: int = 1) -> tuple[dict, dict[str, bytes]]:
    (folder / "out").mkdir(parents=True)
    (folder / "source").write_bytes(data)
    procedure = container_of(data[:512])
    assert procedure is not None
    made = extract(
        procedure, {"source": folder / "source"}, {"source": Digest.of(data)}, {"depth": depth}, folder / "out"
    )
    files = {output.name: output.path.read_bytes() for output in made}
    return json.loads(files.pop("members.json")), files


@pytest.mark.parametrize("kind", SINGLE)
def test_a_compressed_file_has_one_member(kind: str, tmp_path: Path) -> None:
    index, files = unpack(SINGLE[kind](DATA), tmp_path)
    assert index["procedure"] == f"extract.{kind}@1"
    assert files == {"member-1": DATA}
    assert index["members"] == [
        {"output": "member-1", "path": "", "size": len(DATA), "digest": str(Digest.of(DATA))}
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["member-1", "members.json"]


def test_members_of_a_zip_and_a_tar_are_files_and_their_paths_are_text(tmp_path: Path) -> None:
    members = {"../../evil": b"one", "b/c.log": DATA, "nothing": b""}
    index, files = unpack(zipped(**members), tmp_path / "zip")
    assert files == {"member-1": b"one", "member-2": DATA}
    assert [item["path"] for item in index["members"]] == ["../../evil", "b/c.log"]
    assert {item["path"]: item["reason"] for item in index["left_out"]} == {"folder/": "a folder", "nothing": "empty"}
    index, files = unpack(tarred(**members), tmp_path / "tar")
    assert files == {"member-1": b"one", "member-2": DATA}
    assert {"path": "link", "reason": "no regular file"} in index["left_out"]


@pytest.mark.parametrize(("kind", "most"), [("gzip", 0), ("xz", 0), ("bzip2", 0), ("zstd", 1 << 14)])
def test_what_was_unpacked_before_the_damage_is_kept(kind: str, most: int, tmp_path: Path) -> None:
    """Of all but Zstandard all of it, of that all but less than 16 KiB."""
    index, files = unpack(SINGLE[kind](DATA) + b"trailing", tmp_path)
    assert DATA.startswith(files["member-1"])
    assert len(DATA) - len(files["member-1"]) <= most
    assert "damaged or cut off" in index["members"][0]["cut_off"]
    assert shortfalls(index)[0].startswith("is not whole: damaged or cut off")


@pytest.mark.parametrize("kind", SINGLE)
@pytest.mark.parametrize("padding", [b"", bytes(8), bytes(3 << 20)])
def test_streams_that_stand_one_behind_another_are_one_member(kind: str, padding: bytes, tmp_path: Path) -> None:
    pad = b"" if kind == "zstd" else padding  # which knows no padding
    index, files = unpack(SINGLE[kind](DATA) + pad + SINGLE[kind](b"more\n"), tmp_path)
    assert files == {"member-1": DATA + b"more\n"}
    assert shortfalls(index) == []


def test_what_did_not_become_a_whole_member_is_said_in_words(tmp_path: Path) -> None:
    index, _ = unpack(tarred(a=DATA, nothing=b""), tmp_path)
    assert shortfalls(index) == ["nothing: left out: empty", "link: left out: no regular file"]
    index["left_out"] += [{"path": f"f{number}/", "reason": "a folder"} for number in range(30)]
    assert len(shortfalls(index)) == 2
    index["left_out"] += [{"path": str(number), "reason": "encrypted"} for number in range(30)]
    assert len(shortfalls(index)) == 21
    assert shortfalls(index)[-1] == "and 12 more: see members.json"


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_what_is_cut_off_is_unpacked_as_far_as_it_goes_and_says_so(kind: str, tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(3 << 20)
    index, files = unpack(SINGLE[kind](noise)[:-2000], tmp_path)
    assert noise.startswith(files["member-1"])
    assert "damaged or cut off" in index["members"][0]["cut_off"]


def test_a_path_that_is_no_text_is_written_with_escapes(tmp_path: Path) -> None:
    index, files = unpack(tarred(**{"caf\udce9.log": DATA, "größe.log": b"1"}), tmp_path)
    assert [item["path"] for item in index["members"]] == [r"caf\xe9.log", "größe.log"]
    assert files["member-1"] == DATA


def test_a_zip_whose_directory_is_damaged_is_said_to_be(tmp_path: Path) -> None:
    whole = zipped(**{"größe.log": DATA})
    for number, damaged in enumerate(
        (
            whole.replace("größe".encode(), b"gr\xff\xff\xff\xffe"),
            whole.replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xff"),
        )
    ):
        assert damaged != whole
        with pytest.raises(ReadingError, match="nothing can be unpacked"):
            unpack(damaged, tmp_path / str(number))


def test_a_disk_that_takes_no_more_is_no_damage_of_the_archive(tmp_path: Path) -> None:
    """Else an archive would be kept as read in part, for good, since the disk was full that day."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / "source").write_bytes(tarred(a=b"one", b=DATA))
    (tmp_path / "out").mkdir()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 12, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            extract(
                "extract.tar@1",
                {"source": tmp_path / "source"},
                {"source": Digest.of(b"")},
                {"depth": 1},
                tmp_path / "out",
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_tar_before_posix_is_told_by_its_checksum(tmp_path: Path) -> None:
    old = bytearray(tarred(a=DATA))
    old[257:265] = bytes(8)
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old[:512])
    _, files = unpack(bytes(old), tmp_path)
    assert files["member-1"] == DATA
    old[0] += 1
    assert container_of(bytes(old[:512])) is None


@pytest.mark.parametrize("data", [gzip.compress(b""), lzma.compress(b""), zipped(nothing=b"")])
def test_an_archive_of_nothing_is_whole_and_has_no_members(data: bytes, tmp_path: Path) -> None:
    """Logs are rotated and compressed when they are empty, too."""
    index, files = unpack(data, tmp_path)
    assert (index["members"], files) == ([], {})
    assert [said.removeprefix("nothing: ") for said in shortfalls(index)] == ["left out: empty"]


def test_nothing_in_a_damaged_archive_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(ReadingError, match="nothing"):
        unpack(gzip.compress(DATA)[:12], tmp_path)


def test_a_bomb_is_stopped_at_the_stated_ratio(tmp_path: Path) -> None:
    with pytest.raises(ReadingError, match="more than 1000 times its size"):
        unpack(gzip.compress(gzip.compress(b"")) and gzip.compress(bytes(FREE + (1 << 20))), tmp_path)


def test_a_bomb_inside_another_archive_is_held_to_the_size_of_the_outermost(tmp_path: Path) -> None:
    """Else each of four levels could take a thousand times the one before."""
    inner = gzip.compress(bytes(FREE + (1 << 20)) + random.Random(1).randbytes(1 << 17))
    (tmp_path / "source").write_bytes(inner)
    (tmp_path / "out").mkdir()
    given = {"source": tmp_path / "source"}, {"source": Digest.of(inner)}
    assert extract("extract.gzip@1", *given, {"depth": 2, "outermost": len(inner)}, tmp_path / "out")
    with pytest.raises(ReadingError, match="or that of the archive that it lies in"):
        extract("extract.gzip@1", *given, {"depth": 2, "outermost": 1000}, tmp_path / "out")
    for odd in ({"depth": 1, "outermost": "1"}, {"depth": 1, "outermost": -1}, {"depth": 1, "other": 1}):
        with pytest.raises(ReadingError, match=r"outermost|depth"):
            extract("extract.gzip@1", *given, odd, tmp_path / "out")


@pytest.mark.parametrize("depth", [0, DEPTH + 1, "1", None])
def test_depth_is_held_to(depth, tmp_path: Path) -> None:
    with pytest.raises(ReadingError, match="depth"):
        unpack(gzip.compress(DATA), tmp_path, depth)


def test_every_extraction_is_told_by_its_first_bytes() -> None:
    samples = [make(DATA) for make in SINGLE.values()] + [zipped(a=b"1"), tarred(a=b"1")]
    assert {container_of(sample[:512]) for sample in samples} == set(EXTRACTIONS)
    assert container_of(DATA[:512]) is None
