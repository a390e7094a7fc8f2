"""One form for every spelling of a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.reading.names import canonical_name, from_labels, name_columns
from evidence.verify.fields import domain


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Mail.Example.NET.", "mail.example.net"),
        (".", "."),
        (r"a\.b.example", r"a\.b.example"),
        (r"a\046b.example", r"a\.b.example"),
        (r"semi\;colon.example", "semi;colon.example"),
        (r"x\032y.example", r"x\032y.example"),
        ("x y.example", r"x\032y.example"),
        (r"back\\slash", r"back\\slash"),
        (r"\065BC.example", "abc.example"),
        ("müller.example", "xn--mller-kva.example"),
        ("_sip._udp.example", "_sip._udp.example"),
        (r"\255.example", r"\255.example"),
    ],
)
def test_spellings_of_a_name_are_one(written: str, name: str) -> None:
    assert canonical_name(written) == name
    assert name_columns(written) == {"name": name, "name_as_written": None if written == name else written}


@pytest.mark.parametrize("written", ["", "..", "a..b", ".a", "x" * 64, "a." * 128, "a\\", r"a\256", r"a\2"])
def test_what_is_no_name_is_said_to_be_none(written: str) -> None:
    assert canonical_name(written) is None


@given(st.lists(st.binary(min_size=1, max_size=63), max_size=3))
def test_the_form_of_a_name_is_stable_and_the_verifier_reads_it_alike(labels: list[bytes]) -> None:
    name = from_labels(labels)
    assert name is not None
    assert canonical_name(name) == name
    assert canonical_name(name.upper() if labels else name) == name
    assert domain(name.encode()) == name
