"""Coming in by a one-time link, and going out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import login, logout
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from archive.services import access
from archive.services.refusals import NotVisible
from archive.web.doors import refused

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@require_safe
def needed(request: HttpRequest) -> HttpResponse:
    """What to do to get in."""
    return render(request, "sign_in_needed.html", status=401)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest, text: str) -> HttpResponse:
    """A look at the link does not use it up; only its button does, as programs look at links too."""
    try:
        if request.method != "POST":
            return render(request, "sign_in.html", {"link": access.find_sign_in_link(text)})
        login(request, access.use_sign_in_link(text), backend="django.contrib.auth.backends.ModelBackend")
    except NotVisible as refusal:
        return refused(request, refusal)
    return redirect("front")


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("sign-in-needed")
