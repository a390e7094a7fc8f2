"""Trees of whole files: the root of the plain definition, whatever the file; disclosures that a stranger can check."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import unit_tree
from evidence.digest import Digest
from evidence.errors import LogError, ReadingError
from evidence.log.units import check_disclosure, lines_of, unit_root
from evidence.sandbox import Limits, run_in_child
from evidence.unit_tree import DISCLOSE, LINE, PLANT, SEGMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = bytes(range(32))
VECTORS = Path(__file__).parents[1] / "vectors" / "custos" / "units" / "MANIFEST.json"
LIMITS = Limits(memory=8 << 30, seconds=600, file_size=1 << 30)


def job(kind: str, data: bytes, folder: Path, *, unit: str = LINE, key: bytes = KEY, **more) -> dict:
    folder.mkdir(exist_ok=True)
    (folder / "source").write_bytes(data)
    paths = {"source": folder / "source"} | more.pop("paths", {})
    parameters = {"key": key.hex(), "kind": unit, **more}
    (made,) = unit_tree.run(kind, paths, {"source": Digest.of(data)}, parameters, folder)
    return json.loads(made.path.read_bytes())


@pytest.mark.parametrize("case", json.loads(VECTORS.read_text())["cases"], ids=lambda case: case["label"])
def test_roots_are_those_of_the_vectors(case: dict, tmp_path: Path) -> None:
    said = job(PLANT, base64.b64decode(case["data"]), tmp_path, key=base64.b64decode(case["key"]))
    assert (said["root"], said["count"]) == (case["root"], case["count"])


def spans(folder: Path, *found) -> dict[str, Path]:
    """What a reader found, by starts and stops: rows and rejects."""
    paths = {"table": folder / "table", "rejects": folder / "rejects"}
    for path, (starts, stops) in zip(paths.values(), found, strict=True):
        pq.write_table(pa.table({"start": pa.array(starts, pa.int64()), "stop": pa.array(stops, pa.int64())}), path)
    return paths


@contextmanager
def small(segment: int, block: int) -> Iterator[None]:
    """Segments of so many units, and blocks of so many bytes."""
    before = unit_tree.SEGMENT, unit_tree.BLOCK
    unit_tree.SEGMENT, unit_tree.BLOCK = segment, block
    try:
        yield
    finally:
        unit_tree.SEGMENT, unit_tree.BLOCK = before


SIZES = st.builds(small, st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 3, 40, 4096]))
TEXTS = st.lists(st.sampled_from([b"\n", b"\r", b"a", b"line\n", b"x" * 50]), max_size=40).map(b"".join)


@settings(max_examples=40)
@given(TEXTS, SIZES)
def test_whatever_the_lines_the_root_is_that_of_the_definition(tmp_path_factory, data: bytes, sizes) -> None:
    folder = tmp_path_factory.mktemp("tree")
    with sizes:
        said = job(PLANT, data, folder)
        assert said["root"] == base64.b64encode(unit_root(KEY, lines_of(data))).decode()
        assert said["count"] == len(lines_of(data))
        if said["count"]:
            shown = sorted({0, said["count"] // 2, said["count"] - 1})
            value = job(DISCLOSE, data, folder, indices=shown)
            assert check_disclosure(value) == {index: lines_of(data)[index] for index in shown}


@settings(max_examples=40)
@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=30), SIZES)
def test_whatever_the_records_the_root_is_that_of_the_definition(tmp_path_factory, units: list[bytes], sizes) -> None:
    folder = tmp_path_factory.mktemp("tree")
    edges = [0, *accumulate(map(len, units))]
    paths = spans(folder, (edges[:-1:2], edges[1::2]), ([], []))
    with sizes:
        said = job(PLANT, b"".join(units), folder, unit="pcap-packet", paths=paths)
        value = job(DISCLOSE, b"".join(units), folder, unit="pcap-packet", paths=paths, indices=[len(units) - 1])
    assert said["root"] == base64.b64encode(unit_root(KEY, units)).decode()
    assert check_disclosure(value) == {len(units) - 1: units[-1]}


@pytest.mark.parametrize("unit", [LINE, "pcap-packet"])
@pytest.mark.parametrize("count", [1, 3 * SEGMENT])
def test_a_source_with_another_digest_is_refused(unit: str, count: int, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"line\n" * count)
    paths = spans(tmp_path, (range(0, 5 * count, 5), range(5, 5 * count + 5, 5)), ([], []))
    paths |= {"source": tmp_path / "source"}
    with pytest.raises(ReadingError, match="the store is damaged"):
        unit_tree.run(PLANT, paths, {"source": Digest.of(b"other")}, {"key": KEY.hex(), "kind": unit}, tmp_path)
    assert not (tmp_path / "tree.json").exists()


def test_a_large_file_is_cut_into_segments_and_read_by_processes_under_limits(tmp_path: Path) -> None:
    data = b"".join(b"line %d\n" % number for number in range(2 * SEGMENT + 77)) + b"x" * (9 << 20)
    path = tmp_path / "source"
    path.write_bytes(data)
    digests, parameters = {"source": Digest.of(data)}, {"key": KEY.hex(), "kind": LINE}
    (made,) = run_in_child(PLANT, {"source": path}, digests, parameters, tmp_path, LIMITS)
    said = json.loads(made.path.read_bytes())
    assert said["root"] == base64.b64encode(unit_root(KEY, lines_of(data))).decode()
    assert said["count"] == 2 * SEGMENT + 78
    wanted = {"indices": [SEGMENT - 1, SEGMENT, 2 * SEGMENT + 76]}
    (made,) = run_in_child(DISCLOSE, {"source": path}, digests, parameters | wanted, tmp_path, LIMITS)
    value = json.loads(made.path.read_bytes())
    assert value["root"] == said["root"]
    assert check_disclosure(value) == {
        SEGMENT - 1: b"line %d\n" % (SEGMENT - 1), SEGMENT: b"line %d\n" % SEGMENT,
        2 * SEGMENT + 76: b"line %d\n" % (2 * SEGMENT + 76),
    }  # fmt: skip


def test_units_are_found_by_the_bytes_that_they_touch(tmp_path: Path) -> None:
    data = b"one\ntwo\nthree\nfour\n"
    value = job(DISCLOSE, data, tmp_path, ranges=[[4, 8], [9, 15]])
    assert check_disclosure(value) == {1: b"two\n", 2: b"three\n", 3: b"four\n"}


@pytest.mark.parametrize("more", [{"indices": []}, {"indices": [9]}, {"ranges": [[0, 99]]}, {"indices": [-1]}])
def test_what_is_not_there_cannot_be_shown(more: dict, tmp_path: Path) -> None:
    with pytest.raises(LogError):
        job(DISCLOSE, b"one\ntwo\n", tmp_path, **more)


def test_records_and_what_lies_between_them_cover_the_file(tmp_path: Path) -> None:
    data = b"HEAD" + b"aaaa" + b"??" + b"bbbbbb" + b"!"
    paths = spans(tmp_path, ([4, 10, 10], [8, 16, 16]), ([0], [4]))
    units = [b"HEAD", b"aaaa", b"??", b"bbbbbb", b"!"]
    said = job(PLANT, data, tmp_path, unit="pcap-packet", paths=paths)
    assert (said["kind"], said["count"]) == ("pcap-packet", 5)
    assert said["root"] == base64.b64encode(unit_root(KEY, units)).decode()
    value = job(DISCLOSE, data, tmp_path, unit="pcap-packet", paths=paths, ranges=[[10, 16]])
    assert check_disclosure(value) == {3: b"bbbbbb"}
