"""Policies are read strictly: no signer counts twice, and no line is guessed."""

from __future__ import annotations

import pytest

from evidence.errors import FormatError
from evidence.log.note import COSIGNATURE_V1, ED25519, ML_DSA_44, Vkey
from evidence.log.policy import allows_one_history, parse_policy

LOG = Vkey("log.example", ED25519, bytes(32))
W = [Vkey(f"w{n}.example", COSIGNATURE_V1, bytes([n]) * 32) for n in range(1, 5)]
WITNESSES = "".join(f"witness w{n} {key}\n" for n, key in enumerate(W, 1))


def policy(rest: str) -> str:
    return f"log {LOG}\n{rest}"


@pytest.mark.parametrize(
    "text",
    [
        policy("quorum none\r\n"),
        policy("quorum none\x0bquorum none\n"),
        policy("quorum none\u2028"),
        policy(f"witness a {W[0]}\nwitness b {W[0]}\nquorum none\n"),
        policy(f"witness a {Vkey('w', COSIGNATURE_V1, LOG.public)}\nquorum none\n"),
        policy(f"witness a {Vkey('w', ED25519, bytes([9]) * 32)}\nquorum none\n"),
        f"log {Vkey('l', COSIGNATURE_V1, bytes(32))}\nquorum none\n",
        policy(f"{WITNESSES}group a 1 w1 w2\ngroup b 1 w2 w3\ngroup c all a b\nquorum c\n"),
        policy("quorum none\nquorum none\n"),
        policy("trust me\nquorum none\n"),
        policy(f"{WITNESSES}group a {'9' * 5000} w1 w2\nquorum a\n"),
        policy(f"{WITNESSES}group a \u0661 w1 w2\nquorum a\n"),
    ],
)
def test_a_policy_that_could_be_read_in_two_ways_is_refused(text) -> None:
    with pytest.raises(FormatError):
        parse_policy(text)


def test_comments_blank_lines_and_a_missing_last_line_end_are_allowed() -> None:
    text = policy(f"# ours\n\nwitness pq {Vkey('w', ML_DSA_44, bytes(1312))} # both\nquorum pq")
    assert set(parse_policy(text).witnesses) == {"pq"}


@pytest.mark.parametrize(
    ("rest", "one"),
    [
        ("quorum none\n", False),
        ("quorum w1\n", True),
        ("group g any w1 w2\nquorum g\n", False),
        ("group g 2 w1 w2 w3\nquorum g\n", True),
        ("group g 2 w1 w2 w3 w4\nquorum g\n", False),
        ("group a any w1 w2\ngroup b all w3 w4\ngroup g all a b\nquorum g\n", False),
        ("group a all w1 w2\ngroup b all w3 w4\ngroup g all a b\nquorum g\n", True),
    ],
)
def test_only_quorums_that_always_share_a_witness_allow_one_history(rest, one) -> None:
    assert allows_one_history(parse_policy(policy(WITNESSES + rest))) == one
