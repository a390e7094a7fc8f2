"""The parts of a token that no signature covers, and the DER to find them."""

from __future__ import annotations

import json
import random
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import FormatError
from evidence.log.checkpoint import parse_checkpoint
from evidence.log.note import parse_note
from evidence.log.tlogproof import parse_tlog_proof
from evidence.opening import Timestamp
from evidence.verify.der import elements, inside
from evidence.verify.findings import Findings
from evidence.verify.timestamps import check_token
from evidence.verify.trust import load_trust

GOLDEN = Path(__file__).parents[2] / "vectors/golden"
RECEIPT = json.loads((GOLDEN / "bundle/source-1.receipt.json").read_bytes())
TOKEN = b64decode(RECEIPT["timestamps"][0]["response"])
CHECKPOINT = parse_checkpoint(parse_note(parse_tlog_proof(RECEIPT["proof"]).checkpoint).text)
TRUST = load_trust(None, GOLDEN / "tsa.pem")


def judged(token: bytes) -> int:
    findings = Findings()
    check_token(Timestamp("Golden Time Authority", token, None, ()), CHECKPOINT, "a token", TRUST, findings)
    return findings.exit_status


def test_the_token_holds() -> None:
    assert judged(TOKEN) == 0


def test_no_byte_of_a_token_can_be_changed_unnoticed() -> None:
    chance = random.Random(3161)
    for at in range(len(TOKEN)):
        changed = bytearray(TOKEN)
        changed[at] ^= 1 << chance.randrange(8)
        assert judged(bytes(changed)) == 1, at


def test_nothing_can_be_put_behind_a_token() -> None:
    assert judged(TOKEN + b"\x05\x00") == 1


@given(st.binary(max_size=60))
def test_what_is_no_token_is_wrong_and_never_a_crash(junk) -> None:
    assert judged(junk) == 1
    assert judged(TOKEN[:40] + junk + TOKEN[40:]) == (1 if junk else 0)


def test_elements_are_read_one_after_the_other() -> None:
    long = b"\x30\x81\x80" + b"x" * 128
    assert elements(b"\x05\x00" + long) == [(5, b""), (0x30, b"x" * 128)]
    assert inside(b"\x30\x04\x05\x00\x02\x00", (0, -1)) == b""


@pytest.mark.parametrize(
    "data", [b"\x05", b"\x05\x01", b"\x05\x80", b"\x05\x81\x05hello", b"\x30\x82\x00\x80" + b"x" * 128]
)
def test_der_that_is_cut_or_not_the_shortest_is_refused(data) -> None:
    with pytest.raises(FormatError):
        elements(data)


def test_a_path_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(FormatError):
        inside(b"\x05\x00", (1,))
