"""The public ledger: checkpoint, tiles and entries (C2SP tlog-tiles), and the archive's keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from archive import wiring
from archive.api.bodies import disposition
from archive.api.problems import problem
from archive.models import Leaf
from archive.models.key import DSSE
from archive.services.custody import rfc3339, told
from archive.services.keys import events_of_keys, lives_of
from archive.services.receipts import issue_receipt
from archive.services.refusals import BadInput, NotReady
from archive.services.sequencing import latest_checkpoint, level_hashes
from archive.services.witnessing import cosigned
from evidence.errors import LogError
from evidence.log.tile import WIDTH, entry_bundle, is_in_tree, parse_tile_path

if TYPE_CHECKING:
    import uuid

    from evidence.log.tile import Tile

SIZE = re.compile(r"[0-9]{1,18}")
_FOR_EVER = "public, max-age=31536000, immutable"


@require_safe
def checkpoint(request: HttpRequest) -> HttpResponse:
    """The newest signed checkpoint, with the cosignatures that are there."""
    newest = latest_checkpoint()
    if newest is None:
        return problem(request, 404, "Not found", "the ledger is empty: nothing has been sealed yet")
    headers = {"Cache-Control": "public, max-age=1", "Access-Control-Allow-Origin": "*"}
    return HttpResponse(cosigned(newest), content_type="text/plain; charset=utf-8", headers=headers)


@require_safe
def tile(request: HttpRequest, path: str) -> HttpResponse:
    """A tile of hashes, or a bundle of entries, if the signed tree holds that much."""
    newest = latest_checkpoint()
    try:
        wanted = parse_tile_path(path)
    except LogError as error:
        return problem(request, 404, "Not found", str(error))
    if newest is None or not is_in_tree(wanted, newest.size):
        return problem(
            request, 404, "Not found", f"the tree of size {newest.size if newest else 0} does not hold {path}"
        )
    try:
        content = _bytes(wanted)
    except LogError as error:
        return problem(request, 404, "Not found", f"the ledger is damaged, see manage.py check_ledger: {error}")
    headers = {"Cache-Control": _FOR_EVER, "Access-Control-Allow-Origin": "*"}
    return HttpResponse(content, content_type="application/octet-stream", headers=headers)


def _bytes(wanted: Tile) -> bytes:
    """As far as the rows go. Raises `LogError` where hashes are missing."""
    start, stop = wanted.index * WIDTH, wanted.index * WIDTH + wanted.width
    if wanted.level is not None:
        return b"".join(level_hashes(wanted.level, start, stop))
    rows = Leaf.objects.filter(index__gte=start, index__lt=stop).order_by("index")
    return entry_bundle([bytes(value) for value in rows.values_list("event__commitment", flat=True)])


@require_safe
def policy(request: HttpRequest) -> HttpResponse:
    """The archive's own tlog-policy as a file, now or with `?size=N` as it was for a checkpoint of that size.

    Whoever trusts nothing compares it with one from elsewhere.
    """
    size = request.GET.get("size", "")
    if size and not SIZE.fullmatch(size):
        return problem(request, 400, "Bad request", f"size={size[:40]!r}: write the size of a checkpoint")
    try:
        text = wiring.policy(int(size) if size else None)
    except LogError as error:
        return problem(request, 404, "Not found", str(error))
    headers = {"Content-Disposition": disposition("policy.txt"), "Cache-Control": "public, max-age=1"}
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)


@require_safe
def keys(request: HttpRequest) -> JsonResponse:
    """`custos/keys@1`: what the archive claims its keys are and were; a hint, not trust."""
    return JsonResponse(
        {
            "format": "custos/keys@1",
            "origin": wiring.origin(),
            "policy": wiring.policy(),
            "dsse": lives_of(DSSE),
            "timestamp_authorities": [{"url": each.url, "certificates": each.pem} for each in wiring.authorities()],
        }
    )


@require_safe
def key_events(request: HttpRequest) -> JsonResponse:
    """Every turn in the lives of the keys, with the address of its receipt."""
    return JsonResponse(
        {
            "events": [
                {
                    "id": str(event.pk), "type": event.type, "time": rfc3339(event.time),
                    "leaf": event.leaf.index if hasattr(event, "leaf") else None,
                    "detail": said.detail if (said := told(event)) else None,
                    "receipt": f"/log/key-events/{event.pk}.receipt.json",
                }
                for event in events_of_keys()
            ]
        }
    )  # fmt: skip


@require_safe
def key_receipt(request: HttpRequest, event_id: uuid.UUID) -> HttpResponse:
    """The receipt of such an event: public, for nothing in it is of a case."""
    event = events_of_keys().filter(pk=event_id).first()
    if event is None:
        return problem(request, 404, "Not found", "there is no such event about keys")
    size = request.GET.get("size", "")
    if size and not SIZE.fullmatch(size):
        return problem(request, 400, "Bad request", f"size={size[:40]!r}: write the size of a checkpoint")
    try:
        data = issue_receipt(event=event, size=int(size) if size else None)
    except BadInput as refusal:
        return problem(request, 400, "Bad request", str(refusal))
    except NotReady as refusal:
        return problem(request, 409, "Not ready", str(refusal))
    headers = {"Cache-Control": "public, max-age=1", "Access-Control-Allow-Origin": "*"}
    return HttpResponse(data, content_type="application/json", headers=headers)
