"""What callers write into addresses and bodies, before it comes near the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import ParseError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.parsers import JSONParser

from archive.services.refusals import BadInput

if TYPE_CHECKING:
    from rest_framework.request import Request

FARTHEST = 10**12


def query_value(request: Request, name: str) -> str:
    """A query parameter, empty if it is not there. Raises `BadInput` for what PostgreSQL cannot hold."""
    value = request.query_params.get(name, "")
    if "\0" in value:
        raise BadInput(f"{name}: the character NUL cannot stand there")
    return value


def count_value(request: Request, name: str, default: int) -> int:
    """A query parameter that is a number. Raises `BadInput`."""
    text = query_value(request, name) or str(default)
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise BadInput(f"{name}={text[:40]!r}: write a number")
    return int(text)


class Pages(LimitOffsetPagination):
    """Pages of a bounded size, at a bounded place."""

    max_limit = 500

    def get_offset(self, request: Request) -> int:
        return min(super().get_offset(request), FARTHEST)


class BoundedJSONParser(JSONParser):
    """JSON whose nesting does not exhaust the reader."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("the JSON is nested too deeply") from error
