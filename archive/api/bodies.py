"""Bodies of answers: exact bytes of blobs, whole or in a range, streamed and never executed by a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.http import HttpResponse, StreamingHttpResponse

from archive.api.problems import problem
from archive.services.following import read_blob
from archive.services.whole import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpResponseBase
    from rest_framework.request import Request

    from archive.models import Blob

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_IMMUTABLE = "private, max-age=31536000, immutable"


def exact(data: bytes, content_type: str, name: str) -> HttpResponse:
    """Bytes as they are, to be saved under `name`."""
    headers = {"Content-Disposition": disposition(name), "Cache-Control": "private, no-cache"}
    return HttpResponse(data, content_type=content_type, headers=headers)


def disposition(name: str) -> str:
    """An attachment with a safe ASCII name and the real one beside it (RFC 6266, RFC 8187)."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".") or "evidence"
    return f"attachment; filename=\"{plain[:100]}\"; filename*=UTF-8''{quote(name[:200], safe='')}"


def blob_body(request: Request, blob: Blob, content_type: str, name: str) -> HttpResponseBase:
    """The blob, or the one range of it that is asked for (RFC 9110 §14)."""
    etag = f'"{blob.digest}"'
    headers = {
        "ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": _IMMUTABLE, "Content-Disposition": disposition(name),
    }  # fmt: skip
    if _names(request.headers.get("If-None-Match", ""), etag):
        return HttpResponse(status=304, headers={"ETag": etag})
    asked = request.headers.get("Range")
    span = _span(asked, blob.size) if asked and request.headers.get("If-Range", etag) == etag else (0, blob.size)
    if span is None:
        return problem(
            request, 416, "The range is not in the file",
            f"the file has {blob.size} bytes; ask for bytes=0-{blob.size - 1}",
            {"Content-Range": f"bytes */{blob.size}"},
        )  # fmt: skip
    start, stop = span
    partial = asked is not None and span != (0, blob.size)
    if partial:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{blob.size}"
    headers["Content-Length"] = str(stop - start)
    read: Iterator[bytes] = iter(())
    if request.method != "HEAD":
        read = read_blob(blob, start, stop) if partial else read_whole(blob)
    return StreamingHttpResponse(read, status=206 if partial else 200, content_type=content_type, headers=headers)


def _names(condition: str, etag: str) -> bool:
    """Whether an If-None-Match lists the tag or all of them (RFC 9110 §13.1.2, weak comparison)."""
    listed = {item.strip().removeprefix("W/") for item in condition.split(",")}
    return bool(listed & {etag, "*"})


def _span(asked: str, size: int) -> tuple[int, int] | None:
    """Start and stop of a single range; the whole for what is not understood; None for what cannot be met."""
    found = _RANGE.fullmatch(asked.strip())
    if not found or found.group(0) == "bytes=-":
        return 0, size
    first, last = found[1], found[2]
    if first and last and int(last) < int(first):
        return 0, size  # invalid, so ignored (RFC 9110 §14.1.1)
    if not first:
        length = int(last)
        return (max(0, size - length), size) if length and size else None
    start, stop = int(first), min(int(last) + 1, size) if last else size
    return (start, stop) if start < stop else None
