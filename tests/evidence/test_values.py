"""Digests, spans, canonical JSON and strict reading."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.canonical import canonical
from evidence.digest import Digest, hash_stream
from evidence.errors import CanonicalError, FormatError
from evidence.span import Span
from evidence.strictjson import b64, members, parse_object

JCS = Path(__file__).parents[1] / "vectors/jcs"


@pytest.mark.parametrize("name", sorted(path.name for path in (JCS / "input").iterdir()))
def test_published_values_are_written_canonically(name: str) -> None:
    value = json.loads((JCS / "input" / name).read_bytes())
    assert canonical(value) == (JCS / "output" / name).read_bytes()


def test_what_json_cannot_hold_is_refused() -> None:
    for value in (float("nan"), 2**60, object()):
        with pytest.raises(CanonicalError):
            canonical({"a": value})


@given(st.lists(st.binary(max_size=20)))
def test_a_stream_has_the_digest_of_its_bytes(chunks: list[bytes]) -> None:
    data = b"".join(chunks)
    assert hash_stream(chunks) == (Digest.of(data), len(data))
    assert Digest.parse(str(Digest.of(data))).raw == Digest.of(data).raw


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:" + "A" * 64, "md5:" + "a" * 64, "sha256:" + "a" * 65])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        Digest.parse(text)


def test_a_span_does_not_run_backwards() -> None:
    assert len(Span(Digest.of(b""), 2, 5)) == 3
    with pytest.raises(FormatError):
        Span(Digest.of(b""), 5, 2)


@pytest.mark.parametrize("text", ["[1]", '{"a":1,"a":2}', '{"a":NaN}', "{", b"\xff", "1" * 5000, "[" * 100_000])
def test_loose_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(FormatError, match="here"):
        parse_object(text, "here")


@pytest.mark.parametrize("text", ["YR==", "YQ", "Y Q==", "é", 5, "YQ==\n"])
def test_loose_base64_is_refused(text: object) -> None:
    with pytest.raises(FormatError):
        b64(text, "here")


def test_members_are_exactly_those_wanted() -> None:
    for value in ({}, {"a": 1, "b": 2}, {"a": "1"}, {"a": True}):
        with pytest.raises(FormatError):
            members(value, {"a": int}, "here")
