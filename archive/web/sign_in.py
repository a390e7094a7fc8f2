"""Coming in by a one-time link, and going out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import login, logout
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from archive.services import access
from archive.services.access import LINK_LIFE
from archive.web.doors import open_page

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


WANTED = "page-wanted"


@require_safe
def needed(request: HttpRequest) -> HttpResponse:
    """What to do to get in; where one wanted to go is remembered for the link."""
    answer = render(request, "sign_in_needed.html", status=401)
    if request.GET.get("next"):
        answer.set_cookie(WANTED, request.GET["next"][:2000], max_age=LINK_LIFE, httponly=True, samesite="Lax")
    return answer


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@open_page
def sign_in(request: HttpRequest, text: str) -> HttpResponse:
    """A look at the link does not use it up; only its button does, as programs look at links too."""
    if request.method != "POST":
        return render(request, "sign_in.html", {"link": access.find_sign_in_link(text)})
    login(request, access.use_sign_in_link(text), backend="django.contrib.auth.backends.ModelBackend")
    wanted = request.COOKIES.get(WANTED, "")
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    answer = redirect(wanted if ours else reverse("front"))
    answer.delete_cookie(WANTED)
    return answer


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("sign-in-needed")
