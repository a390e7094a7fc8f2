"""The public ledger: checkpoint, tiles and entries (C2SP tlog-tiles), and the archive's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from archive import wiring
from archive.api.bodies import disposition
from archive.api.problems import problem
from archive.models import Leaf
from archive.services.execution import keys_in_force
from archive.services.sequencing import latest_checkpoint, level_hashes
from archive.services.witnessing import cosigned
from evidence.errors import LogError
from evidence.log.tile import WIDTH, entry_bundle, is_in_tree, parse_tile_path

if TYPE_CHECKING:
    from evidence.log.tile import Tile

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
    headers = {"Cache-Control": _FOR_EVER, "Access-Control-Allow-Origin": "*"}
    return HttpResponse(_bytes(wanted), content_type="application/octet-stream", headers=headers)


def _bytes(wanted: Tile) -> bytes:
    start, stop = wanted.index * WIDTH, wanted.index * WIDTH + wanted.width
    if wanted.level is not None:
        return b"".join(level_hashes(wanted.level, start, stop))
    rows = Leaf.objects.filter(index__gte=start, index__lt=stop).order_by("index")
    return entry_bundle([bytes(value) for value in rows.values_list("event__commitment", flat=True)])


@require_safe
def policy(request: HttpRequest) -> HttpResponse:
    """The archive's own tlog-policy as a file; whoever trusts nothing compares it with one from elsewhere."""
    headers = {"Content-Disposition": disposition("policy.txt"), "Cache-Control": "public, max-age=1"}
    return HttpResponse(wiring.policy(), content_type="text/plain; charset=utf-8", headers=headers)


@require_safe
def keys(request: HttpRequest) -> JsonResponse:
    """`custos/keys@1`: what the archive claims its keys are; a hint, not trust."""
    now_valid = [{**key, "from": None, "to": None, "status": "active"} for key in keys_in_force()]
    return JsonResponse(
        {
            "format": "custos/keys@1",
            "origin": wiring.origin(),
            "policy": wiring.policy(),
            "dsse": now_valid,
            "timestamp_authorities": [{"url": each.url, "certificates": each.pem} for each in wiring.authorities()],
        }
    )
