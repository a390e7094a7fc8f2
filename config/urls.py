"""Which address leads to which door."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("archive.api.urls")),
    path("", include("archive.web.urls")),
]
handler400 = "archive.web.errors.bad_request"
handler404 = "archive.web.errors.not_found"
handler500 = "archive.web.errors.failed"
