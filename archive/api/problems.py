"""RFC 9457 problems: the only place where an error becomes an HTTP status."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.views import exception_handler

from archive.services import refusals
from archive.storage.store import MissingBlobError, StoreError, UnsafeStoreError, WrongBytesError
from evidence.errors import EvidenceError

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request

_DATABASE_AWAY = (OperationalError, InterfaceError)
_log = structlog.get_logger(__name__)
STATUS: dict[type[Exception], tuple[int, str]] = {
    refusals.NotVisible: (404, "Not found"),
    refusals.NotAllowed: (403, "Not allowed"),
    refusals.BadInput: (400, "The request cannot be used"),
    refusals.WrongOffset: (409, "The offset does not fit"),
    refusals.Busy: (423, "Busy"),
    refusals.NoSpace: (507, "No space left"),
    refusals.NotKept: (503, "The disk failed"),
    refusals.TakenAway: (410, "Taken away by law"),
    refusals.NotReady: (409, "Not ready yet"),
    EvidenceError: (422, "The evidence does not allow it"),
    UnsafeStoreError: (503, "The store does not hold"),
    MissingBlobError: (503, "The store does not have the bytes"),
    WrongBytesError: (503, "The store gives other bytes"),
    StoreError: (503, "The store does not answer"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of an error at any door; `wait` is after how many seconds it is worth asking again."""

    status: int
    title: str
    detail: str
    wait: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.wait is None else {"Retry-After": str(self.wait)}


def answer_to(error: BaseException) -> Answer | None:
    """The answer to a refusal, to what evidence does not allow and to a part that is away; None to a fault of ours."""
    if isinstance(error, _DATABASE_AWAY):
        _log.error("database_away", error=type(error.__cause__ or error).__name__)
        said = "ask again in a moment: what was acknowledged is kept, and an upload goes on where it stood (HEAD)"
        return Answer(503, "The database does not answer", said, 1)
    for kind, (status, title) in STATUS.items():
        if isinstance(error, kind):
            passes = status == HTTPStatus.SERVICE_UNAVAILABLE or kind in (refusals.NotReady, refusals.Busy)
            return Answer(status, title, str(error), 1 if passes else None)
    return None


def problem(
    request: HttpRequest | Request, status: int, title: str, detail: str, headers: dict[str, str] | None = None
) -> JsonResponse:
    """A problem document (RFC 9457 §3); its `instance` is the path that was asked for."""
    value = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": request.path}
    return JsonResponse(value, status=status, content_type="application/problem+json", headers=headers)


def problem_response(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """What a door answers to an error; None lets a fault of ours be a fault."""
    request = context["request"]
    answer = answer_to(error)
    if answer is not None:
        return problem(request, answer.status, answer.title, answer.detail, answer.headers)
    if isinstance(error, Http404):
        return problem(
            request, 404, "Not found", "there is nothing here that you may see; /api/schema lists what there is"
        )
    if not isinstance(error, exceptions.APIException):
        return None
    plain = exception_handler(error, context)
    headers = {key: value for key, value in (plain.items() if plain else ()) if key in ("WWW-Authenticate", "Allow")}
    said = _unlike_the_framework(error, context) or _words(error.detail)
    return problem(request, error.status_code, HTTPStatus(error.status_code).phrase, said, headers)


def _unlike_the_framework(error: exceptions.APIException, context: dict[str, Any]) -> str:
    """What to do, where the framework says only that it cannot be."""
    if isinstance(error, exceptions.NotAuthenticated):
        return (
            "nobody is signed in, or the session has ended: sign in by a new link and do it again; a program sends "
            "Authorization: Bearer TOKEN, which manage.py token --user NAME makes"
        )
    if isinstance(error, exceptions.MethodNotAllowed):
        return f"{context['request'].method} does nothing here; this takes {', '.join(context['view'].allowed_methods)}"
    return ""


def _words(detail: Any) -> str:
    if isinstance(detail, dict):
        return "; ".join(f"{key}: {_words(value)}" for key, value in detail.items())
    return "; ".join(_words(item) for item in detail) if isinstance(detail, list) else str(detail)
