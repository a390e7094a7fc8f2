"""Events, commitments, sealed members and receipts: published values, round trips, refusals."""

from __future__ import annotations

import base64
import dataclasses
import json
import random
from pathlib import Path

import pytest

from evidence.custody import event_bytes, seal_members
from evidence.errors import CustodyError, EvidenceError, FormatError
from evidence.log.hashing import leaf_hash
from evidence.log.tlogproof import parse_tlog_proof
from evidence.opening import commitment, disclosure_digest, open_disclosure, parse_event, parse_receipt
from evidence.receipt import receipt_bytes

OURS = Path(__file__).parents[1] / "vectors/custos"
EVENTS = json.loads((OURS / "events.json").read_text())


@pytest.mark.parametrize("case", EVENTS, ids=lambda case: str(case["index"]))
def test_published_events_have_their_commitments_and_are_written_the_same_way(case) -> None:
    salt = base64.b64decode(case["salt"])
    text = case["event"].encode()
    assert base64.b64encode(commitment(salt, text)).decode() == case["commitment"]
    assert base64.b64encode(leaf_hash(commitment(salt, text))).decode() == case["leaf_hash"]
    assert event_bytes(parse_event(text)) == text


def test_a_receipt_is_read_as_it_was_written() -> None:
    receipt = parse_receipt((OURS / "receipts/sealed.receipt.json").read_bytes())
    written = receipt_bytes(
        event=receipt.event_text, salt=receipt.salt, proof=receipt.proof,
        disclosures=receipt.disclosures, policy=receipt.policy,
    )  # fmt: skip
    assert parse_receipt(written) == dataclasses.replace(receipt, timestamps=())
    assert str(parse_tlog_proof(receipt.proof)) == receipt.proof


@pytest.mark.parametrize(("members", "digests"), [(0, 8), (1, 8), (2, 8), (3, 8), (8, 8), (9, 16)])
def test_how_many_members_are_sealed_does_not_show(members: int, digests: int) -> None:
    values = {f"member-{n}": "x" for n in range(members)}
    sealed = seal_members(values, random.Random(1).randbytes)
    assert (len(sealed.disclosures), len(set(sealed.digests))) == (members, digests)


def test_a_sealed_member_is_opened_by_its_disclosure_alone() -> None:
    sealed = seal_members({"file_name": "a\u0000../b.log", "note": "x"}, random.Random(1).randbytes)
    assert {disclosure_digest(item) for item in sealed.disclosures} < set(sealed.digests)
    assert [open_disclosure(item) for item in sealed.disclosures] == [("file_name", "a\u0000../b.log"), ("note", "x")]


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"a":1,"a":1}', '{"format":"custos/event@2"}', "\ud800", '{"a":' + "[" * 3000 + "]" * 3000 + "}"],
)
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises((EvidenceError, UnicodeEncodeError)):
        parse_event(text)


def test_an_event_that_is_too_long_or_of_no_known_type_is_not_written() -> None:
    event = parse_event(EVENTS[0]["event"])
    with pytest.raises(CustodyError, match="65536"):
        event_bytes(dataclasses.replace(event, detail={"a": "x" * 65_536}))
    with pytest.raises(CustodyError, match="unknown event type"):
        event_bytes(dataclasses.replace(event, type="forgetting"))


def test_a_disclosure_with_slack_bits_is_refused() -> None:
    text = base64.urlsafe_b64encode(b'["0123456789012345678901","n","v"]').rstrip(b"=").decode()
    assert open_disclosure(text) == ("n", "v")
    with pytest.raises(FormatError):
        open_disclosure(text + "=")


@pytest.mark.parametrize(
    "raw",
    [
        b'["short","n","v"]', b'[7,"n","v"]', b'["0123456789012345678901",7,"v"]', b'["0123456789012345678901","n"]',
        b'["0123456789012345678901","n",NaN]', b'["0123456789012345678901","n",{"a":1,"a":2}]',
        '["0123456789012345678901","n","ü"]'.encode("latin-1"), '["0123456789012345678901","n","v"]'.encode("utf-16"),
    ],
)  # fmt: skip
def test_a_disclosure_is_read_strictly(raw) -> None:
    with pytest.raises(FormatError):
        open_disclosure(base64.urlsafe_b64encode(raw).rstrip(b"=").decode())
