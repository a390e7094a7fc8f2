"""Submissions: what was handed in, where it stands, its receipt and its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from archive.api import bodies
from archive.api.authentication import principal
from archive.api.queries import Pages, query_value
from archive.services import finding
from archive.services.custody import rfc3339, told
from archive.services.identification import state_reading
from archive.services.reading import note_access
from archive.services.receipts import issue_receipt
from archive.services.refusals import BadInput, NotReady

if TYPE_CHECKING:
    import uuid

    from django.http import HttpResponse, HttpResponseBase
    from rest_framework.request import Request

    from archive.models import Run, Submission


def submission_value(row: Submission, *, runs: bool = True) -> dict[str, Any]:
    """A submission as the API shows it to members of its case."""
    here = f"/api/v1/submissions/{row.pk}"
    value: dict[str, Any] = {
        "id": str(row.pk), "case": row.case.slug, "state": row.state, "file_name": row.file_name, "note": row.note,
        "length": row.length, "offset": row.offset, "digest": row.blob_id, "size": row.blob.size if row.blob else None,
        "problem": row.problem, "read_as": row.read_as, "read_reason": row.read_reason,
        "created": rfc3339(row.created), "duplicate": _is_duplicate(row),
        "receipt": f"{here}/receipt" if row.event_id else None,
        "content": f"{here}/content" if row.blob_id else None,
    }  # fmt: skip
    if runs:
        value["runs"] = [run_value(run) for run in finding.runs_of(row)] if row.blob_id else []
        value["done"] = finding.is_done(row)
    return value


def _is_duplicate(row: Submission) -> bool | None:
    """Whether the case held these bytes already; None until they are sealed, and where their event cannot be read."""
    said = told(row.event) if row.event else None
    return said.detail.get("duplicate") if said else None


def run_value(run: Run) -> dict[str, Any]:
    answers = run.state == "succeeded" and run.answers
    return {
        "id": str(run.pk), "procedure": run.procedure, "parameters": run.parameters, "state": run.state,
        "problem": run.problem, "result": f"/api/v1/results/{run.pk}" if answers else None,
    }  # fmt: skip


def receipt_size(request: Request) -> int | None:
    """The checkpoint size that is asked for, if one is. Raises `BadInput`."""
    text = query_value(request, "size")
    if text and (not text.isdecimal() or len(text) > 18):
        raise BadInput(f"size={text[:40]!r}: write the size of a checkpoint")
    return int(text) if text else None


SIZE = OpenApiParameter("size", OpenApiTypes.INT64, description="Size of the checkpoint that the proof leads to.")


class SubmissionsView(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("case", str), OpenApiParameter("state", str), OpenApiParameter("digest", str),
            OpenApiParameter("limit", int), OpenApiParameter("offset", int),
        ],
        responses=OpenApiTypes.OBJECT, operation_id="list_submissions",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        rows = finding.submissions(principal(request))
        for name, column in (("case", "case__slug"), ("state", "state"), ("digest", "blob_id")):
            if query_value(request, name):
                rows = rows.filter(**{column: query_value(request, name)})
        pages = Pages()
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response([submission_value(row, runs=False) for row in page])


class SubmissionView(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT, operation_id="submission")
    def get(self, request: Request, submission_id: uuid.UUID) -> Response:
        return Response(submission_value(finding.submission(principal(request), submission_id)))


class SubmissionReceiptView(APIView):
    @extend_schema(parameters=[SIZE], responses=OpenApiTypes.OBJECT, operation_id="submission_receipt")
    def get(self, request: Request, submission_id: uuid.UUID) -> HttpResponse:
        row = finding.submission(principal(request), submission_id)
        if row.event is None:
            raise NotReady(f"the submission is {row.state}; {row.problem or 'its receipt comes with its sealing'}")
        # Only who handed the file in is given what opens its name and note.
        opened = row.disclosures if row.user_id == request.user.pk else []
        data = issue_receipt(event=row.event, size=receipt_size(request), disclosures=opened)
        return bodies.exact(data, "application/json", f"{row.pk}.receipt.json")


class SubmissionContentView(APIView):
    @extend_schema(responses={200: OpenApiTypes.BINARY, 206: OpenApiTypes.BINARY}, operation_id="submission_content")
    def get(self, request: Request, submission_id: uuid.UUID) -> HttpResponseBase:
        row = finding.submission(principal(request), submission_id)
        if row.blob is None:
            raise NotReady(f"the submission is {row.state}; its bytes can be read once it is sealed")
        note_access(principal=principal(request), blob=row.blob)
        return bodies.blob_body(request, row.blob, "application/octet-stream", row.file_name or str(row.pk))


class SubmissionReadingView(APIView):
    @extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT, operation_id="state_reading")
    def post(self, request: Request, submission_id: uuid.UUID) -> Response:
        """Say how a sealed file is to be read; what was read before stays beside it."""
        who = principal(request)
        if not isinstance(request.data, dict):
            raise BadInput(
                "write a JSON object with some of procedure, kind, columns, delimiter, dates, zone, year, member"
            )
        said = dict(request.data)
        member = said.pop("member", "")
        if not isinstance(member, str) or "\0" in member:
            raise BadInput("member: write the digest of a file that was taken out of the submission")
        submission = finding.submission(who, submission_id)
        row = state_reading(principal=who, submission=submission, reading=said, member=member)
        return Response(submission_value(finding.submission(who, row.pk)), status=202)
