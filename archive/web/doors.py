"""What every page's view has in common: who is there, and what cannot be becomes a page that says what to do."""

from __future__ import annotations

from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.template.loader import render_to_string

from archive.api.problems import Answer, answer_to
from archive.models import User
from archive.services import access
from archive.services.refusals import NotAllowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest


def page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For people who are signed in."""
    return login_required(open_page(view))


def open_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For everybody; a refusal is shown with its own words, as is a part of the archive that does not answer."""

    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Exception as error:
            answer = answer_to(error)
            if answer is None:
                raise
            return said(request, answer)

    return shown


def said(request: HttpRequest, answer: Answer) -> HttpResponse:
    """The answer as a page. Who is there is not asked if that might need the very part that does not answer."""
    asked = request if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR else None
    context = {"answer": answer, "away": answer.status == HTTPStatus.SERVICE_UNAVAILABLE}
    text = render_to_string("refused.html", context, asked)
    return HttpResponse(text, status=answer.status, headers=answer.headers)


def person(request: HttpRequest) -> access.Principal:
    """The signed-in user with all their rights."""
    user = request.user
    if not isinstance(user, User):
        raise NotAllowed("sign in first; an administrator makes a link with manage.py sign_in_link --user NAME")
    return access.principal_of(user)
