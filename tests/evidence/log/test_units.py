"""Unit trees against the published ones."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.digest import Digest
from evidence.errors import EvidenceError, LogError
from evidence.log.units import check_disclosure, disclose, lines_of, unit_leaves, unit_root, unit_salts
from evidence.strictjson import parse_object

UNITS = Path(__file__).parents[2] / "vectors/custos/units"
MANIFEST = json.loads((UNITS / "MANIFEST.json").read_text())


@pytest.mark.parametrize("case", MANIFEST["cases"], ids=lambda case: case["label"])
def test_published_trees_have_the_published_roots(case) -> None:
    key, data = base64.b64decode(case["key"]), base64.b64decode(case["data"])
    units = lines_of(data)
    assert (len(units), b"".join(units)) == (case["count"], data)
    assert base64.b64encode(unit_root(key, units)).decode() == case["root"]
    salts = [base64.b64encode(salt).decode() for salt in unit_salts(key, len(units))]
    assert salts[: len(case["first_salts"])] == case["first_salts"]
    leaves = [base64.b64encode(leaf).decode() for leaf in unit_leaves(key, units)]
    assert leaves[: len(case["first_leaves"])] == case["first_leaves"]
    if "disclosure" in case:
        value = parse_object((UNITS / case["disclosure"]).read_bytes(), "disclosure")
        shown = check_disclosure(value)
        assert {index: units[index] for index in shown} == shown
        assert value["root"] == case["root"]


@pytest.mark.parametrize("name", sorted(MANIFEST["bad"]))
def test_a_bad_disclosure_is_refused(name: str) -> None:
    with pytest.raises(EvidenceError):
        check_disclosure(parse_object((UNITS / name).read_bytes(), "disclosure"))


@given(st.binary(max_size=60), st.binary(min_size=32, max_size=32), st.data())
def test_what_is_shown_is_what_stands_there(text: bytes, key: bytes, data) -> None:
    units = lines_of(text + b"\nend")
    shown = data.draw(st.sets(st.integers(0, len(units) - 1), min_size=1))
    value = disclose(key, units, shown, Digest.of(text))
    assert check_disclosure(value) == {index: units[index] for index in shown}


def test_showing_nothing_is_refused() -> None:
    with pytest.raises(LogError):
        disclose(bytes(32), [b"a\n"], [], Digest.of(b"a\n"))
