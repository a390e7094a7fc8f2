"""Readings: what became no row, and why, with the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from archive.api.authentication import principal
from archive.api.queries import count_value, query_value
from archive.services import finding
from archive.services.tables import read_rejects

if TYPE_CHECKING:
    import uuid

    from rest_framework.request import Request

MOST = 500


class RejectsView(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("offset", int), OpenApiParameter("limit", int),
            OpenApiParameter("kind", str, enum=["reject", "skip", "context"]), OpenApiParameter("reason", str),
        ],
        responses=OpenApiTypes.OBJECT, operation_id="run_rejects",
    )  # fmt: skip
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        """What a reading made no row of, in the order of the source; `next` is the offset to go on at, or null."""
        who = principal(request)
        offset, limit = count_value(request, "offset", 0), min(count_value(request, "limit", 50), MOST)
        found = read_rejects(
            principal=who, run=finding.run(who, run_id), offset=offset, limit=limit,
            kind=query_value(request, "kind"), reason=query_value(request, "reason"),
        )  # fmt: skip
        rejects = [
            {
                "blob": item.line.blob, "line": item.line.line, "start": item.line.start, "stop": item.line.stop,
                "kind": item.kind, "reason": item.reason, "text": item.line.text,
            }
            for item in found
        ]  # fmt: skip
        return Response({"rejects": rejects, "next": offset + limit if limit and len(found) == limit else None})
