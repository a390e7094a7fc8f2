"""The receipt on paper: what stands on it, what does not, and for whom."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from archive.services import access, intake, sealing
from archive.services.sequencing import sequence_pending
from evidence.log.note import parse_note
from evidence.log.tlogproof import parse_tlog_proof
from tests.archive.web.test_pages import row, signed_in

if TYPE_CHECKING:
    from archive.models import Submission

__all__ = ["row"]
pytestmark = pytest.mark.django_db


def test_it_says_what_the_receipt_file_says(row: Submission) -> None:
    ann = signed_in("ann")
    text = ann.get(f"/submissions/{row.pk}/receipt").content.decode()
    receipt = json.loads(ann.get(f"/api/v1/submissions/{row.pk}/receipt").content)
    proof = parse_tlog_proof(receipt["proof"])
    origin, size, root = parse_note(proof.checkpoint).text.splitlines()
    said = re.search(r"<pre>(custos/receipt-code@1.*?)</pre>", text, re.DOTALL)
    assert said is not None
    assert said[1].splitlines() == [
        "custos/receipt-code@1", f"digest {row.blob_id}", f"bytes {row.length}", f"leaf {proof.index}",
        f"origin {origin}", f"size {size}", f"root {root}",
    ]  # fmt: skip
    assert "none yet: when this existed rests on the archive" in text


def test_nothing_on_it_names_the_source_and_nothing_in_it_is_a_style(row: Submission) -> None:
    text = signed_in("ann").get(f"/submissions/{row.pk}/receipt").content.decode()
    assert row.file_name not in text and "&lt;b&gt;x" not in text
    code = re.search(r"<svg.*?</svg>", text, re.DOTALL)
    assert code is not None
    assert "style" not in code[0] and "<script" not in code[0]


def test_it_is_for_members_and_auditors_and_there_only_once_it_is_sealed(row: Submission) -> None:
    statuses = [signed_in(name, **rights).get(f"/submissions/{row.pk}/receipt").status_code
                for name, rights in (("ann", {}), ("eve", {"auditor": True}), ("bob", {}))]  # fmt: skip
    assert statuses == [200, 200, 404]
    who = access.principal_of(access.ensure_user(user_name="ann"))
    waiting = intake.begin_submission(principal=who, case_reference="case-a", length=3)
    answer = signed_in("ann").get(f"/submissions/{waiting.pk}/receipt")
    assert (answer.status_code, b"comes with its sealing" in answer.content) == (409, True)
    intake.append_bytes(principal=who, submission_id=waiting.pk, offset=0, chunks=[b"abc"])
    sealing.seal_submission(waiting.pk)
    sequence_pending()
    assert signed_in("ann").get(f"/submissions/{waiting.pk}/receipt").status_code == 200
