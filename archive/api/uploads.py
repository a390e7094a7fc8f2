"""Uploads by tus 1.0 (core, creation, creation-with-upload): begin, ask where it stands, append.

The resource is the submission.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.views import APIView

from archive.api.authentication import principal
from archive.api.problems import problem
from archive.services import intake
from archive.services.refusals import BadInput
from archive.storage.store import PIECE
from evidence.errors import FormatError
from evidence.strictjson import parse_object

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from django.http import HttpResponseBase
    from rest_framework.request import Request

VERSION = "1.0.0"
HEADERS = {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}
EXTENSIONS = "creation,creation-with-upload"
OFFSET_STREAM = "application/offset+octet-stream"


class Unparsed(BaseParser):
    """Bodies are streamed by the view; nothing is parsed."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return stream


class _TusView(APIView):
    parser_classes = (Unparsed,)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        for name, value in HEADERS.items():
            answer[name] = value
        return answer

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # What cannot send PATCH or HEAD says so in a header, and the method it did send counts no more (tus 1.0).
        request.method = request.headers.get("X-HTTP-Method-Override", request.method).strip().upper()
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers={**HEADERS, "Tus-Version": VERSION, "Tus-Extension": EXTENSIONS})
        wanted = request.headers.get("Tus-Resumable")
        if wanted != VERSION:
            return problem(
                request,
                412,
                "Another protocol version",
                f"send Tus-Resumable: {VERSION}, got {wanted!r}",
                {**HEADERS, "Tus-Version": VERSION},
            )
        return super().dispatch(request, *args, **kwargs)


class UploadsView(_TusView):
    """Begin an upload, with its first bytes if they come along."""

    @extend_schema(request=None, responses={201: None}, operation_id="begin_upload")
    def post(self, request: Request) -> HttpResponse:
        header = request.headers.get("Upload-Metadata", "")
        said, length = _metadata(header), _length(request)
        brings = request.content_type == OFFSET_STREAM
        if brings and (size := _number(request, "Content-Length")) > length:
            raise BadInput(f"{size} bytes come along, more than the {length} bytes that were announced: none is kept")
        submission = intake.begin_submission(
            principal=principal(request), case_reference=said.get("case", ""), length=length,
            file_name=said.get("filename", ""), note=said.get("note", ""),
            stated_custody=said.get("stated_custody", ""), declared_digest=said.get("digest", ""),
            names=[name for name in said.get("names", "").split(",") if name.strip()], reading=_reading(said),
            metadata=header, chunks=_body(request) if brings else None,
        )  # fmt: skip
        location = f"/api/v1/uploads/{submission.pk}"
        return HttpResponse(status=201, headers={"Location": location, "Upload-Offset": str(submission.offset)})


class UploadView(_TusView):
    """An upload in course."""

    @extend_schema(responses={200: None}, operation_id="upload_offset")
    def head(self, request: Request, submission_id: uuid.UUID) -> HttpResponse:
        found = intake.own_submission(principal(request), submission_id)
        headers = {"Upload-Offset": str(found.offset), "Upload-Length": str(found.length)}
        if found.metadata:
            headers["Upload-Metadata"] = found.metadata
        return HttpResponse(headers=headers)

    @extend_schema(request=None, responses={204: None}, operation_id="append_upload")
    def patch(self, request: Request, submission_id: uuid.UUID) -> HttpResponse:
        if request.content_type != OFFSET_STREAM:
            return problem(
                request,
                415,
                "Another content type",
                f"send Content-Type: {OFFSET_STREAM}, got {request.content_type!r}",
            )
        offset = _number(request, "Upload-Offset")
        if not request.headers.get("Content-Length"):
            return problem(request, 411, "Length required", "send Content-Length: how many bytes this request brings")
        reached = intake.append_bytes(
            principal=principal(request), submission_id=submission_id, offset=offset, chunks=_body(request)
        )
        return HttpResponse(status=204, headers={"Upload-Offset": str(reached)})


def _body(request: Request) -> Iterator[bytes]:
    """The body as it arrives; when the connection is cut, what arrived is kept by whoever consumes this."""
    stream = request._request  # noqa: SLF001 -- DRF would read the whole body into memory
    try:
        while piece := stream.read(PIECE):
            yield piece
    except OSError as error:
        raise BadInput(f"the connection was cut ({error}); ask with HEAD where to go on") from error


def _length(request: Request) -> int:
    return _number(request, "Upload-Length")


def _number(request: Request, name: str) -> int:
    value = request.headers.get(name, "")
    if not value.isdecimal() or len(value) > 16:
        raise BadInput(f"the header {name} is {value[:40]!r}; write a number of bytes")
    return int(value)


def _metadata(text: str) -> dict[str, str]:
    """`key base64,key base64` (tus 1.0, Upload-Metadata)."""
    if not (text.isascii() and text.isprintable()):
        raise BadInput("Upload-Metadata: keys are ASCII, and values base64")
    said = {}
    for pair in filter(None, (item.strip() for item in text.split(","))):
        key, _, value = pair.partition(" ")
        try:
            if key in said:
                raise BadInput(f"Upload-Metadata names {key[:40]!r} twice; name it once")
            said[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BadInput(f"Upload-Metadata: the value of {key[:40]!r} is not base64 of UTF-8 text") from error
    return said


def _reading(said: dict[str, str]) -> dict[str, Any]:
    if not said.get("reading"):
        return {}
    try:
        return parse_object(said["reading"], "reading")
    except FormatError as error:
        raise BadInput(f'{error}; write an object, as {{"columns": {{"time": "seen"}}}}') from error
