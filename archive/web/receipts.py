"""A receipt on paper: what was sealed, where it stands in the ledger, and how anybody checks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import segno
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from archive.services import finding, witnessing
from archive.services.receipts import place_in_log, tokens_over
from archive.services.refusals import NotReady
from archive.web.doors import page, person
from evidence.digest import Digest
from evidence.log.checkpoint import parse_checkpoint
from evidence.log.note import parse_note
from evidence.opening import EventObject
from evidence.receipt import code_text

if TYPE_CHECKING:
    import uuid

    from django.http import HttpRequest, HttpResponse


@require_safe
@page
def receipt(request: HttpRequest, submission_id: uuid.UUID) -> HttpResponse:
    """To be printed. What could identify a source is not on it."""
    row = finding.submission(person(request), submission_id)
    if row.event is None or row.blob is None:
        raise NotReady(f"the submission is {row.state}; {row.problem or 'its receipt comes with its sealing'}")
    leaf, signed = place_in_log(event=row.event)
    checkpoint = parse_checkpoint(parse_note(signed.note).text)
    item = EventObject(Digest.parse(row.blob.digest), row.blob.size, "source")
    text = code_text(item=item, leaf=leaf.index, checkpoint=checkpoint)
    context = {
        "row": row, "hex": item.digest.hex, "leaf": leaf, "origin": checkpoint.origin, "checkpoint": signed,
        "text": text, "code": drawn(text), "tokens": tokens_over(signed),
        "witnesses": [line.witness for line in signed.cosignatures.all()],
        "quorum_is_asked": witnessing.quorum_is_asked(), "has_quorum": witnessing.has_quorum(signed),
    }  # fmt: skip
    return render(request, "receipt.html", context)


def drawn(text: str) -> SafeString:
    """The text as a QR code (ISO/IEC 18004) with a quiet zone, black on white, without a style attribute."""
    code = segno.make_qr(text, error="m")
    svg = code.svg_inline(border=4, omitsize=True, dark="#000", light="#fff", svgclass="code", lineclass=None)
    return mark_safe(svg)  # noqa: S308 -- made of modules, not of the text
