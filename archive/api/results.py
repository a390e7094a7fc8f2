"""Results and the runs behind them: exact bytes, attestations, receipts, the sources of a finding."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from archive.api import bodies
from archive.api.authentication import principal
from archive.api.queries import Pages, count_value, query_value
from archive.api.submissions import SIZE, receipt_size, run_value
from archive.services import bundles, finding, following
from archive.services.reading import note_access, read_lines
from archive.services.receipts import issue_receipt
from archive.services.refusals import BadInput, NotReady
from archive.services.runs import retry_run

if TYPE_CHECKING:
    import uuid

    from django.http import HttpResponse
    from rest_framework.request import Request

    from archive.models import Run

NDJSON = "application/x-ndjson"
MOST_LINES = 500


def result_value(run: Run) -> dict[str, Any]:
    """A result in a list: what was asked and answered, and its numbers."""
    value = {**run_value(run), "case": run.case.slug}
    if run.state != "succeeded":
        return value
    said = following.result_of(run)
    numbers = [{"name": item["name"], "title": item["title"], "value": item["value"]} for item in said["findings"]]
    return {**value, "title": said["title"], "answer": said["answer"], "findings": numbers}


def _ended(run: Run) -> Run:
    if run.event is None or run.statement is None:
        raise NotReady(f"the run {run.pk} is {run.state}; {run.problem or 'ask again when it has ended'}")
    return run


class ResultsView(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("case", str), OpenApiParameter("submission", OpenApiTypes.UUID)],
        responses=OpenApiTypes.OBJECT, operation_id="list_results",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        who = principal(request)
        rows = finding.results(who)
        if query_value(request, "case"):
            rows = rows.filter(case__slug=query_value(request, "case"))
        if query_value(request, "submission"):
            row = finding.submissions(who).filter(pk=_identifier(query_value(request, "submission"))).first()
            rows = rows.filter(pk__in=finding.runs_of(row).values("pk")) if row and row.blob_id else rows.none()
        pages = Pages()
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response([result_value(run) for run in page])


def _identifier(text: str) -> str:
    import uuid as uuids  # noqa: PLC0415 -- the name is taken by a type above

    try:
        return str(uuids.UUID(text))
    except ValueError as error:
        raise BadInput(f"{text[:40]!r} is not an id") from error


class RetryView(APIView):
    """Try a failed run once more; it answers as the run does."""

    @extend_schema(request=None, responses=OpenApiTypes.OBJECT, operation_id="retry_run")
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        who = principal(request)
        return Response(run_value(retry_run(principal=who, run=finding.run(who, run_id))), status=202)


class RunView(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT, operation_id="run")
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        run = finding.run(principal(request), run_id)
        outputs = run.outputs.select_related("blob").order_by("name")
        inputs = run.inputs.order_by("role").values_list("role", "blob_id")
        return Response({
            **run_value(run), "identity": run.identity,
            "inputs": [{"role": role, "digest": digest} for role, digest in inputs],
            "outputs": [{"name": o.name, "digest": o.blob_id, "size": o.blob.size} for o in outputs],
        })  # fmt: skip


class RunOutputView(APIView):
    @extend_schema(responses={200: OpenApiTypes.BINARY}, operation_id="run_output")
    def get(self, request: Request, run_id: uuid.UUID, name: str) -> HttpResponseBase:
        blob = following.output(finding.run(principal(request), run_id), name)
        note_access(principal=principal(request), blob=blob)
        return bodies.blob_body(request, blob, "application/octet-stream", name)


class ResultView(APIView):
    """The exact bytes of result.json: their digest is what the attestation names."""

    @extend_schema(responses=OpenApiTypes.OBJECT, operation_id="result")
    def get(self, request: Request, run_id: uuid.UUID) -> HttpResponseBase:
        run = _ended(finding.run(principal(request), run_id))
        blob = following.output(run, "result.json")
        note_access(principal=principal(request), blob=blob)
        answer = bodies.blob_body(request, blob, "application/json", f"{run.pk}.result.json")
        here = f"/api/v1/results/{run.pk}"
        answer["Link"] = f'<{here}/attestation>; rel="describedby", <{here}/receipt>; rel="related"'
        return answer


class AttestationView(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT, operation_id="attestation")
    def get(self, request: Request, run_id: uuid.UUID) -> HttpResponseBase:
        run = _ended(finding.run(principal(request), run_id))
        if run.statement is None:
            raise NotReady("the run has no statement yet")
        note_access(principal=principal(request), blob=run.statement)
        return bodies.blob_body(request, run.statement, "application/json", f"{run.pk}.attestation.json")


class RunReceiptView(APIView):
    @extend_schema(parameters=[SIZE], responses=OpenApiTypes.OBJECT, operation_id="run_receipt")
    def get(self, request: Request, run_id: uuid.UUID) -> HttpResponse:
        run = _ended(finding.run(principal(request), run_id))
        if run.event is None:
            raise NotReady("the run has no event yet")
        data = issue_receipt(event=run.event, size=receipt_size(request))
        return bodies.exact(data, "application/json", f"{run.pk}.receipt.json")


class SourcesView(APIView):
    """The byte ranges of a finding, one JSON object a line, exactly as the result names them by digest."""

    @extend_schema(responses={(200, NDJSON): OpenApiTypes.STR}, operation_id="finding_sources")
    def get(self, request: Request, run_id: uuid.UUID, name: str) -> HttpResponseBase:
        run = _ended(finding.run(principal(request), run_id))
        blob = following.sources_of(run, name)
        note_access(principal=principal(request), blob=blob)
        return bodies.blob_body(request, blob, NDJSON, f"{name}.sources.ndjson")


class LinesView(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("offset", int), OpenApiParameter("limit", int)],
        responses=OpenApiTypes.OBJECT, operation_id="finding_lines",
    )  # fmt: skip
    def get(self, request: Request, run_id: uuid.UUID, name: str) -> Response:
        run = _ended(finding.run(principal(request), run_id))
        offset, limit = (count_value(request, key, default) for key, default in (("offset", 0), ("limit", 50)))
        lines = read_lines(
            principal=principal(request), run=run, name=name, offset=offset, limit=min(limit, MOST_LINES)
        )
        return Response(
            [
                {
                    "blob": line.blob,
                    "line": line.line,
                    "start": line.start,
                    "stop": line.stop,
                    "text": line.text,
                    "shown": line.shown,
                }
                for line in lines
            ]
        )


class BundleView(APIView):
    """All that an offline check needs, in one zip archive."""

    @extend_schema(
        parameters=[OpenApiParameter("raw", bool, description="Whether the sources' own bytes are put in.")],
        responses={(200, "application/zip"): OpenApiTypes.BINARY}, operation_id="result_bundle",
    )  # fmt: skip
    def get(self, request: Request, run_id: uuid.UUID) -> HttpResponseBase:
        run = _ended(finding.run(principal(request), run_id))
        raw = query_value(request, "raw") in ("1", "true")
        items = bundles.items(run, raw=raw)
        begun = [*islice(items, 1)]  # that there is no checkpoint yet is said before anything is given
        for blob in bundles.blobs(run, raw=raw):
            note_access(principal=principal(request), blob=blob)
        return StreamingHttpResponse(
            bundles.zip_stream(chain(begun, items)), content_type="application/zip",
            headers={"Content-Disposition": bodies.disposition(f"custos-{run.pk}.zip")},
        )  # fmt: skip
