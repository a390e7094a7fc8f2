"""Blobs by digest: custody and proof of any file, as far as one's cases go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from archive import wiring
from archive.api import bodies
from archive.api.authentication import principal
from archive.api.submissions import SIZE, receipt_size, run_value
from archive.models import Fixity, Submission
from archive.services import access, finding
from archive.services.chain import chain_of
from archive.services.custody import rfc3339, told
from archive.services.deaccessions import DEACCESSION, deaccession_behind
from archive.services.reading import note_access
from archive.services.receipts import issue_receipt
from archive.storage.store import StoreError
from evidence.log.hashing import leaf_hash

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    from django.http import HttpResponse, HttpResponseBase
    from rest_framework.request import Request

    from archive.models import Blob
    from archive.services.access import Principal
    from archive.services.chain import Link


def event_value(link: Link, digest: str, names: Mapping[str, str]) -> dict[str, Any]:
    """One act of custody on a blob, and how it stands in the ledger; of a text that is no event nothing is repeated."""
    event, said = link.event, link.told
    leaf = getattr(event, "leaf", None)
    return {
        "id": str(event.pk), "type": event.type, "time": rfc3339(event.time),
        "case": event.case.slug if event.case else None,
        "agent": {"kind": said.agent_kind, "id": said.agent_id, "name": names.get(said.agent_id)} if said else None,
        "software": said.software if said else None, "detail": said.detail if said else None,
        "role": next((item.role for item in (said.objects if said else ()) if str(item.digest) == digest), ""),
        "state": link.state, "said": link.said, "outcome": event.outcome,
        "leaf_hash": leaf_hash(bytes(event.commitment)).hex(), "inclusion": [value.hex() for value in link.hashes],
        "leaf": leaf.index if leaf else None, "receipt": f"/api/v1/events/{event.pk}/receipt" if leaf else None,
    }  # fmt: skip


def fixity_value(blob: Blob) -> dict[str, Any]:
    """When the blob was last read whole, and what the store says of its lock now."""
    row = Fixity.objects.filter(blob=blob).first()
    try:
        lock = wiring.store().stat(blob.place).lock
    except StoreError as error:
        lock = str(error)
    return {
        "state": row.state if row else "not looked at since it was sealed", "lock": lock,
        "checked": rfc3339(row.checked) if row and row.checked else None,
        "whole": rfc3339(row.whole) if row and row.whole else rfc3339(blob.stored), "said": row.said if row else "",
    }  # fmt: skip


def deaccession_value(principal: Principal, blob: Blob) -> dict[str, Any] | None:
    """When and why the law had the bytes taken away, or those whose content they show, and the event that proves it.

    None for bytes that are kept.
    """
    row = deaccession_behind(blob, access.cases_visible_to(principal))
    event = finding.events_of(principal, row.blob_id).filter(type=DEACCESSION).first() if row is not None else None
    if row is None or event is None:
        return None
    said = told(event)
    return {
        "time": rfc3339(event.time), "reason": said.detail.get("reason") if said else None, "digest": row.blob_id,
        "receipt": f"/api/v1/events/{event.pk}/receipt",
    }  # fmt: skip


class BlobView(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT, operation_id="blob")
    def get(self, request: Request, digest: str) -> Response:
        who = principal(request)
        blob = finding.blob(who, digest)
        own = finding.submissions(who).filter(blob=blob)
        chain = chain_of(who, blob.digest)
        return Response({
            "digest": blob.digest, "size": blob.size, "content": f"/api/v1/blobs/{blob.digest}/content",
            "submissions": [{"id": str(row.pk), "case": row.case.slug, "state": row.state} for row in own],
            "custody": [event_value(link, blob.digest, chain.names) for link in chain.links],
            "checkpoint": {"size": chain.size, "root": chain.root.hex(), "quorum": chain.quorum}, "gaps": chain.gaps,
            "fixity": fixity_value(blob), "deaccessioned": deaccession_value(who, blob),
            "runs": [run_value(run) for run in finding.runs(who).filter(inputs__blob=blob).distinct()],
        })  # fmt: skip


class BlobContentView(APIView):
    @extend_schema(responses={200: OpenApiTypes.BINARY, 206: OpenApiTypes.BINARY}, operation_id="blob_content")
    def get(self, request: Request, digest: str) -> HttpResponseBase:
        blob = finding.blob(principal(request), digest)
        note_access(principal=principal(request), blob=blob)
        return bodies.blob_body(request, blob, "application/octet-stream", blob.digest.replace(":", "-"))


class EventReceiptView(APIView):
    @extend_schema(parameters=[SIZE], responses=OpenApiTypes.OBJECT, operation_id="event_receipt")
    def get(self, request: Request, event_id: uuid.UUID) -> HttpResponse:
        event = finding.event(principal(request), event_id)
        mine = Submission.objects.filter(event=event, user=principal(request).user).first()
        data = issue_receipt(event=event, size=receipt_size(request), disclosures=mine.disclosures if mine else [])
        return bodies.exact(data, "application/json", f"{event.pk}.receipt.json")
