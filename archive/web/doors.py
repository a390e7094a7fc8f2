"""What every page's view has in common: who is there, and a refusal becomes a page that says what to do."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_required
from django.shortcuts import render

from archive.models import User
from archive.services import access
from archive.services.refusals import BadInput, NotAllowed, NotVisible, Refusal, TakenAway

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

STATUS: dict[type[Refusal], int] = {NotVisible: 404, NotAllowed: 403, BadInput: 400, TakenAway: 410}


def page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For people who are signed in; refusals are shown with their own words."""

    @login_required
    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Refusal as refusal:
            return refused(request, refusal)

    return shown


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    status = STATUS.get(type(refusal), 409)
    return render(request, "refused.html", {"said": str(refusal), "status": status}, status=status)


def person(request: HttpRequest) -> access.Principal:
    """The signed-in user with all their rights."""
    user = request.user
    if not isinstance(user, User):
        raise NotAllowed("sign in first; an administrator makes a link with manage.py sign_in_link --user NAME")
    return access.principal_of(user)
